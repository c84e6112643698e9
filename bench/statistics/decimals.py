"""Decimal numbers as what they are: whole multiples of a power of ten.

A table says 0.9027, and 0.9027 - 0.9002 and 0.9054 - 0.9029 are the same difference; as floating
point numbers they differ in the last bits, and tests that count ties would miss it.
"""

import numpy as np
from numpy.typing import NDArray

from bench.statistics.checks import FloatArray, IntArray

MOST_PLACES = 15
"""Decimal places that are tried, and significant digits up to which a decimal number and the float
nearest to it determine each other (IEEE 754, DBL_DIG)."""

_BOUND = 10.0**MOST_PLACES


def places(values: FloatArray) -> int | None:
    """The fewest decimal places with which all values can be written; None where there are none.

    values: finite float64 (n,). Values too large to have 15 significant digits with that many
    places are passed over, see `multiples_of`; None where no value is left.
    """
    for decimals in range(MOST_PLACES + 1):
        _, exact, small = _scaled(values, decimals)
        if small.any() and bool((exact | ~small).all()):
            return decimals
    return None


def multiples_of(values: FloatArray, decimals: int) -> tuple[IntArray, NDArray[np.bool_]]:
    """Values in steps of 10**-decimals, int64 (n,), and which of them are exactly that, bool (n,).

    values: float64 (n,), which may hold nan. What is not exact is 0.
    """
    whole, exact, small = _scaled(values, decimals)
    known = exact & small
    return np.where(known, whole, 0).astype(np.int64), known


def in_unit(whole: IntArray, step: float) -> FloatArray:
    """whole * step, each the float nearest to the decimal number; step: a power of ten."""
    if step < 1:
        return np.divide(whole, np.rint(1 / step), dtype=np.float64)
    return np.multiply(whole, step, dtype=np.float64)


def _scaled(
    values: FloatArray, decimals: int
) -> tuple[FloatArray, NDArray[np.bool_], NDArray[np.bool_]]:
    """Nearest whole numbers of 10**-decimals, which of them are the value, which are < 10**15."""
    power = 10.0**decimals  # exact up to 10**22, so that the quotient below is rounded once
    with np.errstate(over="ignore", invalid="ignore"):
        whole = np.rint(values * power)
        return whole, whole / power == values, abs(whole) < _BOUND
