"""Coresets side by side: compared, and swept over settings."""
