"""What all rooms stand on: checks, files, the grid, plug-ins by name. Nothing here is public."""
