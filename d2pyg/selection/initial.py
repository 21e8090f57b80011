"""What was chosen before a selection: indices in order, a mask, or a coreset."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_index, as_tensor, check_length
from d2pyg.coreset.coreset import Coreset


def as_initial(initial: ArrayLike | Coreset | None, num_samples: int) -> Tensor:
    """The samples that are taken first, int64 [I], in the order in which they are taken.

    Args:
        initial: Distinct indices, which keep their order; a mask, bool [N], whose samples go by index;
            a coreset of N samples, for its own initial samples and then its picks; or None.
        num_samples: N.

    Example:
        >>> as_initial([4, 0], 5), as_initial([True, False, False, False, True], 5)
        (tensor([4, 0]), tensor([0, 4]))
        >>> as_initial(d2pyg.select(torch.eye(3), [1, 2, 9], budget=1, initial=[1]), 3)
        tensor([1, 2])
    """
    if initial is None:
        return torch.empty(0, dtype=torch.int64)
    if isinstance(initial, Coreset):
        if len(initial.scores) != num_samples:
            raise ValueError(
                f"Expected 'initial' to be a coreset of these {num_samples} samples (got one of "
                f"{len(initial.scores)}). Pass one that was selected from the same data set."
            )
        before = as_index("initial", initial.settings.get("initial") or [], num_samples)
        initial = torch.cat([before.cpu(), initial.index.cpu()])
    index = as_tensor("initial", initial)
    if index.dtype is torch.bool:
        check_length("initial", index, num_samples)
        index = index.nonzero().flatten()
    return as_index("initial", index, num_samples).clone()  # the caller's may change later
