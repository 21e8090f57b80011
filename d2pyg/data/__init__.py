"""Data sets and loaders: embeds them, cuts them to a coreset, samples them."""
