"""Would one run have fooled you? What a reader of one run, or of a few, would have concluded."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from math import comb, inf

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.statistics.checks import (
    Interval,
    Numbers,
    at_least,
    differences,
    open_unit,
    same_shape,
)
from bench.statistics.paired import paired_t
from bench.statistics.proportions import Share

#: The thread's numbers, in pp: (least, most) of what it reported for one run of each contrast.
THREAD_CLAIMS = {"ptq - float": (3.0, 3.0), "ptq - qat": (6.0, 6.0), "qat - float": (-4.0, -3.0)}

_LISTED_UP_TO = 50_000  # subsets of seeds


@dataclass(frozen=True)
class SingleRuns:
    """Of n seeds: the first contrast above 0, the second, both; ties are not above."""

    first: Share
    second: Share
    both: Share


def single_runs(first: Numbers, second: Numbers) -> SingleRuns:
    """Shares of single runs in which two contrasts of the same seeds come out above 0.

    first, second: (n_seeds,), such as ptq - float and ptq - qat; intervals by Share.interval.
    """
    x, y = _pair(first, second)
    n = x.size
    return SingleRuns(
        first=Share(int(np.sum(x > 0)), n),
        second=Share(int(np.sum(y > 0)), n),
        both=Share(int(np.sum((x > 0) & (y > 0))), n),
    )


@dataclass(frozen=True)
class MeansOfRuns:
    """The same for the mean of n runs: shares of the subsets of n of the n_seeds seeds.

    exact: all subsets counted (n_subsets of them), else a seeded draw of n_subsets. Subsets
    overlap: there are only n_seeds // n that share no run, and no interval is given.
    """

    n: int
    n_seeds: int
    first: float
    second: float
    both: float
    n_subsets: int
    exact: bool


def means_of_runs(
    first: Numbers,
    second: Numbers,
    n_runs: Sequence[int] = (1, 2, 3, 5, 10),
    *,
    rng: np.random.Generator,
) -> list[MeansOfRuns]:
    """How often the mean of n runs has both contrasts above 0, for each n <= n_seeds.

    Draws n different seeds: all subsets where there are at most 50,000, else 50,000 at random.
    """
    x, y = _pair(first, second)
    rounding = 1e-12 * max(abs(x).max(), abs(y).max())
    results = []
    for n in n_runs:
        if at_least(n, 1, "n_runs") > x.size:
            continue
        subsets, exact = _subsets(x.size, n, rng)
        above_x = x[subsets].sum(axis=1) > n * rounding  # a sum of 0 but for rounding is a tie
        above_y = y[subsets].sum(axis=1) > n * rounding
        results.append(
            MeansOfRuns(
                n=n,
                n_seeds=x.size,
                first=float(above_x.mean()),
                second=float(above_y.mean()),
                both=float((above_x & above_y).mean()),
                n_subsets=len(subsets),
                exact=exact,
            )
        )
    return results


def _subsets(n_seeds: int, n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], bool]:
    count = comb(n_seeds, n)
    if count <= _LISTED_UP_TO:
        listed = np.fromiter(chain.from_iterable(combinations(range(n_seeds), n)), np.int64)
        return listed.reshape(count, n), True
    # Floyd's algorithm, one column at a time: each row n different seeds
    drawn = np.empty((_LISTED_UP_TO, n), dtype=np.int64)
    for column, top in enumerate(range(n_seeds - n, n_seeds)):
        candidate = rng.integers(top + 1, size=_LISTED_UP_TO)
        taken = (drawn[:, :column] == candidate[:, None]).any(axis=1)
        drawn[:, column] = np.where(taken, top, candidate)
    return drawn, False


def predictive_interval(d: Numbers, alpha: float) -> Interval | None:
    """Where one run of a new seed falls, at level 1 - alpha: mean +- t(S-1) sd sqrt(1 + 1/S).

    d: (n_seeds,). For roughly normal differences; None with one seed.
    """
    test = paired_t(d)
    open_unit(alpha, "alpha")
    if test.sd is None:
        return None
    half = 0.0
    if test.sd > 0:
        half = float(-special.stdtrit(test.df, alpha / 2)) * test.sd * (1 + 1 / test.n) ** 0.5
    return Interval(test.mean - half, test.mean + half)


@dataclass(frozen=True)
class Claim:
    """A reported value (a range low..high) against what one run of these seeds would give.

    explained: some value of the range lies in the interval; p: chance of a run at least as far
    from the mean as the nearest value of the range, two-sided.
    """

    low: float
    high: float
    interval: Interval
    p: float

    @property
    def explained(self) -> bool:
        return self.low <= self.interval.high and self.interval.low <= self.high


def claim(d: Numbers, low: float, high: float, alpha: float) -> Claim | None:
    """Does the claim that one run gave low..high (in d's unit) fit these seeds? None with one."""
    if not low <= high:
        raise ValueError(f"low: found {low}, allowed: at most high = {high}")
    interval = predictive_interval(d, alpha)
    if interval is None:
        return None
    test = paired_t(d)
    distance = max(low - test.mean, test.mean - high, 0.0)
    spread = (test.sd or 0.0) * (1 + 1 / test.n) ** 0.5
    t = (0.0 if distance == 0 else inf) if spread == 0 else distance / spread
    p = 0.0 if t == inf else float(2 * special.stdtr(test.df, -t))
    return Claim(low, high, interval, min(p, 1.0))


def _pair(first: Numbers, second: Numbers) -> tuple[np.ndarray, np.ndarray]:
    x, y = differences(first, "first"), differences(second, "second")
    same_shape(x, y, "first and second")
    return x, y
