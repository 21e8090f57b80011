"""Greedy selection with reverse messages: one problem, several engines, the same picks."""

from d2pyg.selection.greedy_select import greedy_select

__all__ = ["greedy_select"]
