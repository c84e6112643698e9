"""Does a report's statistics work on its own data? For new seeds on this test set.

The study's own differences, centred, are data of which the truth is known: no difference. Signs
flipped at random per seed, for all contrasts at once, or seeds drawn with replacement show how
often tests and verdicts claim one all the same; a planted difference shows how often it is found.
Source: Efron (1969), Student's t-test under symmetry conditions; Efron & Tibshirani (1993), An
Introduction to the Bootstrap, chapter 16.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from bench.statistics.bootstrap import resample_counts
from bench.statistics.checks import FloatArray, Interval, at_least, open_unit, positive
from bench.statistics.families import (
    Method,
    Verdict,
    benjamini_hochberg,
    bonferroni_alpha,
    fcr_alpha,
    holm,
    verdict,
)
from bench.statistics.sign_flip import smallest_p

CLAIMS = (Verdict.MATTERS, Verdict.TOO_SMALL, Verdict.SIZE_UNDECIDED)
"""The verdicts that claim a difference."""

DRAWS = 4096
"""Sign patterns, or resamples: all patterns of up to 12 seeds."""

FEWEST_RESAMPLED = 15
"""Seeds from which resampling tells skewness from chance: of normal contrasts it calls 16% skewed
with 6 seeds, 4% with 10, 2% with 12 and 0.4% with 15 (docs/error-rates.md)."""

_AT_ONCE = 256  # draws; bounds memory


@dataclass(frozen=True)
class Rates:
    """How often, over n_draws sets of differences, tests and verdicts claimed a difference.

    t: (n_contrasts,), the share of draws with a two-sided p of the t-test <= alpha, unadjusted;
    claims: (n_contrasts,), the share in which the contrast's verdict claimed one; verdicts: for
    each of CLAIMS the share of draws in which at least one contrast of the family got it; family:
    likewise for any of them. exact: all sign patterns, not a seeded draw of them.
    resolves: whether so many seeds can show a rate as small as alpha at all; with fewer nothing is
    called loud or skewed.
    """

    alpha: float
    n_draws: int
    exact: bool
    resolves: bool
    t: FloatArray
    claims: FloatArray
    verdicts: dict[Verdict, float]
    family: float

    @property
    def loud(self) -> bool:
        """By signs: are errors more than twice as frequent as alpha, on average over the
        contrasts or in the family?"""
        return self.resolves and max(float(self.t.mean()), self.family) > 2 * self.alpha

    @property
    def skewed(self) -> NDArray[np.bool_]:
        """By resampling, (n_contrasts,): does the contrast's own t-test err more than 2 alpha?

        Its unadjusted test alone: resampled few seeds repeat themselves, which makes the far tails
        that a family's level looks at too heavy for normal data too.
        """
        found: NDArray[np.bool_] = (self.t > 2 * self.alpha) & self.resolves
        return found


@dataclass(frozen=True)
class _Family:
    alpha: float
    method: Method
    delta: float | None


def by_signs(
    d: FloatArray,
    *,
    alpha: float,
    method: Method,
    delta: float | None,
    rng: np.random.Generator,
    shift: ArrayLike = 0.0,
    n_draws: int = DRAWS,
) -> Rates:
    """Rates under random signs, one per seed for all contrasts of a family at once.

    d: (n_contrasts, n_seeds), nan where a contrast lacks the seed, in delta's unit; each contrast
    is centred and scaled by sqrt(S / (S-1)), which restores its variance. All patterns where there
    are no more than n_draws, else so many drawn by rng. Signs make data symmetric: they are blind
    to skewness.
    shift: a planted true difference, for all contrasts or each (n_contrasts,): then the rates are
    the power. ValueError for what is no family of differences.
    """
    family, centred, present = _family(d, alpha, method, delta)
    n_seeds = centred.shape[1]
    exact = n_seeds < 63 and 2**n_seeds <= at_least(n_draws, 1, "n_draws")
    planted = np.broadcast_to(np.asarray(shift, dtype=np.float64), centred.shape[:1])
    n = np.broadcast_to(present.sum(axis=1), (1, centred.shape[0]))
    squares = (centred**2).sum(axis=1)

    def draws() -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        for signs in _signs(n_seeds, None if exact else n_draws, rng):
            means = signs @ centred.T / np.maximum(n, 1)
            yield means + planted, _variance(squares, means, n), n.astype(np.float64)

    return _rates(family, draws(), present, exact)


def by_resampling(
    d: FloatArray,
    *,
    alpha: float,
    method: Method,
    delta: float | None,
    rng: np.random.Generator,
    n_draws: int = DRAWS,
) -> Rates:
    """Rates where as many seeds are drawn with replacement from the centred differences.

    Arguments as for by_signs. Keeps the skewness that signs remove: above 2 alpha the
    t-test errs more often on such data than it says.
    """
    family, centred, present = _family(d, alpha, method, delta)

    def draws() -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        for start in range(0, at_least(n_draws, 1, "n_draws"), _AT_ONCE):
            counts = resample_counts(centred.shape[1], min(_AT_ONCE, n_draws - start), rng)
            n = counts @ present.T.astype(np.float64)
            means = counts @ centred.T / np.maximum(n, 1)
            yield means, _variance(counts @ (centred**2).T, means, n), n

    return _rates(family, draws(), present, exact=False)


def _family(
    d: FloatArray, alpha: float, method: Method, delta: float | None
) -> tuple[_Family, FloatArray, NDArray[np.bool_]]:
    """The family, its differences centred and scaled (0 where absent), and which are present."""
    open_unit(alpha, "alpha")
    if method not in ("holm", "bh"):
        raise ValueError(f"method: found {method!r}, allowed: 'holm', 'bh'")
    if delta is not None:
        positive(delta, "delta")
    values = np.asarray(d, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"d: need (n_contrasts, n_seeds), found shape {values.shape}")
    if np.isinf(values).any():
        raise ValueError("d: found an infinite value, allowed: finite, or nan for a missing seed")
    present = ~np.isnan(values)
    centred = np.zeros_like(values)
    for row, one, there in zip(centred, values, present, strict=True):
        own = one[there]
        n = own.size
        if n > 1 and np.ptp(own) > 1e-12 * abs(own).max():  # else constant but for rounding
            row[there] = (own - own.mean()) * (n / (n - 1)) ** 0.5
    return _Family(alpha, method, delta), centred, present


def _signs(n_seeds: int, n_draws: int | None, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Sign patterns, (at most _AT_ONCE, n_seeds) of -1 and 1 each time; None: all of them."""
    if n_draws is None:
        numbers = np.arange(2**n_seeds)[:, None]
        negative = (numbers >> np.arange(n_seeds)) & 1
    else:
        negative = rng.integers(2, size=(n_draws, n_seeds))
    signs = 1.0 - 2.0 * negative.astype(np.float64)
    for start in range(0, len(signs), _AT_ONCE):
        yield signs[start : start + _AT_ONCE]


def _variance(squares: FloatArray, means: FloatArray, n: FloatArray) -> FloatArray:
    """From sums of squares; what is left by rounding where all values are equal is 0."""
    rest = squares - n * means**2
    rest = np.where(rest <= 1e-12 * squares, 0.0, rest)
    variance: FloatArray = rest / np.maximum(n - 1, 1)
    return variance


def _rates(
    family: _Family,
    draws: Iterator[tuple[FloatArray, FloatArray, FloatArray]],
    present: NDArray[np.bool_],
    exact: bool,
) -> Rates:
    """Count claims; a draw is its contrasts' means, variances and numbers of seeds."""
    m = present.shape[0]
    n_seeds = present.sum(axis=1)
    t, claims = np.zeros(m), np.zeros(m)
    got = dict.fromkeys(CLAIMS, 0)
    n_draws = any_claim = 0
    for means, variances, n in draws:
        se = np.sqrt(variances / np.maximum(n, 1))
        p = np.where(n > 1, _two_sided(means, se, n - 1), 1.0)
        t += (p <= family.alpha).sum(axis=0)
        n_draws += len(means)
        n = np.broadcast_to(n, means.shape)
        # an adjusted p is never below the raw one
        for draw in np.flatnonzero((p <= family.alpha).any(axis=1)):
            found = _verdicts(family, means[draw], se[draw], n[draw], p[draw], n_seeds)
            for contrast in found:
                claims[contrast] += 1
            for one in set(found.values()):
                got[one] += 1
            any_claim += bool(found)
    return Rates(
        alpha=family.alpha,
        n_draws=n_draws,
        exact=exact,
        resolves=smallest_p(present.shape[1]) <= family.alpha,
        t=t / n_draws,
        claims=claims / n_draws,
        verdicts={one: count / n_draws for one, count in got.items()},
        family=any_claim / n_draws,
    )


def _two_sided(means: FloatArray, se: FloatArray, df: FloatArray) -> FloatArray:
    p: FloatArray = 2 * special.stdtr(np.maximum(df, 1), -abs(_over(means, se)))
    return p


def _over(distance: FloatArray, se: FloatArray) -> FloatArray:
    """distance / se; where se is 0, 0 for no distance and infinite else."""
    limit = np.where(distance == 0, 0.0, np.copysign(np.inf, distance))
    ratio: FloatArray = np.divide(distance, se, out=limit, where=se > 0)
    return ratio


def _verdicts(
    family: _Family,
    means: FloatArray,
    se: FloatArray,
    n: FloatArray,
    p: FloatArray,
    n_seeds: NDArray[np.int64],
) -> dict[int, Verdict]:
    """The verdicts of one draw's family that claim a difference, by contrast."""
    adjust = holm if family.method == "holm" else benjamini_hochberg
    adjusted = adjust(p)
    significant = np.flatnonzero(adjusted <= family.alpha)
    if significant.size == 0:
        return {}
    m = p.size
    level = bonferroni_alpha(family.alpha, m)
    if family.method == "bh":
        level = fcr_alpha(family.alpha, m, significant.size)
    equivalence: FloatArray | None = None
    if family.delta is not None:
        distance = family.delta - abs(means)  # the larger of the two one-sided p-values
        tail = special.stdtr(np.maximum(n - 1, 1), -_over(distance, se))
        tail = np.where((se == 0) & (distance <= 0), 1.0, tail)
        equivalence = adjust(np.where(n > 1, tail, 1.0))
    found = {}
    for c in significant.tolist():
        half = 0.0 if se[c] == 0 else float(-special.stdtrit(n[c] - 1, level / 2)) * se[c]
        said = verdict(
            n_seeds=int(n_seeds[c]),
            p_adjusted=float(adjusted[c]),
            p_equivalence_adjusted=None if equivalence is None else float(equivalence[c]),
            interval=Interval(float(means[c]) - half, float(means[c]) + half),
            delta=family.delta,
            alpha=family.alpha,
            m=m,
        )
        if said in CLAIMS:
            found[c] = said
    return found


def planted_examples(delta: float, n: int) -> int:
    """The whole number of test examples nearest to a difference of delta pp out of n.

    0: this test set cannot hold delta.
    """
    return floor(positive(delta, "delta") * at_least(n, 1, "n") / 100 + 0.5)
