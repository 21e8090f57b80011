"""Data sets and loaders of the user's: embedded, cut down to a coreset, sampled."""
