"""Samples -> pairs: by seed identity, and over budgets the interaction and the slope."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench.analysis.records import Pairs, Sample, Setting, positions
from bench.errors import InputError
from bench.statistics import decimals, interaction, paired
from bench.statistics.checks import IntArray
from bench.statistics.crossed import CrossedSums
from bench.study.arms import Contrast

LARGEST_WHOLE = 10**15
"""Of differences in steps: below it their sums over budgets fit in 64 bits and in a float."""


def _paired_settings(
    contrast: Contrast, samples: Sequence[Sample]
) -> Iterator[tuple[Setting, tuple[Sample, Sample]]]:
    """Every setting at which both arms stand, with their samples.

    An arm without epochs more (extra None) stands beside every extra of the other.
    """
    by_place: dict[tuple[Setting, str], dict[str, dict[int | None, Sample]]] = {}
    for sample in samples:
        if sample.arm in (contrast.a, contrast.b):
            place = (replace(sample.setting, extra=None), sample.metric)
            by_place.setdefault(place, {}).setdefault(sample.arm, {})[sample.setting.extra] = sample
    for (setting, _), arms in by_place.items():
        a, b = arms.get(contrast.a, {}), arms.get(contrast.b, {})
        for extra in sorted(set(a) | set(b), key=lambda k: (k is not None, k)):
            if extra is None and set(a) | set(b) != {None}:
                continue
            first, second = a.get(extra, a.get(None)), b.get(extra, b.get(None))
            if first is None or second is None:
                continue
            if first.seeds or second.seeds or first.correct is not None:  # else never measured
                yield replace(setting, extra=extra), (first, second)


def all_pairs(
    contrasts: Iterable[Contrast],
    primary: Collection[str],
    samples: Sequence[Sample],
    deltas: Mapping[str, float | None],
) -> list[Pairs]:
    """Every contrast at every setting, then how the primary ones change with the budget."""
    pairs = [
        _pair(contrast, setting, arms, deltas.get(arms[0].metric))
        for contrast in contrasts
        for setting, arms in _paired_settings(contrast, samples)
    ]
    by_panel: dict[tuple[str, Setting, str], list[Pairs]] = {}
    for one in pairs:
        if one.contrast.name in primary and one.setting.budget is not None:
            key = (one.contrast.name, one.setting.panel, one.metric)
            by_panel.setdefault(key, []).append(one)
    for together in by_panel.values():
        if len(together) > 1:
            pairs += _over_budgets(together)
    return pairs


def _pair(
    contrast: Contrast, setting: Setting, arms: tuple[Sample, Sample], delta: float | None
) -> Pairs:
    """Pair two samples by seed identity."""
    a, b = arms
    seeds = tuple(sorted(set(a.seeds) & set(b.seeds)))
    at_a, at_b = positions(a, seeds), positions(b, seeds)
    whole, cells, churn, step = None, None, None, 1.0
    d = paired.subtract(a.values[at_a], b.values[at_b]) if seeds else np.empty(0)
    if a.whole is not None and b.whole is not None and seeds:
        whole = a.whole[at_a] - b.whole[at_b]
        step = a.step
        d = decimals.in_unit(whole, step)
        whole = whole if abs(whole).max() <= LARGEST_WHOLE else None
    if a.correct is not None and b.correct is not None and seeds:
        if a.correct.shape[1] != b.correct.shape[1]:
            raise InputError(
                f"cells, {contrast.name}",
                f"{a.correct.shape[1]} and {b.correct.shape[1]} test examples",
                "allowed: the same test examples for both arms",
            )
        n_examples = a.correct.shape[1]
        whole = a.counts[at_a] - b.counts[at_b]
        step = 100 / n_examples
        d = 100 * whole / n_examples
        churn = paired.churn(_rows(a.correct, at_a), _rows(b.correct, at_b))
        cells = CrossedSums(
            seeds=whole,
            examples=_by_example(a, at_a) - _by_example(b, at_b),
            squares=round(churn.total * len(seeds) * n_examples),
        )
    mixed = 0
    if a.machines and b.machines:
        mixed = sum(a.machines[i] != b.machines[j] for i, j in zip(at_a, at_b, strict=True))
    return Pairs(
        kind="contrast",
        setting=setting,
        contrast=contrast,
        samples=(a, b),
        metric=a.metric,
        unit=a.unit,
        planned=len(set(a.planned) | set(b.planned)),
        seeds=seeds,
        d=d,
        whole=whole,
        step=step,
        delta=delta,
        cells=cells,
        churn=churn,
        mixed=mixed,
        lower_is_better=a.lower_is_better,
    )


def _over_budgets(pairs: Sequence[Pairs]) -> Iterator[Pairs]:
    """Per seed, the contrast at the smallest budget minus that at the largest, and its slope.

    pairs: one contrast at two or more budgets of one panel.
    """
    budgets = np.array([one.setting.budget for one in pairs], dtype=np.float64)
    seeds = tuple(sorted(set.intersection(*(set(one.seeds) for one in pairs))))
    first, last = pairs[int(budgets.argmin())], pairs[int(budgets.argmax())]
    doublings = float(np.log2(budgets.max() / budgets.min()))
    base = Pairs(
        kind="interaction",
        setting=first.setting.panel,
        contrast=first.contrast,
        samples=(*first.samples, *last.samples),
        metric=first.metric,
        unit=first.unit,
        planned=first.planned,
        seeds=seeds,
        d=np.empty(0),
        mixed=max(one.mixed for one in pairs),
        step=first.step,
        delta=first.delta,
        lower_is_better=first.lower_is_better,
    )
    slope = replace(base, kind="slope", unit=f"{first.unit} per doubling", doublings=doublings)
    if not seeds:
        yield from (base, slope)
        return
    at = [np.searchsorted(np.array(one.seeds), seeds) for one in pairs]
    d = np.column_stack([one.d[rows] for one, rows in zip(pairs, at, strict=True)])
    change = interaction.smallest_minus_largest(d, budgets)
    trend = interaction.slope_per_doubling(d, budgets)
    if any(one.whole is None for one in pairs):
        yield from (replace(base, d=change), replace(slope, d=trend))
        return
    counts = np.column_stack(
        [one.whole[rows] for one, rows in zip(pairs, at, strict=True) if one.whole is not None]
    )
    whole = interaction.smallest_minus_largest(counts, budgets)
    cells = None if first.cells is None else _cells_of_change(base.samples, seeds, whole)
    yield replace(base, d=change, whole=whole, cells=cells)
    # Budgets that are powers of two have whole weights, and so an exact test.
    logs = np.log2(budgets)
    weights = len(logs) * logs - logs.sum()
    if not np.array_equal(logs, np.rint(logs)):
        yield replace(slope, d=trend)
        return
    step = first.step * len(logs) / float(weights @ weights)
    yield replace(slope, d=trend, whole=counts @ weights.astype(np.int64), step=step)


def _cells_of_change(
    samples: Sequence[Sample], seeds: Sequence[int], whole: IntArray
) -> CrossedSums | None:
    """Sums of (a - b) at the smallest budget minus (a - b) at the largest, cells -2 to 2."""
    signs = (1, -1, -1, 1)
    first = samples[0].correct
    assert first is not None
    cells = np.zeros((len(seeds), first.shape[1]), dtype=np.int8)
    for sample, sign in zip(samples, signs, strict=True):
        assert sample.correct is not None
        cells += sign * _rows(sample.correct, positions(sample, seeds)).view(np.int8)
    squares = int(np.square(cells).sum(dtype=np.int64))
    if squares > cells.size:  # more than any contrast of correctness has; see CrossedSums
        return None
    return CrossedSums(whole, cells.sum(axis=0, dtype=np.int64), squares)


def _rows(correct: NDArray[np.bool_], at: IntArray) -> NDArray[np.bool_]:
    return correct if len(at) == len(correct) else correct[at]


def _by_example(sample: Sample, at: IntArray) -> IntArray:
    assert sample.correct is not None
    sums: IntArray = _rows(sample.correct, at).sum(axis=0, dtype=np.int64)
    return sums
