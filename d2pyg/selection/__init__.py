"""The way from scores and a graph to a coreset: arguments checked, seats given, picks made."""
