"""Text for people: on one line, and no longer than there is room for."""

from __future__ import annotations


def one_line(text: str, limit: int) -> str:
    """Text on one line; where it is too long, its middle is left out, so that both ends stay.

    Example:
        >>> one_line("Expected\\n 'ids' to be names (got 'a', 'b', 'c', 'd'). Leave them out.", 45)
        "Expected 'ids' to be ... d'). Leave them out."
    """
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    cut = " ... "
    head = (limit - len(cut)) // 2
    return line[:head] + cut + line[len(line) + head + len(cut) - limit :]


def printable(text: str) -> str:
    """Text on one line, with escapes for what has no shape, such as control characters.

    Example:
        >>> printable("two\\nlines\\x07")
        'two lines\\\\x07'
    """
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
