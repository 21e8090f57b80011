"""CoresetSampler: a coreset as the sampler of a data loader."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from d2pyg._base.checks import ArrayLike, as_count, as_flag
from d2pyg.coreset.coreset import Coreset, picks_of


class CoresetSampler(Sampler[int]):
    """Draws the samples of a coreset, in a new order every epoch.

    It works with ``torch.utils.data.DataLoader`` and ``torch_geometric.loader.DataLoader``, and with
    ``NeighborLoader`` without ``input_nodes``. (There, ``input_nodes=coreset.mask`` works too.)

    The order comes from a generator seeded by (``seed``, ``epoch``) and is the same on any machine. Each
    pass over the loader is an epoch and adds one to ``epoch``. ``set_epoch`` is for resuming after an
    interruption, and for trainers that call it.

    Args:
        coreset: A :class:`d2pyg.Coreset`, or indices, such as ``coreset.index[:b]``.
        shuffle: If False, every epoch is in pick order.
        seed: A whole number >= 0.
        num_samples: Samples per epoch; default: each of the coreset once. A larger number repeats the
            coreset, newly shuffled each time, so that all samples come equally often, give or take one.
            With ``len(dataset)``, an epoch has as many steps as an epoch over all data.

    Attributes:
        epoch: The number of the next pass, from 0.

    Raises:
        ValueError, TypeError: If an argument breaks its rule.

    Example:
        >>> sampler = CoresetSampler([7, 2, 5], num_samples=4, seed=1)
        >>> len(sampler), sorted(list(sampler)[:3])
        (4, [2, 5, 7])
        >>> data = torch.arange(10)
        >>> loader = torch.utils.data.DataLoader(data, batch_size=2, sampler=sampler)
        >>> len(loader), sampler.epoch
        (2, 1)
    """

    def __init__(
        self,
        coreset: Coreset | ArrayLike,
        *,
        shuffle: bool = True,
        seed: int = 0,
        num_samples: int | None = None,
    ) -> None:
        self.index = picks_of(coreset, None).numpy().copy()
        if len(self.index) == 0:
            raise ValueError("Expected 'coreset' to hold a sample or more (got none). Keep more.")
        self.shuffle = as_flag("shuffle", shuffle)
        self.seed = as_count("seed", seed, 0, None, "", "The same seed gives the same order.")
        remedy = "For each sample once, leave it out."
        given = len(self.index) if num_samples is None else num_samples
        self.num_samples = as_count("num_samples", given, 1, None, "", remedy)
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        # A generator: loaders may ask for an iterator that they never use, which is no epoch.
        draw = np.random.default_rng([self.seed, self.epoch])
        self.epoch += 1
        left = self.num_samples
        while left > 0:
            order = draw.permutation(self.index) if self.shuffle else self.index
            yield from order[:left].tolist()
            left -= len(order)

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch of the next pass."""
        self.epoch = as_count("epoch", epoch, 0, None, "", "Epochs are numbered from 0.")

    def __repr__(self) -> str:
        return f"CoresetSampler({self.num_samples} of {len(self.index)}, epoch={self.epoch})"
