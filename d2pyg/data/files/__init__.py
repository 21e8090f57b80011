"""Data sets in files of the user's: what a coreset keeps of them, as files of the same kind."""
