"""Does this report work on its own data? The primary family's tests, on its own differences.

The protocol's "Does this report work on its own data?" (docs/method.md): random signs, seeds drawn
again, planted differences. For new seeds on this test set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.comparisons import METHODS, Comparison
from bench.analysis.outcome import Analysis
from bench.statistics.checks import FloatArray
from bench.statistics.families import Verdict
from bench.statistics.self_check import (
    DRAWS,
    FEWEST_RESAMPLED,
    Rates,
    by_resampling,
    by_signs,
    planted_examples,
)

USUAL = 1_000
"""Draws where nobody asks for more; all sign patterns of up to 12 seeds."""

_FEWEST = 100
_COST = 1e7  # contrasts x seeds x draws; about half a second


@dataclass(frozen=True)
class Planted:
    """A true difference in every seed, and how often a verdict claims it. examples: how many test
    examples it is, None where only values are known; size: in the metric's unit. Whichever examples
    they are, each seed's difference moves by that much, and the tests see no more than that."""

    examples: int | None
    size: float
    found: FloatArray


@dataclass(frozen=True)
class SelfCheck:
    """What the primary family's tests do on the study's own differences of one metric.

    members: its contrasts; seeds: that any of them has; signs: under random signs; resampled:
    where seeds are drawn again, None where they are too few to tell skewness; planted: None where
    no smallest difference is declared; held: False where this test set cannot hold it.
    """

    metric: str
    unit: str
    members: tuple[Comparison, ...]
    seeds: int
    signs: Rates
    resampled: Rates | None
    planted: Planted | None
    held: bool


def self_check(analysis: Analysis) -> tuple[SelfCheck, ...]:
    """Of each metric's primary family; empty where there is none that could be tested, and where
    seeds were added by looks, which these rates are not about."""
    if analysis.study is not None and analysis.study.sequential is not None:
        return ()
    families: dict[str, list[Comparison]] = {}
    for c in analysis.select("seeds"):
        alike = c.pairs.unmoved or c.pairs.impossible or c.verdict == Verdict.WITHHELD
        if c.family == "primary" and c.n_seeds > 1 and not alike and np.isfinite(c.pairs.d).all():
            families.setdefault(c.pairs.metric, []).append(c)
    return tuple(_checked(members, analysis) for members in families.values())


def _checked(members: Sequence[Comparison], analysis: Analysis) -> SelfCheck:
    first = members[0].pairs
    seeds = sorted({seed for c in members for seed in c.pairs.seeds})
    column = {seed: at for at, seed in enumerate(seeds)}
    d = np.full((len(members), len(seeds)), np.nan)
    for row, c in zip(d, members, strict=True):
        row[[column[seed] for seed in c.pairs.seeds]] = c.pairs.d
    affordable = max(int(_COST / d.size), _FEWEST)
    draws = analysis.self_check or min(USUAL, affordable)
    patterns = max(draws, min(DRAWS, affordable))
    patterns = patterns if len(seeds) < 63 and 2 ** len(seeds) <= patterns else draws

    def by_sign(stream: int, shift: float = 0.0) -> Rates:
        rng = np.random.default_rng([20, stream])
        return by_signs(
            d, alpha=analysis.alpha, method=METHODS["primary"], delta=first.delta, rng=rng,
            shift=shift, n_draws=patterns,
        )  # fmt: skip

    resampled = None
    if len(seeds) >= FEWEST_RESAMPLED:
        resampled = by_resampling(
            d, alpha=analysis.alpha, method=METHODS["primary"], delta=first.delta,
            rng=np.random.default_rng([20, 1]), n_draws=draws,
        )  # fmt: skip
    planted, held = None, True
    if first.delta is not None:
        n = first.n_examples if first.unit == "pp" else None
        examples = None if n is None else planted_examples(first.delta, n)
        held = examples != 0
        size = first.delta if n is None or examples is None else 100 * examples / n
        if held:
            planted = Planted(examples, size, by_sign(2, size).claims)
    return SelfCheck(
        metric=first.metric,
        unit=first.unit,
        members=tuple(members),
        seeds=len(seeds),
        signs=by_sign(0),
        resampled=resampled,
        planted=planted,
        held=held,
    )
