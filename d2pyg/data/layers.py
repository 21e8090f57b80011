"""A layer of a model: finds it by name, catches its output, and runs the model in eval mode."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import torch
from torch import Tensor, nn

from d2pyg._base.checks import shown

SIDES = ("output", "input")

_COMPILED = "_orig_mod"  # where torch.compile keeps the module that it wraps


def layer_of(model: nn.Module, layer: str | nn.Module | None) -> nn.Module:
    """The uncompiled module of that name. The name may omit what torch.compile adds."""
    modules: dict[str, nn.Module] = {
        _plain(name): module for name, module in model.named_modules(remove_duplicate=False)
    }
    if layer is None:
        return modules[""]
    if isinstance(layer, nn.Module):
        module = getattr(layer, _COMPILED, layer)
        found = module if any(module is one for one in modules.values()) else None
    else:
        found = modules.get(_plain(layer)) if isinstance(layer, str) else None
    if found is None:
        names = [name for name in modules if name]
        raise ValueError(
            f"Expected 'layer' to be a module of the model (got {shown(layer)}). Its modules: "
            f"{', '.join(names[:10])}{', ...' if len(names) > 10 else ''}."
        )
    return found


@contextmanager
def listening(module: nn.Module, side: str) -> Iterator[list[Any]]:
    """Catches the output or input of a module. Copies it, as later layers may change it in place."""
    if isinstance(module, torch.jit.ScriptModule):
        raise TypeError(
            f"Expected a layer that can be listened to (got {type(module).__name__}, which takes no "
            f"hooks). Pass the model as it was before torch.jit, or a torch.nn.Module that calls it."
        )
    caught: list[Any] = []

    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        caught.append(_kept(next(iter((*args, *kwargs.values())), None)))

    def after(_: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        caught.append(_kept(output))

    if side == "input":
        handle = module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        handle = module.register_forward_hook(after)
    try:
        yield caught
    finally:
        handle.remove()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode without gradients. Afterwards each module has its own mode again.

    Compiled modules run eagerly, because torch ignores hooks that are added after compilation.
    """
    training = {module: module.training for module in model.modules()}
    compiler = "torch._dynamo" in sys.modules  # it takes seconds to import, and who compiles has it
    model.eval()
    try:
        with torch.no_grad(), torch.compiler.set_stance("force_eager") if compiler else nullcontext():
            yield
    finally:
        for module, mode in training.items():
            module.training = mode


def only_one(caught: list[Any], layer: Any) -> Tensor:
    """The one tensor that the layer gave for a batch."""
    if len(caught) != 1:
        raise ValueError(
            f"Expected the layer {shown(layer)} to run once per batch (got {len(caught)} times). Choose "
            f"a layer that the forward pass uses once."
        )
    value = caught[0]
    if isinstance(value, Mapping):
        raise TypeError(
            f"Expected the layer {shown(layer)} to give a tensor, or a mapping with 'last_hidden_state' "
            f"(got one with {', '.join(map(str, value)) or 'nothing'}). Name a layer with 'layer'."
        )
    dense = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_nested
    if not dense or value.dim() < 2 or value.is_complex():
        found = type(value).__name__
        if isinstance(value, Tensor):
            found = str(tuple(value.shape)) if dense and not value.is_complex() else str(value.dtype)
        raise TypeError(
            f"Expected the layer {shown(layer)} to give a tensor of shape (B, ...) (got {found}). "
            f"Choose a layer that does."
        )
    return cast(Tensor, value)


def _plain(name: str) -> str:
    return ".".join(part for part in name.split(".") if part != _COMPILED)


def _kept(value: Any) -> Any:
    """The vectors of the tokens in an output of Hugging Face, or a copy of a tensor."""
    if isinstance(value, Mapping):
        value = value.get("last_hidden_state", value)
    return value.detach().clone() if isinstance(value, Tensor) else value
