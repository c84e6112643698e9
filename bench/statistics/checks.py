"""Input checks and the small types that every statistic shares."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Numbers = NDArray[np.floating[Any]] | NDArray[np.integer[Any]]


class Interval(NamedTuple):
    """A closed interval, in the unit of the data; an end may be infinite, never nan."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def within(self, margin: float) -> bool:
        """Does the whole interval lie strictly inside (-margin, margin)?"""
        return -margin < self.low and self.high < margin

    def beyond(self, margin: float) -> bool:
        """Does the whole interval lie above margin, or the whole below -margin?"""
        return self.low > margin or self.high < -margin


def differences(d: Numbers, name: str = "d") -> FloatArray:
    """`d` as float64 (n_seeds,); ValueError unless 1-D, not empty and finite."""
    values = np.asarray(d, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"{name}: need one value per seed, found shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: need finite values, found {values[~np.isfinite(values)][0]}")
    return values


def same_shape(a: NDArray[Any], b: NDArray[Any], names: str) -> None:
    if np.shape(a) != np.shape(b):
        raise ValueError(f"{names}: need equal shapes, found {np.shape(a)} and {np.shape(b)}")


def open_unit(value: float, name: str) -> float:
    """`value`; ValueError unless 0 < value < 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name}: found {value}, allowed: between 0 and 1, both excluded")
    return value


def positive(value: float, name: str) -> float:
    """`value`; ValueError unless finite and > 0."""
    if not 0 < value < np.inf:
        raise ValueError(f"{name}: found {value}, allowed: finite and greater than 0")
    return value


def at_least(value: int, least: int, name: str) -> int:
    """`value`; ValueError unless value >= least."""
    if not value >= least:
        raise ValueError(f"{name}: found {value}, allowed: at least {least}")
    return value
