"""The options of all commands, and their help. One file a command; none of them imports torch."""
