"""Shares of seeds: exact binomial intervals and the win rate."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from bench.statistics.checks import Interval, Numbers, at_least, differences, open_unit


def clopper_pearson(successes: int, n: int, alpha: float) -> Interval:
    """Exact two-sided interval for a probability, at level 1 - alpha.

    Source: Clopper & Pearson (1934). ValueError unless 0 <= successes <= n and n >= 1.
    """
    at_least(n, 1, "n")
    open_unit(alpha, "alpha")
    if not 0 <= successes <= n:
        raise ValueError(f"successes: found {successes}, allowed: 0 to n = {n}")
    k = successes
    low = 0.0 if k == 0 else float(special.betaincinv(k, n - k + 1, alpha / 2))
    high = 1.0 if k == n else float(special.betainccinv(k + 1, n - k, alpha / 2))
    return Interval(low, high)


@dataclass(frozen=True)
class Share:
    """In `count` of n seeds something held."""

    count: int
    n: int

    @property
    def share(self) -> float:
        return self.count / self.n

    def interval(self, alpha: float) -> Interval:
        """Clopper-Pearson interval for the probability in a new seed."""
        return clopper_pearson(self.count, self.n, alpha)


@dataclass(frozen=True)
class WinRate:
    """Seeds in which arm A was better (wins), worse (losses), equal (ties)."""

    wins: int
    losses: int
    ties: int

    @property
    def n(self) -> int:
        return self.wins + self.losses + self.ties

    @property
    def rate(self) -> float:
        """P(A > B) + P(A = B) / 2, estimated."""
        return (self.wins + self.ties / 2) / self.n

    def interval(self, alpha: float) -> Interval | None:
        """Clopper-Pearson interval for P(A > B); None where there are ties: the rate is then
        no binomial share."""
        return None if self.ties else clopper_pearson(self.wins, self.n, alpha)


def win_rate(d: Numbers) -> WinRate:
    """d: (n_seeds,), arm A minus arm B, where more is better."""
    values = differences(d)
    wins, losses = int(np.sum(values > 0)), int(np.sum(values < 0))
    return WinRate(wins, losses, values.size - wins - losses)
