"""A claim without its data: accuracies of single runs, and how many test examples there were.

Two questions, kept apart. About those files: what can the exact McNemar test have said, over all
counts that round to what was written and all overlaps of the two files' errors? About the recipes:
how often would a rerun turn the sign, if runs vary as in studies where this was measured? Nothing
more follows from the numbers. Sources: Goodman (1992), A comment on replication, p-values and
evidence; Killeen (2005), An alternative to null-hypothesis significance tests; Jordan (2024), On
the variance of neural network training with respect to test sets and distributions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, inf, sqrt

from scipy import special

from bench.errors import InputError
from bench.statistics.checks import at_least, open_unit
from bench.statistics.crossed import SeedVariance
from bench.statistics.families import holm
from bench.statistics.mcnemar import mcnemar

_WRITTEN = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,30}))?\s*%?", re.ASCII)


@dataclass(frozen=True)
class Accuracy:
    """An accuracy in percent as somebody wrote it: 87 means 86.5 to 87.5, 87.0 less."""

    text: str
    percent: Fraction
    half_unit: Fraction

    def counts(self, n: int) -> range:
        """Every number of right examples out of n that rounds to what was written.

        All whole c with |100 c / n - percent| <= half a unit of the last digit, both ends
        included. InputError where there is none: no single file on n examples gives this.
        """
        at_least(n, 1, "n")
        low = max(ceil(n * (self.percent - self.half_unit) / 100), 0)
        high = min(floor(n * (self.percent + self.half_unit) / 100), n)
        if low > high:
            near = floor(n * self.percent / 100)
            nearest = " and ".join(
                f"{c} of {n} = {100 * c / n:.6g}%" for c in (near, near + 1) if c <= n
            )
            raise InputError(
                f"accuracy {self.text}",
                f"no single file on {n} examples gives this",
                f"the nearest are {nearest}; is it a mean of runs, or another number of examples?",
            )
        return range(low, high + 1)


def read_accuracy(text: str) -> Accuracy:
    """An accuracy in percent from its text; how many decimals were written says what it means.

    Digits with at most one point, a % sign or none, 0 to 100. InputError for anything else, and for
    what may be a share: above 0, at most 1, without a % sign.
    """
    written = _WRITTEN.fullmatch(text.strip())
    found = None if written is None else Fraction(text.strip().rstrip("%").strip())
    if written is None or found is None or found > 100:
        raise InputError(
            "accuracy", f"found {text!r}", "allowed: a number of percent from 0 to 100, as 87.5"
        )
    if 0 < found <= 1 and "%" not in text:
        raise InputError(
            "accuracy",
            f"found {text!r}: a share, or less than one percent?",
            f"allowed: {_shifted(text.strip())} if it is a share, {text.strip()}% if it is not",
        )
    decimals = len(written[2] or "")
    return Accuracy(text.strip(), found, Fraction(1, 2 * 10**decimals))


def _shifted(share: str) -> str:
    """A share as percent, with as many digits that count: 0.901 is 90.1, 0.9 is 90."""
    whole, _, decimals = share.partition(".")
    percent = f"{whole}{decimals[:2]:0<2}".lstrip("0") or "0"
    return f"{percent}.{decimals[2:]}" if len(decimals) > 2 else percent


@dataclass(frozen=True)
class TwoFiles:
    """Two files of which only counts are known: a and b right examples (ranges) out of n."""

    a: range
    b: range
    n: int

    def __post_init__(self) -> None:
        at_least(self.n, 1, "n")
        for name, counts in (("a", self.a), ("b", self.b)):
            if len(counts) == 0 or counts.step != 1 or counts[0] < 0 or counts[-1] > self.n:
                raise ValueError(
                    f"{name}: found {counts}, allowed: a range of counts in 0 to {self.n}"
                )

    @property
    def least(self) -> int:
        """The smallest |a - b| that fits, in examples; 0 where the ranges share a count."""
        return max(self.a[0] - self.b[-1], self.b[0] - self.a[-1], 0)

    @property
    def most(self) -> int:
        """The greatest |a - b| that fits, in examples."""
        return max(self.a[-1] - self.b[0], self.b[-1] - self.a[0])

    @property
    def p_smallest(self) -> float:
        """The smallest exact McNemar p: the greatest difference, no example lost on the way."""
        return min(1.0, 2.0 ** (1 - self.most))

    @property
    def p_largest(self) -> float:
        """The largest exact McNemar p over all counts and overlaps that fit; 1 where a = b fits.

        p falls with the difference and rises with the discordant minority, at most the smaller of
        the lower count and what the higher count has wrong. The two counts nearest to each other
        have both the smallest difference and the most room.
        """
        if self.least == 0:
            return 1.0
        high, low = self._nearest()
        return _p(high - low, min(low, self.n - high), self.n)

    def p_at_churn(self, churn: float) -> tuple[float, float]:
        """The smallest and the largest p where about this share of the examples changed.

        churn: 0 to 1, as seen in other studies; for each pair of counts it is clipped to what
        fits: at least their difference, at most that and twice the room.
        """
        if not 0 <= churn <= 1:
            raise ValueError(f"churn: found {churn}, allowed: 0 to 1")
        changed = round(churn * self.n)
        ends = [(self.a[-1], self.b[0]), (self.b[-1], self.a[0])]
        smallest = min(self._p_at(high, low, changed) for high, low in ends if high >= low)
        if self.least == 0:
            return smallest, 1.0
        return smallest, self._p_at(*self._nearest(), changed)

    def _nearest(self) -> tuple[int, int]:
        if self.a[0] > self.b[-1]:
            return self.a[0], self.b[-1]
        return self.b[0], self.a[-1]

    def _p_at(self, high: int, low: int, changed: int) -> float:
        difference = high - low
        minority = min(max((changed - difference) // 2, 0), low, self.n - high)
        return _p(difference, minority, self.n)


def _p(difference: int, minority: int, n: int) -> float:
    return mcnemar(difference + minority, minority, n).p


@dataclass(frozen=True)
class PairClaim:
    """Arm first minus arm second of a claim. Indices into the accuracies given.

    difference: in pp, as written; files and the p-values of exact McNemar over all that fits (with
    Holm's over all pairs of the claim) are None for means of several runs: no file has these
    counts.
    """

    first: int
    second: int
    difference: float
    files: TwoFiles | None
    p_smallest: float | None
    p_largest: float | None
    p_smallest_adjusted: float | None
    p_largest_adjusted: float | None


def pair_claims(accuracies: Sequence[Accuracy], n: int, runs: int = 1) -> list[PairClaim]:
    """Every pair of a claim's arms, later minus earlier, with the least and the most that McNemar
    can have said.

    n: test examples, the same for all arms; runs: how many runs each accuracy is the mean of.
    n times runs is no sample size: with several runs nothing is said about files. The adjusted
    p-values are bounds: not every pair can be at its bound at once. InputError where an accuracy
    of a single run fits no count.
    """
    at_least(len(accuracies), 2, "accuracies")
    at_least(n, 1, "n")
    at_least(runs, 1, "runs")
    pairs = [(later, earlier) for later in range(len(accuracies)) for earlier in range(later)]
    files: list[TwoFiles] = []
    if runs == 1:
        counts = [accuracy.counts(n) for accuracy in accuracies]
        files = [TwoFiles(counts[i], counts[j], n) for i, j in pairs]
    smallest = holm([pair.p_smallest for pair in files])
    largest = holm([pair.p_largest for pair in files])
    return [
        PairClaim(
            first=i,
            second=j,
            difference=float(accuracies[i].percent - accuracies[j].percent),
            files=files[k] if files else None,
            p_smallest=files[k].p_smallest if files else None,
            p_largest=files[k].p_largest if files else None,
            p_smallest_adjusted=float(smallest[k]) if files else None,
            p_largest_adjusted=float(largest[k]) if files else None,
        )
        for k, (i, j) in enumerate(pairs)
    ]


def run_sd(study: SeedVariance, n: int) -> float | None:
    """The SD of one run's difference on a test set of n examples, from a study's variance.

    sigma^2 = max(MS_S - MS_E, 0) / N_study + MS_E / n: what the seeds' models truly differ by, and
    the rest as on n examples. In the study's unit; None where it has one seed.
    """
    at_least(n, 1, "n")
    if study.sd_distribution is None or study.sd_sampling is None:
        return None
    return sqrt(study.sd_distribution**2 + study.sd_sampling**2 * study.n_examples / n)


def turn_probability(difference: float, sigma: float, runs: int = 1, rerun: int = 1) -> float:
    """How often a rerun has the opposite sign: Phi(-|d| / (sigma sqrt(1/R + 1/R'))).

    difference: claimed, in sigma's unit, the mean of `runs` runs; sigma: SD of one run's
    difference; rerun: runs of the rerun. Both scatter around an unknown true value, so that the
    claim is not taken for it. Claims that were chosen because they surprise turn more often.
    """
    if not abs(difference) < inf:
        raise ValueError(f"difference: found {difference}, allowed: finite")
    spread = _sigma(sigma) * sqrt(1 / at_least(runs, 1, "runs") + 1 / at_least(rerun, 1, "rerun"))
    if spread == 0:
        return 0.5 if difference == 0 else 0.0
    return float(special.ndtr(-abs(difference) / spread))


def smallest_proven(sigma: float, alpha: float, runs: int = 1) -> float:
    """The difference that the mean of so many runs must exceed to prove one: z sigma / sqrt(R).

    Two-sided at alpha, in sigma's unit, sigma taken as known.
    """
    open_unit(alpha, "alpha")
    return float(-special.ndtri(alpha / 2)) * _sigma(sigma) / sqrt(at_least(runs, 1, "runs"))


def _sigma(sigma: float) -> float:
    if not 0 <= sigma < inf:
        raise ValueError(f"sigma: found {sigma}, allowed: finite and not negative")
    return sigma
