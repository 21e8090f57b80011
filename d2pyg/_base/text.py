"""Text for messages: on one line, cut to a length."""

from __future__ import annotations


def one_line(text: str, limit: int) -> str:
    """Text on one line. If it is too long, its middle is left out.

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
    """Text on one line, with escapes for characters that do not print, such as control characters.

    Example:
        >>> printable("two\\nlines\\x07")
        'two lines\\\\x07'
    """
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
