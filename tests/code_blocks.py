"""The code blocks of a page of Markdown."""

import re

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def code_blocks(page, languages=()):
    """Language and code of each block in order; of these languages, or of all."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [(language, code) for language, code in found if not languages or language in languages]
