"""The commands of d2pyg, in the order of its help."""

COMMANDS = (
    "select",
    "take",
    "graph",
    "extend",
    "shrink",
    "sweep",
    "score",
    "explain",
    "compare",
    "duplicates",
    "demo",
)
