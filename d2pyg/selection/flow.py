"""flow: which way messages go along the edges of a kNN graph."""

from __future__ import annotations

from d2pyg._base.checks import as_flag, check_choice

FLOWS = ("target_to_source", "source_to_target")  # as PyG has them; the target's neighbors are sources


def as_flow(
    undirected: bool | None, reverse_flow: str | None, has_scores: bool
) -> tuple[bool, str | None]:
    """Both, with defaults for None; there is no flow to choose where edges go both ways."""
    if reverse_flow is not None:
        check_choice("reverse_flow", reverse_flow, FLOWS)
    both = has_scores and reverse_flow is None
    undirected = both if undirected is None else as_flag("undirected", undirected)
    if not undirected:
        return False, reverse_flow or FLOWS[0 if has_scores else 1]
    if reverse_flow is not None:
        raise ValueError(
            f"Expected 'reverse_flow' to be None with undirected=True, where messages go both ways (got "
            f"{reverse_flow!r}). Leave one of them out."
        )
    return True, None
