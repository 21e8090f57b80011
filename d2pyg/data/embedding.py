"""embed: what a layer of the user's model makes of every sample."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, SequentialSampler

from d2pyg.checks import as_device, check_choice
from d2pyg.outputs import check_output, replacing
from d2pyg.progress import progress_bar

_SIDES = ("output", "input")


def embed(
    model: nn.Module,
    loader: Any,
    layer: str | nn.Module | None = None,
    *,
    side: str = "output",
    forward: Callable[[nn.Module, Any], Any] | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    autocast: torch.dtype | None = None,
    path: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Tensor | np.ndarray[Any, Any]:
    """Embeddings of a data set: a layer's output for every sample, in data set order.

    The model is run in eval mode without gradients and left as it was: its modes, its device's
    contents, and no hook behind, also where it fails.

    Args:
        model: Any module; it runs where its parameters are, unless ``device`` moves the batches.
        loader: A DataLoader that does not shuffle (PyG's, too), or any iterable of batches.
        layer: A name from ``model.named_modules()``, such as ``"avgpool"``, or the module itself.
            Default: the model's own output.
        side: ``"output"`` of the layer, or its first ``"input"``: with the classifier as the layer,
            the input is the penultimate representation.
        forward: forward(model, batch), for batches that are no tensor, (tensor, ...) pair, dict of
            keyword arguments, or PyG ``Data`` (``model(data)``).
        device: Where batches are moved; default: where the model's first parameter is.
        dtype: Of the result: ``torch.float16`` halves it. What does not fit into it is an error.
        autocast: Run the model in this type, such as ``torch.bfloat16``.
        path: Write a ``.npy`` file that is not held in memory; the length of the data set has to be
            known. It appears when it is complete.
        progress: Show a bar of batches.

    Returns:
        [N, d] on the CPU, trailing dimensions flattened; with ``path``, the memory-mapped array.

    Raises:
        ValueError, TypeError: If an argument breaks its rule, the loader shuffles or drops samples,
            or embeddings are not finite.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 10))
        >>> loader = torch.utils.data.DataLoader(torch.zeros(5, 3), batch_size=2)
        >>> d2pyg.embed(model, loader, layer="0").shape
        torch.Size([5, 2])
    """
    check_choice("side", side, _SIDES)
    target = _layer(model, layer)
    expected = _checked_length(loader)
    if path is not None:
        check_output("path", path, (".npy",))
        if expected is None:
            raise ValueError(
                "Expected 'loader' to have a 'dataset' of known length with 'path' (got neither). Pass "
                "a DataLoader, or leave 'path' out."
            )
    parameter = next(model.parameters(), None)
    home = torch.device("cpu") if parameter is None else parameter.device
    place = home if device is None else as_device(device, home)
    batches = len(loader) if isinstance(loader, Sized) else 0

    def rows() -> Iterator[Tensor]:
        """What each batch gives, [B, d]."""
        caught: list[Any] = []

        def catch(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            caught.append(output if side == "output" else inputs[0])

        handle = target.register_forward_hook(catch)
        run_in = torch.autocast(place.type, autocast) if autocast else nullcontext()
        try:
            with _eval(model), torch.no_grad(), run_in, progress_bar(
                batches, "embeddings", "batches", progress
            ) as bar:  # fmt: skip
                for batch in loader:
                    caught.clear()
                    (forward or _forward)(model, _moved(batch, place))
                    yield _one(caught, layer, dtype)
                    bar.update()
        finally:
            handle.remove()

    if path is None:
        found = list(rows())
        for part in found[1:]:
            _check_width(found[0], part)
        embeddings = torch.cat(found) if found else torch.empty(0, 0, dtype=dtype)
        _check_count(len(embeddings), expected)
        return embeddings
    with replacing(path) as file:
        done, first = 0, None
        for part in rows():
            if first is None:
                first = part[:0]
                kind = np.lib.format.dtype_to_descr(first.numpy().dtype)
                header = {"descr": kind, "fortran_order": False, "shape": (expected, part.shape[1])}
                np.lib.format.write_array_header_1_0(file, header)
            _check_width(first, part)
            file.write(part.contiguous().numpy().tobytes())
            done += len(part)
        _check_count(done, expected)
    mapped: np.ndarray[Any, Any] = np.load(path, mmap_mode="r")
    return mapped


def _layer(model: nn.Module, layer: str | nn.Module | None) -> nn.Module:
    if layer is None:
        return model
    modules: dict[str, nn.Module] = dict(model.named_modules())
    if isinstance(layer, nn.Module) and any(layer is module for module in modules.values()):
        return layer
    if not isinstance(layer, str) or layer not in modules:
        names = [name for name in modules if name]
        raise ValueError(
            f"Expected 'layer' to be a module of the model (got {layer!r}). Its modules: "
            f"{', '.join(names[:30])}{', ...' if len(names) > 30 else ''}."
        )
    return modules[layer]


def _checked_length(loader: Any) -> int | None:
    """The samples that have to come, where it is known; loaders that lose the order are refused."""
    if not isinstance(loader, DataLoader):
        return None
    if loader.sampler is not None and not isinstance(loader.sampler, SequentialSampler):
        raise ValueError(
            f"Expected 'loader' to keep the order of the data set (got a "
            f"{type(loader.sampler).__name__}). Make one with shuffle=False and no sampler."
        )
    if loader.drop_last and len(loader.dataset) % (loader.batch_size or 1):  # type: ignore[arg-type]
        raise ValueError(
            "Expected 'loader' to give every sample (got drop_last=True). Make one without it."
        )
    return len(loader.dataset) if isinstance(loader.dataset, Sized) else None


def _check_count(found: int, expected: int | None) -> None:
    if found == 0 or (expected is not None and found != expected):
        raise ValueError(
            f"Expected an embedding for each of the "
            f"{'' if expected is None else f'{expected} '}samples (got {found}). The layer has to run "
            f"once a batch, with one row a sample; for graphs, choose one after pooling."
        )


@contextmanager
def _eval(model: nn.Module) -> Iterator[None]:
    """Eval mode, and each module's own mode afterwards."""
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode


def _forward(model: nn.Module, batch: Any) -> None:
    if isinstance(batch, dict):
        model(**batch)
    elif isinstance(batch, list | tuple):
        model(batch[0])
    else:
        model(batch)


def _moved(batch: Any, place: torch.device) -> Any:
    if isinstance(batch, dict):
        return {name: _moved(value, place) for name, value in batch.items()}
    if isinstance(batch, list | tuple):
        return [_moved(value, place) for value in batch]
    return batch.to(place) if hasattr(batch, "to") else batch


def _one(caught: list[Any], layer: Any, dtype: torch.dtype) -> Tensor:
    """The batch's rows [B, d], checked."""
    if len(caught) != 1:
        raise ValueError(
            f"Expected the layer {layer!r} to run once a batch (got {len(caught)} times). Choose a "
            f"layer that the forward pass uses once."
        )
    value = caught[0]
    if not isinstance(value, Tensor) or value.dim() < 2:
        found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(
            f"Expected the layer {layer!r} to give a tensor of shape (B, ...) (got {found}). Choose "
            f"a layer that does."
        )
    rows = value.detach().flatten(1).to("cpu", dtype)
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
