"""Greedy selection with reverse messages: one problem, several engines, the same picks."""
