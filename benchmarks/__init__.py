"""What d2pyg costs (the scripts here), and what its coresets are worth (accuracy/)."""
