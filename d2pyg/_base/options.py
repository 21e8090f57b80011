"""The allowed values of options. Needs no torch, so help and errors come at once."""

UPDATES = ("sum", "product", "none")
SCALES = ("median", "local")
FLOWS = ("both", "target_to_source", "source_to_target")  # PyG's words; a target's neighbors are sources
BALANCES = ("proportional", "uniform")
MARGINS = ("logits", "probabilities")

CORESET_SUFFIXES = (".npz", ".pt", ".json", ".csv", ".parquet")  # of files that hold a whole coreset
DUPLICATES_SUFFIXES = (".csv", ".parquet", ".json")
GRAPH_SUFFIXES = (".pt",)
FIGURE_SUFFIXES = (".png", ".pdf", ".svg")
LIST_SUFFIXES = (".npy", ".txt", ".json", ".parquet")  # of names or indices
ROWS_SUFFIXES = (".csv", ".parquet")  # of tables with a row a sample, in order
TABLE_SUFFIXES = (".csv",)
ARRAY_SUFFIXES = (".npy",)

GROUP_ROWS = 25_000  # rows of a Parquet row group that is written, at most
