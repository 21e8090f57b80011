"""The result of a selection, its files, and why a sample was kept."""
