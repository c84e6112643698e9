"""Primary contrasts of a sequential study, by their looks."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.analysis.records import Comparison
from bench.statistics import families, sequential
from bench.statistics.checks import FloatArray
from bench.statistics.sequential import Look
from bench.study import Sequential, Study


def at_looks(comparison: Comparison, study: Study, plan: Sequential) -> Comparison:
    """A primary contrast by its looks: repeated intervals, or the confidence sequence where no
    maximum was declared, at the family's alpha / m. Any other comparison stays as it is."""
    pairs = comparison.pairs
    if (comparison.family, comparison.population) != ("primary", "seeds"):
        return comparison
    d_of = dict(zip(pairs.seeds, pairs.d, strict=True))
    level = families.bonferroni_alpha(study.alpha, comparison.m)
    # Pairs at each look that was reached: fewer than planned where cells have failed.
    reached: list[int] = []
    look = plan.look_after(0)
    while look is not None and look <= pairs.attempted:
        n = sum(seed in d_of for seed in study.with_seeds(look).seeds)
        if n >= 2 and n not in reached:
            reached.append(n)
        look = plan.look_after(look)
    d = np.array([d_of[seed] for seed in study.seeds if seed in d_of])
    looks, alone = (_looks(d, reached, plan, a) for a in (level, study.alpha))
    interval = looks[-1].interval if looks else None
    return replace(
        comparison,
        looks=looks,
        interval=alone[-1].interval if alone else None,
        simultaneous=interval,
        p_adjusted=None,
        p_equivalence_adjusted=None,
        verdict=families.verdict_by_interval(interval, pairs.margin),
        clear=interval is not None and _clear(looks[-1], pairs.margin, plan),
    )


def _looks(d: FloatArray, at: Sequence[int], plan: Sequential, alpha: float) -> tuple[Look, ...]:
    if not at:
        return ()
    if plan.every is None:
        return tuple(sequential.group_sequential(d, at, alpha, plan.looks[-1]))
    return tuple(sequential.anytime_look(d[:n], alpha) for n in at)


def _clear(look: Look, delta: float | None, plan: Sequential) -> bool:
    if plan.half_width is None:
        return look.decided(delta)
    return (look.interval.high - look.interval.low) / 2 <= plan.half_width
