"""How often something went wrong in a simulation, and the data that several simulate."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

Guarantee = Literal["exact", "at most", "none"]


@dataclass(frozen=True)
class Rate:
    """How often something wrong happened: an error of a test, an interval without the truth.

    guarantee: whether theory makes the nominal rate exact, an upper bound, or neither.
    """

    method: str
    data: str
    wrong: int
    repetitions: int
    nominal: float
    guarantee: Guarantee

    @property
    def rate(self) -> float:
        return self.wrong / self.repetitions

    def agrees(self) -> bool:
        """Is what was found compatible with the guarantee? False alarms of 1 in 10,000."""
        low, high = stats.binom.ppf([0.0001, 0.9999], self.repetitions, self.nominal)
        if self.guarantee == "none":
            return True
        return self.wrong <= high and (self.guarantee == "at most" or self.wrong >= low)


Sampler = Callable[[np.random.Generator, int], np.ndarray]


def _agreeing_arms(rng: np.random.Generator, n: int) -> np.ndarray:
    """A/A: one arm under other seeds; 40 test examples, each right with probability 0.9."""
    a, b = rng.binomial(40, 0.9, (2, n))
    return a - b


#: Differences in whole test examples with a true mean of 0.
POPULATIONS: dict[str, Sampler] = {
    "normal": lambda rng, n: np.rint(100 * rng.normal(size=n)).astype(int),
    "heavy tails (t, 3 df)": lambda rng, n: np.rint(100 * rng.standard_t(3, n)).astype(int),
    "skewed (exponential)": lambda rng, n: np.rint(100 * (rng.exponential(size=n) - 1)).astype(int),
    "discrete (A/A, 40 examples)": _agreeing_arms,
}
SYMMETRIC = {name for name in POPULATIONS if not name.startswith("skewed")}
SEEDS = (5, 10, 30)
