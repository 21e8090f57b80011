"""The base of all packages: checks, files, the grid, plug-ins by name. Nothing here is public."""
