"""How contrasts change: with the budget (interaction, slope), with a factor (effect, slope); and
what they are over all their settings (overall).

Each is a sum of samples with whole weights, over a divisor: one number per seed again, which goes
through the same paired tests. Source: the protocol's "Factors and their effects" (docs/method.md).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import log2
from typing import Any

import numpy as np

from bench.analysis.records import Pairs, Sample, Setting, Value, positions
from bench.statistics import decimals, paired
from bench.statistics.checks import IntArray
from bench.statistics.crossed import crossed_sums
from bench.statistics.interaction import slope_weights
from bench.study.factors import FACTORS, by_order

LARGEST_WHOLE = 10**15
"""Of differences in steps: below it their sums fit in 64 bits and in a float."""

Term = tuple[Sample, float]
"""A sample and its weight in a sum, before the divisor."""


@dataclass(frozen=True)
class Design:
    """What of a study its changes follow from.

    reference: factor -> the level that its effects are counted from, where that is declared (else
    the first in a setting's order); declared: (factor, contrast) of the effects in the primary
    family; is_primary: are the primary contrasts primary at this setting?
    """

    reference: Mapping[str, Value] = field(default_factory=dict)
    declared: Collection[tuple[str, str]] = ()
    is_primary: Callable[[Setting], bool] = lambda setting: True


def changes(pairs: Sequence[Pairs], design: Design) -> Iterator[Pairs]:
    """How these contrasts change with the budget, panel by panel, and with each factor."""
    by_contrast: dict[tuple[str, str], list[Pairs]] = {}
    for one in pairs:
        by_contrast.setdefault((one.contrast.name, one.metric), []).append(one)
    for members in by_contrast.values():
        panels: dict[Setting, list[Pairs]] = {}
        for one in members:
            if one.setting.budget is not None:
                panels.setdefault(one.setting.panel, []).append(one)
        for together in panels.values():
            if len(together) > 1:
                yield from _over_budgets(together)
    # Effects that are equal by construction are one hypothesis.
    known: dict[tuple[object, ...], Pairs] = {}
    for members in by_contrast.values():
        for effect in _effects(members, design):
            key = (effect.kind, effect.metric, effect.factor, effect.level, effect.name)
            first = known.setdefault(key, effect)
            known[key] = replace(first, declared=first.declared or effect.declared)
    yield from known.values()
    for members in by_contrast.values():
        yield from _overall([one for one in members if design.is_primary(one.setting)])


def _overall(pairs: Sequence[Pairs]) -> Iterator[Pairs]:
    """Per seed that has all of a contrast's primary settings, the mean over them: about these
    settings, and no others."""
    if len(pairs) > 1:
        base = replace(_blank(pairs[0], pairs), kind="overall", setting=_common(pairs))
        yield _summed(base, [term for one in pairs for term in _signed(one, 1)], len(pairs))


def _over_budgets(pairs: Sequence[Pairs]) -> Iterator[Pairs]:
    """Per seed, the contrast at the smallest budget minus that at the largest, and from three
    budgets on its slope over log2(budget).

    pairs: one contrast at two or more budgets of one panel.
    """
    ordered = sorted(pairs, key=lambda one: one.setting.budget or 0)
    first, last = ordered[0], ordered[-1]
    budgets = [one.setting.budget or 0 for one in ordered]
    base = replace(_blank(first, ordered), setting=first.setting.panel, factor="budget")
    ends = [*_signed(first, 1), *_signed(last, -1)]
    yield _summed(
        replace(base, kind="interaction", level=str(budgets[0]), reference=str(budgets[-1])), ends
    )
    grown = [one for one in ordered if one.setting.budget]  # 0 has no logarithm
    if len(grown) > 2:  # of two it is that difference again, and would count twice in its family
        yield _slope(base, grown, [log2(one.setting.budget or 0) for one in grown])


def _effects(pairs: Sequence[Pairs], design: Design) -> Iterator[Pairs]:
    """Per seed, one contrast at a level minus at the reference, the mean over all other settings
    that have both."""
    names = dict.fromkeys(name for one in pairs for name in one.setting.fields())
    for name in names:
        if name in ("budget", "extra"):
            continue
        levels = dict.fromkeys(
            one.setting.fields()[name] for one in pairs if name in one.setting.fields()
        )
        if len(levels) < 2:
            continue
        reference = design.reference.get(name, next(iter(levels)))
        if reference not in levels:
            reference = next(iter(levels))
        ordered = by_order(tuple(levels))
        if ordered is not None:
            yield from _by_order(pairs, name, ordered, design)
        for level in tuple(levels) if ordered is None else ordered[-1:]:
            if level == reference:
                continue
            yield from _effect(pairs, name, level, reference, design)


def _effect(
    pairs: Sequence[Pairs], name: str, level: Value, reference: Value, design: Design
) -> Iterator[Pairs]:
    moved = _moved(pairs, name)
    at = {
        which: {one.setting.without(name): one for one in pairs if _level(one, name) == which}
        for which in (level, reference)
    }
    rests = [rest for rest in at[level] if rest in at[reference]]
    if not rests:
        return
    terms: dict[tuple[int, int], list[Term]] = {}
    for rest in rests:
        high, low = at[level][rest], at[reference][rest]
        for i in moved:
            sign = 1 if i == 0 or len(moved) == 1 else -1
            terms[id(high.samples[i]), id(low.samples[i])] = [
                (high.samples[i], sign),
                (low.samples[i], -sign),
            ]
    # One arm alone: each of its own pairs of settings once, whatever stands beside it.
    divisor = len(rests) if len(moved) == 2 else len(terms)
    members = [at[which][rest] for rest in rests for which in (level, reference)]
    if len(moved) == 2:
        summed = [
            term
            for rest in rests
            for term in (*_signed(at[level][rest], 1), *_signed(at[reference][rest], -1))
        ]
    else:
        summed = [term for each in terms.values() for term in each]
    base = replace(
        _blank(members[0], members),
        kind="effect",
        setting=_common(members),
        factor=name,
        level=_text(name, level),
        reference=_text(name, reference),
        moved=None if len(moved) == 2 else members[0].samples[moved[0]].arm,
        declared=(name, members[0].contrast.name) in design.declared,
    )
    yield _summed(base, summed, divisor)


def _by_order(
    pairs: Sequence[Pairs],
    name: str,
    levels: Sequence[float],
    design: Design,
) -> Iterator[Pairs]:
    """The slope over log2(level), the mean over all other settings that have every level."""
    by_rest: dict[Setting, dict[Value, Pairs]] = {}
    for one in pairs:
        by_rest.setdefault(one.setting.without(name), {})[_level(one, name)] = one
    whole = [at for at in by_rest.values() if set(at) == set(levels)]
    if not whole:
        return
    members = [at[level] for at in whole for level in levels]
    moved = _moved(pairs, name)
    base = replace(
        _blank(members[0], members),
        setting=_common(members),
        factor=name,
        moved=None if len(moved) == 2 else members[0].samples[moved[0]].arm,
        declared=(name, members[0].contrast.name) in design.declared,
    )
    only = None if len(moved) == 2 else moved[0]
    yield _slope(base, members, [log2(level) for level in levels] * len(whole), only)


def _moved(pairs: Sequence[Pairs], name: str) -> tuple[int, ...]:
    """Which of a contrast's two arms (0, 1) the factor reaches; data and model reach both."""
    if name in ("dataset", "model"):
        return (0, 1)
    reached = [i for i in (0, 1) if name in dict(pairs[0].samples[i].setting.factors)]
    return tuple(reached) or (0, 1)


def _level(one: Pairs, name: str) -> Value:
    return one.setting.fields().get(name)


def _text(name: str, level: Value) -> str:
    if level is None and name in FACTORS:
        level = FACTORS[name].shown(level)
    return "" if level is None else f"{level:g}" if isinstance(level, float) else str(level)


def _common(members: Sequence[Pairs]) -> Setting:
    """What all these settings share; the rest is None, or is left out."""
    first, *others = (one.setting for one in members)
    for other in others:
        theirs = other.fields()
        for name, value in first.fields().items():
            if name not in theirs or theirs[name] != value:
                first = first.without(name)
    return first


def _signed(one: Pairs, weight: float, only: int | None = None) -> list[Term]:
    a, b = one.samples
    if only is not None:
        return [(one.samples[only], weight)]
    return [(a, weight), (b, -weight)]


def _blank(first: Pairs, members: Sequence[Pairs]) -> Pairs:
    """A change of these pairs that has no numbers yet: `_summed` fills them in."""
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


def _slope(
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
        for term in _signed(one, float(weight), only)
    ]
    return _summed(slope, terms, divisor)


def _summed(base: Pairs, terms: Sequence[Term], divisor: float = 1.0) -> Pairs:
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
    seeds = tuple(sorted(set.intersection(*(set(s.seeds) for s in samples.values()))))
    if not seeds or not used:
        return replace(base, seeds=seeds, d=np.zeros(len(seeds)))
    in_steps = [(sample.in_steps, weight) for sample, weight in used]
    steps = {None if known is None else known[1] for known, _ in in_steps}
    whole: IntArray = np.zeros(len(seeds), dtype=np.int64)
    if len(steps) == 1 and None not in steps and all(w == int(w) for _, w in used):
        for sample, weight in used:
            known = sample.in_steps
            assert known is not None
            whole += int(weight) * known[0][positions(sample, seeds)]
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
    return replace(base, seeds=seeds, d=summed / divisor)


def _crossed(used: Sequence[Term], seeds: Sequence[int], divisor: float) -> dict[str, Any]:
    """The crossed sums of a change, where all its samples have the same test examples."""
    first = used[0][0].correct
    if first is None or len({sample.setting.dataset for sample, _ in used}) > 1:
        return {}
    cells = np.zeros((len(seeds), first.shape[1]), dtype=_small_enough(used))
    for sample, weight in used:
        assert sample.correct is not None
        cells += int(weight) * sample.correct[positions(sample, seeds)].view(np.int8)
    return {"cells": crossed_sums(cells), "cell_step": 100 / divisor}


def _small_enough(used: Sequence[Term]) -> type[np.signedinteger]:
    largest = sum(abs(weight) for _, weight in used)
    return np.int8 if largest < 128 else np.int16 if largest < 2**15 else np.int64
