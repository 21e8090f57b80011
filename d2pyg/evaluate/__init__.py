"""Compares coresets, and sweeps over settings."""
