"""flow: the direction of messages along the edges of a kNN graph."""

from __future__ import annotations

from d2pyg._base.checks import check_choice
from d2pyg._base.options import FLOWS


def as_flow(flow: str | None, has_scores: bool) -> str:
    """The flow given, or else the default of a selection with or without scores."""
    if flow is None:
        return "both" if has_scores else "source_to_target"
    return check_choice("flow", flow, FLOWS)
