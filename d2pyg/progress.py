"""Progress bars: off by default, on stderr when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from tqdm import tqdm

if TYPE_CHECKING:
    Progress: TypeAlias = tqdm[Any]
else:
    Progress = tqdm


def progress_bar(total: int, what: str, unit: str, enabled: bool) -> Progress:
    """A bar that counts to ``total``; silent unless enabled."""
    return tqdm(total=total, desc=what, unit=unit, unit_scale=True, disable=not enabled)
