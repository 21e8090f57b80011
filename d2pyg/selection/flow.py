"""flow: which way messages go along the edges of a kNN graph."""

from __future__ import annotations

from d2pyg._base.checks import check_choice

FLOWS = ("both", "target_to_source", "source_to_target")  # PyG's words; a target's neighbors are sources


def as_flow(flow: str | None, has_scores: bool) -> str:
    """The flow asked for; without one, that of a selection with or without scores."""
    if flow is None:
        return "both" if has_scores else "source_to_target"
    return check_choice("flow", flow, FLOWS)
