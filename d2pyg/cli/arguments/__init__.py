"""The options of all commands, and their help. One file per command; none imports torch."""
