"""Is a difference too small to matter? Two one-sided t-tests."""

from dataclasses import dataclass
from typing import Protocol

from scipy import special

from bench.statistics.checks import positive


class Estimate(Protocol):
    """A mean with its standard error: PairedT, Crossed and their like."""

    @property
    def mean(self) -> float: ...
    @property
    def se(self) -> float | None: ...
    @property
    def df(self) -> float | None: ...


@dataclass(frozen=True)
class Tost:
    """p_lower: against a mean at or below -delta; p_upper: against one at or above delta."""

    p_lower: float
    p_upper: float

    @property
    def p(self) -> float:
        """The larger of the two: equivalent within delta where p <= alpha."""
        return max(self.p_lower, self.p_upper)


def tost_of(test: Estimate, delta: float) -> Tost | None:
    """Equivalence of the mean within delta > 0, in the estimate's unit.

    None where the estimate has no standard error; with se = 0 each p is 0 or 1. Source: Schuirmann
    (1987), A comparison of the two one-sided tests procedure and the power approach.
    """
    positive(delta, "delta")
    if test.se is None or test.df is None:
        return None
    return Tost(
        p_lower=_upper_tail(test.mean + delta, test.se, test.df),
        p_upper=_upper_tail(delta - test.mean, test.se, test.df),
    )


def p_above(test: Estimate, bound: float = 0.0) -> float | None:
    """One-sided p of the t-test of a mean at or below `bound`, in the estimate's unit.

    None where the estimate has no standard error. With se = 0 it is 0 where the mean lies
    strictly above the bound and 1 elsewhere.
    """
    if test.se is None or test.df is None:
        return None
    return _upper_tail(test.mean - bound, test.se, test.df)


def p_below(test: Estimate, bound: float = 0.0) -> float | None:
    """One-sided p of a mean at or above `bound`; else as p_above."""
    if test.se is None or test.df is None:
        return None
    return _upper_tail(bound - test.mean, test.se, test.df)


def _upper_tail(distance: float, se: float, df: float) -> float:
    if se == 0:
        return 0.0 if distance > 0 else 1.0
    return float(special.stdtr(df, -distance / se))
