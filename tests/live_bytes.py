"""How much memory the tensors of a call take at their peak, counted and not measured."""

import weakref
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """``peak``: the most that was held at a time of what this thread has made since."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._held: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {_place(leaf) for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, Tensor)}
        result = func(*args, **(kwargs or {}))
        for made in tree_leaves(result):
            if isinstance(made, Tensor) and _place(made) not in given | self._held.keys():
                storage = made.untyped_storage()
                self._held[_place(made)] = storage.nbytes()
                self._now += storage.nbytes()
                weakref.finalize(storage, self._free, _place(made))
        self.peak = max(self.peak, self._now)
        return result

    def _free(self, place: int) -> None:
        self._now -= self._held.pop(place)


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
