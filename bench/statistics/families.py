"""Many differences at once: adjusted p-values, simultaneous levels, verdicts."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from bench.statistics.checks import FloatArray, Interval, at_least, open_unit, positive
from bench.statistics.sign_flip import smallest_p

Method = Literal["holm", "bh"]


class Verdict(StrEnum):
    """What a contrast's numbers allow one to say; exactly one holds.

    WITHHELD is no matter of numbers: a check says that they are not those of the contrast.
    """

    TOO_FEW_SEEDS = "too few seeds"
    TOO_FEW_GROUPS = "too few groups"
    MATTERS = "different and it matters"
    TOO_SMALL = "different, too small to matter"
    SIZE_UNDECIDED = "different, size undecided"
    EQUIVALENT = "equivalent within Δ"
    UNDECIDED = "undecided"
    WITHHELD = "withheld by a check"


def _p_values(p: ArrayLike) -> FloatArray:
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"p: need one p-value per contrast, found shape {values.shape}")
    outside = ~((values >= 0) & (values <= 1))  # true for nan too
    if outside.any():
        raise ValueError(f"p: found {values[outside][0]}, allowed: 0 to 1")
    return values


def holm(p: ArrayLike) -> FloatArray:
    """Holm's (1979) adjusted p-values, (m,) in the order of p. Controls the family-wise error."""
    values = _p_values(p)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def benjamini_hochberg(p: ArrayLike) -> FloatArray:
    """Benjamini & Hochberg's (1995) adjusted p-values, (m,) in p's order. Controls the FDR."""
    values = _p_values(p)
    m = values.size
    order = np.argsort(values, kind="stable")
    stepped = (values[order] * m / np.arange(1, m + 1))[::-1]
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.minimum.accumulate(stepped)[::-1], 1)
    return adjusted


def adjusted(p: Sequence[float | None], method: Method) -> list[float | None]:
    """A family's adjusted p-values; a contrast without one (None) stays None.

    It still counts in the family's size, as if its p were 1: losing seeds must not make the
    correction of the other contrasts milder.
    """
    if method not in ("holm", "bh"):
        raise ValueError(f"method: found {method!r}, allowed: 'holm', 'bh'")
    adjust = holm if method == "holm" else benjamini_hochberg
    filled = adjust([1.0 if value is None else value for value in p])
    return [None if raw is None else float(value) for raw, value in zip(p, filled, strict=True)]


def bonferroni_alpha(alpha: float, m: int) -> float:
    """alpha of each of m simultaneous intervals: alpha / m."""
    return open_unit(alpha, "alpha") / at_least(m, 1, "m")


def fcr_alpha(alpha: float, m: int, n_rejected: int) -> float:
    """alpha of each selected interval at false-coverage rate alpha: max(R, 1) alpha / m.

    n_rejected: R, the Benjamini-Hochberg rejections among the m. Source: Benjamini &
    Yekutieli (2005), False discovery rate-adjusted multiple confidence intervals.
    """
    at_least(m, 1, "m")
    if not 0 <= n_rejected <= m:
        raise ValueError(f"n_rejected: found {n_rejected}, allowed: 0 to m = {m}")
    return open_unit(alpha, "alpha") * max(n_rejected, 1) / m


def fewest_seeds(alpha: float, m: int = 1) -> int:
    """The fewest seeds with which an exact sign-flip p can be <= alpha / m."""
    level = bonferroni_alpha(alpha, m)
    seeds = 1
    while smallest_p(seeds) > level:
        seeds += 1
    return seeds


def verdict(
    *,
    n_seeds: int,
    p_adjusted: float | None,
    p_equivalence_adjusted: float | None,
    interval: Interval | tuple[float, float] | None,
    delta: float | None,
    alpha: float,
    m: int,
    n_groups: int | None = None,
) -> Verdict:
    """The one verdict of a contrast.

    n_seeds: shared seeds; p_adjusted: of the difference, within its family of m contrasts;
    p_equivalence_adjusted: of TOST, likewise; interval: the family's (Bonferroni or
    false-coverage), in the unit of delta, the smallest difference that matters.
    `too few seeds` comes before all others: 2 / 2**n_seeds > alpha / m; then `too few groups`,
    likewise, where n_groups says how many groups of test examples are drawn anew with them. What is
    None (no delta declared, an interval that does not exist) supports no claim: without delta a
    difference is at most `different, size undecided`.
    """
    level = bonferroni_alpha(alpha, m)
    if delta is not None:
        positive(delta, "delta")
    if smallest_p(n_seeds) > level:
        return Verdict.TOO_FEW_SEEDS
    if n_groups is not None and smallest_p(n_groups) > level:
        return Verdict.TOO_FEW_GROUPS
    significant = p_adjusted is not None and p_adjusted <= alpha
    equivalent = (
        delta is not None and p_equivalence_adjusted is not None and p_equivalence_adjusted <= alpha
    )
    beyond = delta is not None and interval is not None and Interval(*interval).beyond(delta)
    if significant and beyond:
        return Verdict.MATTERS
    if significant:
        return Verdict.TOO_SMALL if equivalent else Verdict.SIZE_UNDECIDED
    return Verdict.EQUIVALENT if equivalent else Verdict.UNDECIDED


def verdict_by_interval(
    interval: Interval | tuple[float, float] | None, delta: float | None
) -> Verdict:
    """The verdict where an interval that holds for all looks at once takes the p-values' place.

    interval: a repeated interval or a confidence sequence's, at the contrast's share of alpha, in
    delta's unit; None before the first look. Source: Jennison & Turnbull (1989), section 2.
    """
    if interval is None:
        return Verdict.TOO_FEW_SEEDS
    holds = Interval(*interval)
    within = delta is not None and holds.within(delta)
    if holds.holds(0):
        return Verdict.EQUIVALENT if within else Verdict.UNDECIDED
    if delta is not None and holds.beyond(delta):
        return Verdict.MATTERS
    return Verdict.TOO_SMALL if within else Verdict.SIZE_UNDECIDED
