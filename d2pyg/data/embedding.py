"""embed: the output of a layer of a model for every sample."""

from __future__ import annotations

import numbers
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from d2pyg._base.checks import FLOATS, as_device, check_choice, shown
from d2pyg._base.outputs import check_output, replacing
from d2pyg._base.progress import progress_bar
from d2pyg.data.layers import SIDES, evaluating, layer_of, listening, only_one
from d2pyg.data.loaders import length_of, num_samples
from d2pyg.data.tokens import POOLS, one_each


def embed(
    model: nn.Module,
    loader: Any,
    layer: str | nn.Module | None = None,
    *,
    side: str = "output",
    pool: str | None = None,
    forward: Callable[[nn.Module, Any], Any] | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    autocast: torch.dtype | None = None,
    path: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Tensor | np.ndarray[Any, Any]:
    """Embeddings of a data set: a layer's output for every sample, in data set order.

    The model runs in eval mode, without gradients. Afterwards, even after an error, its modes and device
    are as before and its hooks are removed. A compiled model runs eagerly, because torch ignores hooks
    on compiled modules.

    Args:
        model: Any module. It runs on the device of its parameters.
        loader: A DataLoader of torch or PyG that does not shuffle, or any iterable of batches. A
            DataLoader that changes the order or leaves out samples is an error. So is an unknown kind of
            sampler; if you know that its order is right, pass ``(batch for batch in loader)``. A worker
            that is forked after torch used several threads hangs if it uses several threads itself. Then
            pass ``multiprocessing_context="spawn"`` or ``"forkserver"`` to the DataLoader.
        layer: A name from ``model.named_modules()``, such as ``"avgpool"``, or the module itself.
            Default: the model's own output.
        side: ``"output"`` of the layer, or its first ``"input"``. The input of the classifier is the
            penultimate representation.
        pool: For a layer that returns one vector per token, [B, T, d]: their ``"mean"``, the first
            (``"cls"``), the ``"last"``, or all of them side by side (``"flatten"``). The first three
            skip masked tokens, if the batch has a key or attribute ``attention_mask`` [B, T].
        forward: forward(model, batch), for batches other than a tensor, a (tensor, ...) pair, a dict of
            keyword arguments, or PyG ``Data`` (``model(data)``).
        device: Device that batches are moved to; default: that of the model's first parameter.
        dtype: Floating type of the result; ``torch.float16`` halves its size. Values that do not fit
            are an error.
        autocast: Run the model in this type, ``torch.bfloat16`` or ``torch.float16``.
        path: Write a ``.npy`` file instead of holding the result in memory. The length of the data set
            must be known. The file appears when it is complete.
        progress: Show a progress bar over batches.

    Returns:
        [N, d] on the CPU; trailing dimensions, as of images, are flattened. With ``path``, the
        memory-mapped array.

    Raises:
        ValueError, TypeError: If an argument breaks its rule, the loader mixes or drops samples, or
            embeddings are not finite.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 10))
        >>> loader = torch.utils.data.DataLoader(torch.zeros(5, 3), batch_size=2)
        >>> d2pyg.embed(model, loader, layer="0").shape
        torch.Size([5, 2])

        A mean over tokens:

        >>> batch = {"input": torch.tensor([[[2.0], [4.0], [9.0]]])}
        >>> d2pyg.embed(torch.nn.Identity(), [batch], pool="mean")
        tensor([[5.]])
    """
    _check_settings(model, side, pool, forward, dtype, autocast)
    target = layer_of(model, layer)
    expected = num_samples(loader)
    if path is not None:
        check_output("path", path, (".npy",))
        if expected is None:
            raise ValueError(
                "Expected 'loader' to have a 'dataset' of known length with 'path' (got neither). Pass "
                "a DataLoader, or leave 'path' out."
            )
        if dtype == torch.bfloat16:
            raise ValueError(
                "Expected 'dtype' to be one that a .npy file holds with 'path' (got torch.bfloat16). "
                "Pass torch.float16 or torch.float32."
            )
    first = next(chain(model.parameters(), model.buffers()), None)
    home = torch.device("cpu") if first is None else first.device
    place = home if device is None else as_device(device, home)

    def rows() -> Iterator[Tensor]:
        """The embeddings of each batch, [B, d]."""
        run_in = nullcontext() if autocast is None else torch.autocast(place.type, autocast)
        with evaluating(model), listening(target, side) as caught, run_in, progress_bar(
            length_of(loader) or 0, "embeddings", "batches", progress
        ) as bar:  # fmt: skip
            for batch in loader:
                caught.clear()
                batch = _moved(batch, place)
                (forward or _forward)(model, batch)
                yield _finished(one_each(only_one(caught, layer), batch, pool), dtype)
                bar.update()

    if path is None:
        found = list(rows())
        for part in found[1:]:
            _check_width(found[0], part)
        embeddings = torch.cat(found) if found else torch.empty(0, 0, dtype=dtype)
        _check_count(len(embeddings), expected)
        return embeddings
    with replacing(path) as file:
        done, start = 0, None
        for part in rows():
            if start is None:
                start = part[:0]
                kind = np.lib.format.dtype_to_descr(start.numpy().dtype)
                header = {"descr": kind, "fortran_order": False, "shape": (expected, part.shape[1])}
                np.lib.format.write_array_header_1_0(file, header)
            _check_width(start, part)
            file.write(part.contiguous().numpy().tobytes())
            done += len(part)
        _check_count(done, expected)
    mapped: np.ndarray[Any, Any] = np.load(path, mmap_mode="r")
    return mapped


def _check_settings(model: Any, side: Any, pool: Any, forward: Any, dtype: Any, autocast: Any) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"Expected 'model' to be a torch.nn.Module (got {type(model).__name__}). Wrap a function in "
            f"one."
        )
    check_choice("side", side, SIDES)
    if pool is not None:
        check_choice("pool", pool, POOLS)
    if forward is not None and not callable(forward):
        raise TypeError(
            f"Expected 'forward' to be a function of model and batch (got {type(forward).__name__}). "
            f"Leave it out for model(batch)."
        )
    if not isinstance(dtype, torch.dtype) or dtype not in FLOATS:
        raise TypeError(
            f"Expected 'dtype' to be a floating torch.dtype of 16, 32 or 64 bits, as others truncate "
            f"(got {shown(dtype)}). Pass torch.float32."
        )
    halves = isinstance(autocast, torch.dtype) and autocast in (torch.bfloat16, torch.float16)
    if autocast is not None and not halves:
        raise TypeError(
            f"Expected 'autocast' to be torch.bfloat16, torch.float16 or None (got {shown(autocast)}). "
            f"Without it the model runs in its own type."
        )


def _check_count(found: int, expected: int | None) -> None:
    if found == 0 or (expected is not None and found != expected):
        raise ValueError(
            f"Expected an embedding for each of the "
            f"{'' if expected is None else f'{expected} '}samples (got {found}). The layer has to run "
            f"once per batch and return one row per sample; for graphs, choose one after pooling."
        )


def _forward(model: nn.Module, batch: Any) -> None:
    if isinstance(batch, Mapping):
        model(**batch)
        return
    pair = isinstance(batch, list | tuple) and not hasattr(batch, "to")
    inputs = next(iter(batch), None) if pair else batch
    if inputs is None or isinstance(inputs, str | bytes | numbers.Number):
        raise TypeError(
            f"Expected batches of tensors, (tensor, ...) pairs, dicts or graphs (got {shown(batch)}). "
            f"Pass 'forward', such as lambda model, batch: model(batch)."
        )
    model(inputs)


def _moved(batch: Any, place: torch.device) -> Any:
    if hasattr(batch, "to"):
        return batch.to(place)
    if isinstance(batch, Mapping):
        return {name: _moved(value, place) for name, value in batch.items()}
    if isinstance(batch, list | tuple):
        values = [_moved(value, place) for value in batch]
        return type(batch)(*values) if hasattr(batch, "_fields") else values  # a named tuple
    return batch


def _finished(value: Tensor, dtype: torch.dtype) -> Tensor:
    """Rows [B, d] on the CPU."""
    rows = value.flatten(1).to("cpu", dtype)
    if not bool(rows.isfinite().all()):
        raise ValueError(
            f"Expected embeddings to be finite in {dtype} (got NaN or infinity). Pass "
            f"dtype=torch.float32, or look for divergence in the model."
        )
    return rows


def _check_width(first: Tensor, part: Tensor) -> None:
    if first.shape[1] != part.shape[1]:
        raise ValueError(
            f"Expected every batch to give rows of one width (got {first.shape[1]} and "
            f"{part.shape[1]}). Choose a layer whose output does not depend on the batch."
        )
