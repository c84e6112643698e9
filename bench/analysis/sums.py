"""Sums of samples with whole weights, over a divisor: one number per seed again."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.analysis.records import Pairs, Sample, Setting, shared
from bench.statistics import decimals, paired
from bench.statistics.checks import IntArray
from bench.statistics.crossed import crossed_sums, real_mean_squares
from bench.statistics.groups import group_sums
from bench.statistics.interaction import slope_weights
from bench.study.factors import FACTORS

LARGEST_WHOLE = 10**15
"""Of differences in steps: below it their sums fit in 64 bits and in a float."""

Term = tuple[Sample, float]
"""A sample and its weight in a sum, before the divisor."""


def difference(
    steps: Sequence[tuple[Pairs, Pairs]],
    moved: Sequence[int],
    *,
    factor: str,
    level: str,
    reference: str,
    declared: bool,
) -> Pairs:
    """Per seed, the mean over these steps of one contrast at a level minus at the reference.

    moved: which of its two arms (0, 1) the step reaches; of one alone the effect is that arm's.
    """
    terms: dict[tuple[int, int], list[Term]] = {}
    for high, low in steps:
        for i in moved:
            sign = 1 if i == 0 or len(moved) == 1 else -1
            terms[id(high.samples[i]), id(low.samples[i])] = [
                (high.samples[i], sign),
                (low.samples[i], -sign),
            ]
    # One arm alone: each of its own pairs of settings once, whatever stands beside it.
    divisor = len(steps) if len(moved) == 2 else len(terms)
    members = [one for step in steps for one in step]
    if len(moved) == 2:
        every = [term for high, low in steps for term in (*signed(high, 1), *signed(low, -1))]
    else:
        every = [term for each in terms.values() for term in each]
    base = replace(
        blank(members[0], members),
        kind="effect",
        setting=common(members),
        factor=factor,
        level=level,
        reference=reference,
        moved=None if len(moved) == 2 else members[0].samples[moved[0]].arm,
        declared=declared,
    )
    return summed(base, every, divisor)


def common(members: Sequence[Pairs]) -> Setting:
    """What all these settings share; the rest is None, or is left out."""
    first, *others = (one.setting for one in members)
    for other in others:
        theirs = other.fields()
        for name, value in first.fields().items():
            if name not in theirs or theirs[name] != value:
                first = first.without(name)
    return first


def signed(one: Pairs, weight: float, only: int | None = None) -> list[Term]:
    a, b = one.samples
    if only is not None:
        return [(one.samples[only], weight)]
    return [(a, weight), (b, -weight)]


def blank(first: Pairs, members: Sequence[Pairs]) -> Pairs:
    """A change of these pairs that has no numbers yet: `summed` fills them in."""
    return Pairs(
        kind="interaction",
        setting=first.setting,
        contrast=first.contrast,
        samples=tuple({id(s): s for one in members for s in one.samples}.values()),
        metric=first.metric,
        unit=first.unit,
        planned=first.planned,
        seeds=(),
        d=np.empty(0),
        mixed=max(one.mixed for one in members),
        delta=first.delta,
        lower_is_better=first.lower_is_better,
    )


def slope(
    base: Pairs, members: Sequence[Pairs], x: Sequence[float], only: int | None = None
) -> Pairs:
    """The least-squares slope over x, a logarithm to base 2; the mean slope where members are
    several groups that have the same x each. only: of one arm (0 or 1) instead of the contrast."""
    weights, divisor = slope_weights(x)
    span = float(max(x) - min(x))
    slope = replace(
        base, kind="slope", unit=f"{base.unit} per doubling", doublings=span, level=None
    )
    terms = [
        term
        for one, weight in zip(members, weights, strict=True)
        for term in signed(one, float(weight), only)
    ]
    return summed(slope, terms, divisor)


def summed(base: Pairs, terms: Sequence[Term], divisor: float = 1.0) -> Pairs:
    """base with its numbers: per seed that all samples share, the sum of weight * value over the
    terms, divided by the divisor.

    Where all terms are whole multiples of one step and have whole weights, the sums are kept as
    whole numbers, so that signs are flipped exactly. Crossed sums are made only where all samples
    have the same test examples; otherwise the change speaks about new seeds alone.
    """
    weights: dict[int, float] = {}
    samples: dict[int, Sample] = {}
    for sample, weight in terms:
        samples[id(sample)] = sample
        weights[id(sample)] = weights.get(id(sample), 0.0) + weight
    used = [(samples[key], weight) for key, weight in weights.items() if weight]
    seeds = shared(*(s.finite for s in samples.values()))
    if not seeds or not used:
        return replace(base, seeds=seeds, d=np.zeros(len(seeds)))
    in_steps = [(sample.in_steps, weight) for sample, weight in used]
    steps = {None if known is None else known[1] for known, _ in in_steps}
    whole: IntArray = np.zeros(len(seeds), dtype=np.int64)
    if len(steps) == 1 and None not in steps and all(w == int(w) for _, w in used):
        for sample, weight in used:
            known = sample.in_steps
            assert known is not None
            whole += int(weight) * known[0][sample.positions(seeds)]
        (step,) = steps
        assert step is not None
        exact_decimals = used[0][0].correct is None
        d = (
            decimals.in_unit(whole, step)
            if exact_decimals
            else np.multiply(whole, step, dtype=np.float64)
        )
        made = replace(base, seeds=seeds, d=d / divisor)
        if abs(whole).max() <= LARGEST_WHOLE:
            made = replace(made, whole=whole, step=step / divisor)
        return replace(made, **_crossed(used, seeds, divisor))
    values = [weight * sample.at(seeds) for sample, weight in used]
    summed = paired.without_noise(np.sum(values, axis=0), np.max(np.abs(values), axis=0))
    made = replace(base, seeds=seeds, d=summed / divisor)
    return replace(made, **_crossed(used, seeds, divisor))


def _crossed(used: Sequence[Term], seeds: Sequence[int], divisor: float) -> dict[str, Any]:
    """The crossed sums of a change, where all its samples have the same test examples."""
    first = used[0][0]
    sizes = {sample.n_examples for sample, _ in used}
    if None in sizes or len({_tested_on(sample.setting) for sample, _ in used}) > 1:
        return {}
    whole = all(sample.correct is not None for sample, _ in used)
    kind = _small_enough(used) if whole else np.float64
    cells = np.zeros((len(seeds), first.n_examples or 0), dtype=kind)
    for sample, weight in used:
        known = sample.cells(seeds)
        assert known is not None
        cells += int(weight) * known.view(np.int8) if whole else weight * known
    return {
        "cells": crossed_sums(cells) if whole else real_mean_squares(cells),
        "groups": None if first.groups is None else group_sums(cells, first.groups),
        "cell_step": first.scale / divisor,
    }


def _tested_on(setting: Setting) -> tuple[Any, ...]:
    """What decides the test examples: equal where they are the same."""
    shifts = (level for name, level in setting.factors if name in FACTORS and FACTORS[name].of_test)
    return setting.dataset, *shifts


def _small_enough(used: Sequence[Term]) -> type[np.signedinteger]:
    largest = sum(abs(weight) for _, weight in used)
    return np.int8 if largest < 128 else np.int16 if largest < 2**15 else np.int64
