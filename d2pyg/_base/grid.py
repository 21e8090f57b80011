"""Order-free arithmetic: numbers on a power-of-two grid add exactly, in any order.

Float addition depends on its order, and a scatter on a GPU has none. Multiples of one power of two
add without rounding as long as every partial sum stays below ``2**53`` multiples. So each message is
rounded to the grid once. After that, no device, thread count or edge order changes a bit.

The greedy engines share one grid, ``2**-30`` of the largest absolute score (rounded up to a power
of two): scores closer than about 1e-9 of the largest count as tied, and sums stay exact up to
``2**22`` neighbors.
"""

from __future__ import annotations

import math

from torch import Tensor

GREEDY_BITS = 30
_SMALLEST_EXPONENT = -1022  # below it float64 loses precision


def grid_step(largest: float, bits: int) -> float:
    """The spacing ``2**(e - bits)``, with ``2**e`` the least power of two above ``largest``.

    Example:
        >>> grid_step(5.0, bits=30) == 8.0 * 2**-30
        True
    """
    exponent = math.frexp(largest)[1]
    return math.ldexp(1.0, max(exponent - bits, _SMALLEST_EXPONENT))


def snap(values: Tensor, step: float | Tensor) -> Tensor:
    """Rounds to multiples of ``step``, halves to the even multiple, alike on every device.

    Example:
        >>> snap(torch.tensor([0.3, 0.75, 1.25]), 0.5)
        tensor([0.5000, 1.0000, 1.0000])
    """
    return (values / step).round_().mul_(step)


def largest_magnitude(values: Tensor) -> float:
    """``max |values|``, 0 for an empty tensor."""
    return max(abs(float(extreme)) for extreme in values.aminmax()) if values.numel() else 0.0


def power_of_two(largest: float) -> float:
    """The largest power of two up to ``largest``, 1 for 0: in units of it, sums and squares are finite.

    Example:
        >>> power_of_two(5.0), power_of_two(1e308) == 2.0**1023
        (4.0, True)
    """
    return math.ldexp(1.0, math.frexp(largest)[1] - 1) if largest else 1.0
