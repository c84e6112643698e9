"""Several settings: in at least how many does something hold?

The number of rejections of Holm's procedure is a lower bound of the number of settings in which the
alternative is true, wrong at most `alpha` of the time however the settings depend on each other
(they share seeds and a data set). A direction has its own one-sided tests at alpha / 2: counting
two-sided rejections would let one setting of the opposite sign pass as one that holds.
Sources: Benjamini & Heller (2008), Screening for partial conjunction hypotheses; Wang & Owen
(2019), Admissibility in partial conjunction testing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.statistics.checks import open_unit, positive
from bench.statistics.equivalence import Estimate, p_above, p_below, tost_of
from bench.statistics.families import adjusted


@dataclass(frozen=True)
class Holds:
    """Something holds in at least u of m settings.

    p_of: for each k = 1 ... m the p-value of "it holds in fewer than k", never falling with k.
    """

    u: int
    m: int
    p_of: tuple[float, ...]

    @property
    def p_partial(self) -> float | None:
        """The p-value of the claim, "in at least u"; None where u = 0: nothing is claimed."""
        return self.p_of[self.u - 1] if self.u else None


@dataclass(frozen=True)
class Directions:
    """Positive in at least positive.u settings, negative in at least negative.u."""

    positive: Holds
    negative: Holds

    @property
    def both(self) -> bool:
        """Are there settings in both directions? Then a sentence must lead with that."""
        return self.positive.u > 0 and self.negative.u > 0


def holds(p: Sequence[float | None], alpha: float, directions: int = 1) -> Holds:
    """Holm's rejections at alpha / directions among m settings, with partial-conjunction p-values.

    p: one-sided (or TOST's) p-values, one per setting; None (a setting with one seed) counts as 1,
    and so in m. p_of: Holm's adjusted k-th smallest p times `directions`, at most 1; it is
    at most alpha exactly where k <= u. ValueError if there is no setting or a p is none.
    """
    open_unit(alpha, "alpha")
    if len(p) == 0:
        raise ValueError("p: need at least one setting, found none")
    holm = [1.0 if value is None else value for value in adjusted(p, "holm")]
    ordered = np.minimum(directions * np.sort(np.array(holm)), 1.0)
    return Holds(int((ordered <= alpha).sum()), len(p), tuple(ordered.tolist()))


def directions(tests: Sequence[Estimate], alpha: float) -> Directions:
    """In how many settings is the mean above 0, in how many below? Each at alpha / 2.

    tests: one estimate per setting, of either population, in one unit.
    """
    return _two_sided(tests, 0.0, alpha)


def beyond(tests: Sequence[Estimate], delta: float, alpha: float) -> Directions:
    """In how many settings is the mean above delta, in how many below -delta? Each at alpha / 2.

    delta: the smallest difference that matters, > 0, in the estimates' unit.
    """
    return _two_sided(tests, positive(delta, "delta"), alpha)


def equivalent(tests: Sequence[Estimate], delta: float, alpha: float) -> Holds:
    """In how many settings does the mean lie within (-delta, delta)? TOST's p, Holm at alpha."""
    two_one_sided = [tost_of(test, delta) for test in tests]
    return holds([None if test is None else test.p for test in two_one_sided], alpha)


def _two_sided(tests: Sequence[Estimate], bound: float, alpha: float) -> Directions:
    return Directions(
        positive=holds([p_above(test, bound) for test in tests], alpha, directions=2),
        negative=holds([p_below(test, -bound) for test in tests], alpha, directions=2),
    )
