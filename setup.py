"""Everything but the text for the package index is declared in pyproject.toml."""

import re
from pathlib import Path

from setuptools import setup


def for_package_index(readme: str) -> str:
    """The README without relative images and links, which lead nowhere outside the repository."""
    without_images = re.sub(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n*", "", readme)
    return re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", without_images)


readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
setup(long_description=for_package_index(readme), long_description_content_type="text/markdown")
