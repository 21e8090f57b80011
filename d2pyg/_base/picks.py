"""Picks: what holds the samples that were kept."""


class Picks:
    """Marks what is an array of indices, so that it is not taken for values of all samples."""
