"""Columns, tables and sparse matrices of packages that need not be installed, as NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.extras import require
from d2pyg._base.floats import float_kind
from d2pyg._base.memory import free_bytes
from d2pyg._base.no_values import NoValues

Array = np.ndarray[Any, Any]

_PACKAGES = ("datasets", "pandas", "polars", "pyarrow", "scipy")
_PLAIN = (Tensor, np.ndarray, list, tuple, str, bytes, int, float, type(None))
_WITHOUT = {  # how a table of each package goes on without some of its columns
    "datasets": "remove_columns({})",
    "pandas": "drop(columns={})",
    "polars": "drop({})",
    "pyarrow": "drop_columns({})",
}


def package_of(values: Any) -> str:
    """The package of an object's class, or of a class that it extends, if it is one of those here."""
    packages = (base.__module__.partition(".")[0] for base in type(values).__mro__)
    return next((package for package in packages if package in _PACKAGES), "")


def as_plain(name: str, values: Any) -> Any:
    """A column as an array [N], or [N, d] of vectors; a table of numbers, or a sparse matrix, as [N, d].

    What is of no such kind comes back as it is. Nothing is copied where the package can share memory.
    """
    if isinstance(values, _PLAIN):
        return values
    if isinstance(values, NoValues):
        raise TypeError(
            f"Expected {name!r} to be values of all samples (got {values!r}). {values._instead(name)}"
        )
    convert = _CONVERTERS.get(package_of(values))
    if convert is not None:
        return convert(name, values)
    if hasattr(values, "__array__"):
        return values
    if hasattr(values, "__arrow_c_stream__"):
        return _of_arrow(name, require("pyarrow", "pyarrow").chunked_array(values))
    if hasattr(values, "__arrow_c_array__"):
        return _of_arrow(name, require("pyarrow", "pyarrow").array(values))
    return values


def refuse_missing(name: str, count: int, first: int, example: str) -> NoReturn:
    """The error about missing values."""
    raise TypeError(
        f"Expected {name!r} to have no missing values (got {count} such as {example:.40}, the first at "
        f"row {first}). Fill them in, or leave out these samples."
    )


def _check_present(name: str, missing: Array, example: str = "null") -> None:
    if missing.any():
        refuse_missing(name, int(missing.sum()), int(missing.argmax()), example)


def _of_pandas(name: str, values: Any) -> Any:
    if hasattr(values, "dtypes") and hasattr(values, "iloc") and values.ndim == 2:
        kinds = list(zip(values.columns, values.dtypes, strict=True))
        vectors = [label for i, (label, _) in enumerate(kinds) if _holds_vectors(values.iloc[:, i])]
        _check_numbers(name, "pandas", kinds, lambda kind: kind.kind in "iufb", vectors)
        if all(isinstance(kind, np.dtype) for _, kind in kinds):
            # whose own choice for truth values beside numbers is objects
            return values.to_numpy(dtype=np.result_type(np.bool_, *(kind for _, kind in kinds)))
        return _side_by_side(as_plain(name, values.iloc[:, i]) for i in range(len(kinds)))
    kind = getattr(values, "dtype", None)
    if kind is None:
        return values
    if not isinstance(kind, np.dtype):
        _check_present(name, np.asarray(values.isna()), "NA")
    array = np.asarray(values)
    if array.dtype.kind == "O" and kind.kind in "iufb":  # as some versions have it for nullable numbers
        array = array.astype(kind.numpy_dtype)
    return array


def _holds_vectors(column: Any) -> bool:
    return len(column) > 0 and not isinstance(column.iloc[0], str) and np.ndim(column.iloc[0]) == 1


def _of_polars(name: str, values: Any) -> Any:
    if hasattr(values, "collect"):
        raise TypeError(
            f"Expected {name!r} to be there in full (got {type(values).__name__}). "
            f"Pass {name}.collect()."
        )
    if hasattr(values, "columns"):
        vectors = [label for label, kind in values.schema.items() if hasattr(kind, "inner")]
        flag = require("polars", "polars").Boolean
        _check_numbers(
            name,
            "polars",
            values.schema.items(),
            lambda kind: kind.is_numeric() or kind == flag,
            vectors,
        )
        return _side_by_side(column.to_numpy() for column in values)
    if not hasattr(values, "dtype"):
        return values
    _check_present(name, values.is_null().to_numpy())
    inner = getattr(values.dtype, "inner", None)
    if inner is not None and inner.is_numeric() and not hasattr(values.dtype, "shape"):
        length = values.list.len()
        if length.n_unique() == 1:  # else the error about lengths is made further on
            values = values.list.to_array(length[0])
    return values.to_numpy()


def _of_arrow(name: str, values: Any) -> Any:
    pa = require("pyarrow", "pyarrow")
    if isinstance(values, pa.Scalar):
        return values
    schema = getattr(values, "schema", None)
    if schema is not None:
        is_a = pa.types
        are_numbers = (is_a.is_integer, is_a.is_floating, is_a.is_boolean)
        vectors = [field.name for field in schema if _is_list(field.type)]
        _check_numbers(
            name, "pyarrow", zip(schema.names, schema.types, strict=True),
            lambda kind: any(is_number(kind) for is_number in are_numbers), vectors,
        )  # fmt: skip
        return _side_by_side(_of_arrow(name, column) for column in values.columns)
    if not hasattr(values, "type"):
        return values
    if pa.types.is_struct(values.type):  # a table of another package, by the C interface
        chunks = getattr(values, "chunks", [values])
        table = pa.Table.from_batches(
            map(pa.RecordBatch.from_struct_array, chunks), pa.schema(values.type)
        )
        return _of_arrow(name, table)
    if values.null_count:
        _check_present(name, values.is_null().to_numpy(zero_copy_only=False))
    arrays = [_of_chunk(chunk) for chunk in getattr(values, "chunks", [values]) if len(chunk)]
    if not arrays:
        return np.empty(0)
    if any(array is None for array in arrays) or len({array.shape[1:] for array in arrays}) > 1:
        return values.to_pylist()  # lists of several lengths, for the error that says so
    return np.concatenate(arrays) if len(arrays) != 1 else arrays[0]


def _of_chunk(chunk: Any) -> Any:
    """An Arrow array without nulls; lists of one length become rows, and others None."""
    pa = require("pyarrow", "pyarrow")
    if isinstance(chunk, pa.ExtensionArray):
        return _of_chunk(chunk.storage)
    if pa.types.is_dictionary(chunk.type):
        return _of_chunk(chunk.dictionary_decode())
    if not _is_list(chunk.type):
        return chunk.to_numpy(zero_copy_only=False)
    inner = _of_chunk(chunk.flatten())  # the part that a slice shows
    if inner is None:
        return None
    length = len(inner) // len(chunk)
    if not pa.types.is_fixed_size_list(chunk.type):
        lengths = chunk.value_lengths().to_numpy(zero_copy_only=False)
        if (lengths != length).any():
            return None
    return inner.reshape(len(chunk), length, *inner.shape[1:])


def _is_list(kind: Any) -> bool:
    return hasattr(kind, "value_field") or hasattr(kind, "storage_type")


def _of_datasets(name: str, values: Any) -> Any:
    if hasattr(values, "with_format"):
        names = values.column_names
        if isinstance(names, dict) or not hasattr(values, "select_columns"):  # splits
            return values
        return _of_arrow(name, values.with_format("arrow")[:])
    source, column = getattr(values, "source", None), getattr(values, "column_name", None)
    is_custom = getattr(source, "format", {}).get("type") == "custom"
    if source is not None and hasattr(source, "with_format") and not is_custom:
        return _of_arrow(name, source.select_columns(column).with_format("arrow")[:][column])
    return as_plain(name, values[:]) if hasattr(values, "__len__") else values


def _of_scipy(name: str, values: Any) -> Any:
    """Rows in the type of the result, which is the only dense array that is made."""
    if not hasattr(values, "toarray"):
        return values
    values = values.tocsr()
    values = values.astype(float_kind(name, values.data), copy=False)  # before they are dense
    size, free = np.prod(values.shape) * values.dtype.itemsize, free_bytes(torch.device("cpu"))
    if size > free:
        raise ValueError(
            f"Expected {name!r} to fit into memory as dense rows (got shape {values.shape}, which takes "
            f"{size / 1e9:.3g} GB of {free / 1e9:.3g} free). Reduce them first, such as with "
            f"sklearn.decomposition.TruncatedSVD(256).fit_transform({name})."
        )
    return values.toarray(order="C")


def _side_by_side(columns: Iterable[Array]) -> Array:
    arrays = [*columns]
    return np.stack(arrays, axis=1) if arrays else np.empty((0, 0))


def _check_numbers(
    name: str,
    package: str,
    kinds: Iterable[tuple[Any, Any]],
    is_number: Callable[[Any], bool],
    vectors: list[Any],
) -> None:
    """Refuses a table with columns that are no numbers; a column of vectors is what was meant."""
    kinds = list(kinds)
    others = [(label, kind) for label, kind in kinds if not is_number(kind)]
    if not others:
        return
    remedy = _WITHOUT[package].format([label for label, _ in others])
    if vectors:
        remedy = f"Pass {name}[{vectors[0]!r}]."
    elif len(others) == len(kinds) or len(remedy) > 100:
        remedy = "Pass columns of numbers alone."
    else:
        remedy = f"Pass {name}.{remedy}."
    raise TypeError(
        f"Expected {name!r} to be a table of numbers (got {len(others)} of {len(kinds)} columns that "
        f"are not, such as {others[0][0]!r:.40} of {others[0][1]!s:.40}). {remedy}"
    )


_CONVERTERS: dict[str, Callable[[str, Any], Any]] = {
    "datasets": _of_datasets,
    "pandas": _of_pandas,
    "polars": _of_polars,
    "pyarrow": _of_arrow,
    "scipy": _of_scipy,
}
