"""Covariances: estimated or a user's, what may be wrong with one, and the root that whitens."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_tensor
from d2pyg.graph.lengths import in_range

_READ_TOGETHER = 1 << 20  # float64 elements, 8 MiB
_ASYMMETRY = 1e-4  # of a correlation: more than float32 rounds off in sums over many samples
_DEPENDENT = 1e-10  # of a variance: where other coordinates leave less of it open, that is rounding
_ADVISED = 0.1  # shrinkage
_NUMPY = "Pass numpy.cov(embeddings, rowvar=False)"


def mean(embeddings: Tensor, device: torch.device) -> Tensor:
    """The mean sample, float64 [d]; where a coordinate is constant, exactly its value."""
    first = embeddings[0].to(device).double()
    total = torch.zeros_like(first)
    for block in _differences(embeddings, first):
        total += block.sum(dim=0)
    return first + total / len(embeddings)


def estimate(embeddings: Tensor, center: Tensor) -> Tensor:
    """The covariance [d, d], with N - 1 in the denominator."""
    scatter = torch.zeros(len(center), len(center), dtype=torch.float64, device=center.device)
    extent = torch.zeros_like(center)
    for block in _differences(embeddings, center):
        scatter += block.T @ block
        extent = extent.maximum(block.abs().amax(dim=0))
    wrong = (~in_range(extent)).nonzero().flatten().tolist()
    if wrong:
        raise ValueError(
            f"Expected each coordinate of 'embeddings' to be constant or to differ by 1e-150 to 1e150 "
            f"(got {float(extent[wrong[0]]):g} at coordinate {wrong[0]}). Multiply it by a constant."
        )
    # The product of a transpose and its matrix is symmetric up to rounding alone.
    return (scatter + scatter.T).div_(2 * max(1, len(embeddings) - 1))


def _differences(embeddings: Tensor, origin: Tensor) -> Iterator[Tensor]:
    """The samples less a point, float64, in blocks that depend on the shape of the embeddings alone."""
    step = max(1, _READ_TOGETHER // embeddings.shape[1])
    for start in range(0, len(embeddings), step):
        yield embeddings[start : start + step].to(origin.device).double() - origin


def as_covariance(values: ArrayLike, shrinkage: float) -> tuple[Tensor, float]:
    """A user's covariance as float64 [d, d], and the unit roundoff of the dtype that it came in."""
    given = as_tensor("covariance", values)
    if given.is_complex():
        raise TypeError(f"Expected 'covariance' to hold real numbers (got {given.dtype}). {_NUMPY}.")
    if given.dim() != 2 or given.shape[0] != given.shape[1] or not len(given):
        raise ValueError(
            f"Expected 'covariance' to be a matrix [d, d] (got shape {tuple(given.shape)}). {_NUMPY}."
        )
    rounding = torch.finfo(given.dtype).eps if given.is_floating_point() else 0.0
    covariance = given.double()
    _refuse(covariance, "finite", ~covariance.isfinite(), "Estimate it from finite embeddings")
    _refuse(covariance, "at least 0 on its diagonal", (covariance.diagonal() < 0).diag(), _NUMPY)
    unit = _shrunk(covariance, shrinkage).diagonal().sqrt()
    allowed = max(_ASYMMETRY, 2 * rounding) * torch.outer(unit, unit)
    remedy = f"{_NUMPY}, or (covariance + covariance.T) / 2"
    _refuse(covariance, "symmetric", (covariance - covariance.T).abs() - allowed, remedy)
    return covariance, rounding


def _refuse(covariance: Tensor, rule: str, wrong: Tensor, remedy: str) -> None:
    """Raises for the entry where ``wrong`` [d, d] is largest, if that is above 0."""
    row, column = divmod(int(wrong.double().argmax()), len(wrong))
    if wrong[row, column] > 0:
        got = f"{float(covariance[row, column]):g} at [{row}, {column}]"
        if row != column:
            got += f" and {float(covariance[column, row]):g} at [{column}, {row}]"
        raise ValueError(f"Expected 'covariance' to be {rule} (got {got}). {remedy}.")


def inverse_root(
    covariance: Tensor, shrinkage: float, rounding: float = 0.0, samples: int | None = None
) -> Tensor:
    """The inverse of L, float64 [d, d], where L L^T is the shrunk covariance.

    Args:
        covariance: float64 [d, d], symmetric up to rounding.
        shrinkage: 0 to 1.
        rounding: Unit roundoff of the arithmetic that the covariance came from.
        samples: How many it was estimated from; None where a user passed it.
    """
    root, open_share = _inverse_root(covariance, shrinkage)
    least = max(_DEPENDENT, 4 * rounding)
    dependent = (open_share < least).nonzero().flatten().tolist()
    if not dependent:
        return root
    dim = len(covariance)
    constant = (covariance.diagonal() == 0).nonzero().flatten().tolist()
    if constant:
        some = ", ".join(str(i) for i in constant[:5]) + (", ..." if len(constant) > 5 else "")
        got = f"{len(constant)} of {dim} coordinates that are constant: {some}"
    elif samples is not None and samples <= dim:
        got = f"{samples} samples of {dim} coordinates"
    else:
        got = f"coordinate {dependent[0]}, which depends on those before it"
    if float(_inverse_root(covariance, _ADVISED)[1].min()) < least:
        remedy = "Use metric='euclidean'" if len(constant) == dim else _NUMPY
    elif samples is None:
        remedy = f"Pass shrinkage={_ADVISED}, or leave such coordinates out"
    else:
        remedy = f"Pass metric=d2pyg.graph.MahalanobisMetric(shrinkage={_ADVISED}), or leave some out"
    what = "'covariance'" if samples is None else "the covariance of 'embeddings'"
    raise ValueError(f"Expected {what} to be positive definite (got {got}). {remedy}.")


def _shrunk(covariance: Tensor, shrinkage: float) -> Tensor:
    variance = (covariance.diagonal() / len(covariance)).sum()  # their mean, which does not overflow
    shrunk = (1 - shrinkage) * covariance
    shrunk.diagonal().add_(shrinkage * variance)
    return shrunk


def _inverse_root(covariance: Tensor, shrinkage: float) -> tuple[Tensor, Tensor]:
    """The inverse of L, and the share of each variance that the coordinates before leave open [d]."""
    shrunk = _shrunk(covariance, shrinkage)
    variance = shrunk.diagonal().clone()
    unit = variance.sqrt().where(variance > 0, 1.0)
    correlation = shrunk.div_(unit.unsqueeze(1)).div_(unit)
    correlation = (correlation + correlation.T).div_(2)
    del shrunk  # as many such matrices as there have to be, no more
    factor, failed = torch.linalg.cholesky_ex(correlation)
    del correlation
    open_share = factor.diagonal().square().nan_to_num(0.0)
    if int(failed):
        open_share[int(failed) - 1 :] = 0
    eye = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    return torch.linalg.solve_triangular(factor, eye, upper=False).div_(unit), open_share
