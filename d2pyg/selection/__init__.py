"""From scores and a graph to a coreset: checks arguments, gives seats to classes, makes the picks."""
