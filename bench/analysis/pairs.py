"""Samples -> pairs: by seed identity, each contrast at every setting that has both its arms."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.changes import changes
from bench.analysis.design import Design
from bench.analysis.records import Pairs, Sample, Setting, Value, shared
from bench.analysis.right import Correct
from bench.analysis.sums import LARGEST_WHOLE
from bench.errors import InputError
from bench.statistics import decimals, paired
from bench.statistics.checks import FloatArray, IntArray
from bench.statistics.crossed import CrossedSums, MeanSquares, real_mean_squares
from bench.statistics.groups import group_sums
from bench.study.arms import Contrast
from bench.study.factors import RANDOMNESS, SOURCES


def all_pairs(
    contrasts: Iterable[Contrast],
    primary: Collection[str],
    samples: Sequence[Sample],
    deltas: Mapping[str, float | None],
    design: Design,
) -> list[Pairs]:
    """Every contrast at every setting, then how the primary ones change with budget and factors;
    of others only what is declared."""
    pairs = [
        _pair(contrast, setting, arms, deltas.get(arms[0].metric))
        for contrast in contrasts
        for setting, arms in _paired_settings(contrast, samples)
        if design.asked(contrast, setting) and not _is_pinned(setting)
    ]
    possible = [one for one in pairs if not one.impossible]
    of_primary = [one for one in possible if one.contrast.name in primary]
    declared = {effect.contrast for effect in design.declared} - set(primary)
    others = [one for one in possible if one.contrast.name in declared]
    made = changes([*of_primary, *others], design)
    return pairs + [one for one in made if one.contrast.name in primary or one.declared]


def pinned_pairs(contrasts: Iterable[Contrast], samples: Sequence[Sample]) -> Iterator[Pairs]:
    """Every contrast where one source of randomness varies and the others are pinned: nothing is
    tested there."""
    held = [sample for sample in samples if _is_pinned(sample.setting)]
    for contrast in contrasts:
        for setting, arms in _paired_settings(contrast, held):
            yield _pair(contrast, setting, arms, None)


def _is_pinned(setting: Setting) -> bool:
    return dict(setting.factors).get(RANDOMNESS) in SOURCES


def _paired_settings(
    contrast: Contrast, samples: Sequence[Sample]
) -> Iterator[tuple[Setting, tuple[Sample, Sample]]]:
    """Every setting at which both arms stand, with their samples.

    A sample stands beside every level of a factor that reaches the other arm alone, and an arm
    without epochs more (extra None) beside every extra of the other. The setting holds what
    reaches either.
    """
    of_a = [s for s in samples if s.arm == contrast.a]
    of_b = [s for s in samples if s.arm == contrast.b]
    shared = {name for s in of_a for name, _ in s.setting.factors} & {
        name for s in of_b for name, _ in s.setting.factors
    }
    beside: dict[tuple[object, ...], list[Sample]] = {}
    for b in of_b:
        beside.setdefault(_place(b, shared), []).append(b)
    found: dict[tuple[Setting, str], tuple[Sample, Sample]] = {}
    for a in of_a:
        for b in beside.get(_place(a, shared), ()):
            extras = {s.setting.extra for s in (a, b)} - {None}
            if len(extras) > 1:
                continue
            setting = _union(a.setting, b.setting, next(iter(extras), None))
            if not (a.seeds or b.seeds or a.n_examples is not None):
                continue  # never measured: no contrast, and none to count
            known = found.get((setting, a.metric))
            if known is None or _explicit(a, b) > _explicit(*known):
                found[setting, a.metric] = (a, b)
    alone = {(replace(s, extra=None), metric) for s, metric in found if s.extra is not None}
    panels = dict.fromkeys((s.panel, metric) for s, metric in found)
    order = {panel: at for at, panel in enumerate(panels)}
    for setting, metric in sorted(found, key=lambda key: order[key[0].panel, key[1]]):
        if setting.extra is not None or (setting, metric) not in alone:
            yield setting, found[setting, metric]


def _place(sample: Sample, shared: Collection[str]) -> tuple[object, ...]:
    setting = sample.setting
    factors = tuple((name, level) for name, level in setting.factors if name in shared)
    return setting.dataset, setting.model, setting.budget, factors, sample.metric


def _union(a: Setting, b: Setting, extra: int | None) -> Setting:
    if a.factors == b.factors:
        return replace(a, extra=extra)
    longer, other = (a, b) if len(a.factors) >= len(b.factors) else (b, a)
    levels: dict[str, Value] = dict(longer.factors) | dict(other.factors)
    return replace(a, factors=tuple(levels.items()), extra=extra)


def _explicit(a: Sample, b: Sample) -> int:
    """How many of two samples have a value for `extra`: where two pairs fit one setting, the pair
    that states more of it is taken."""
    return sum(sample.setting.extra is not None for sample in (a, b))


def _pair(
    contrast: Contrast, setting: Setting, arms: tuple[Sample, Sample], delta: float | None
) -> Pairs:
    """Pair two samples by seed identity. Seeds in which a value is not finite are left out."""
    a, b = arms
    both = shared(a.seeds, b.seeds)
    seeds = shared(both, a.finite, b.finite)
    at_a, at_b = a.positions(seeds), b.positions(seeds)
    whole, churn, step = None, None, 1.0
    cells: CrossedSums | MeanSquares | None = None
    d = paired.subtract(a.values[at_a], b.values[at_b]) if seeds else np.empty(0)
    if a.whole is not None and b.whole is not None and seeds:
        whole = a.whole[at_a] - b.whole[at_b]
        step = a.step
        d = decimals.in_unit(whole, step)
        whole = whole if abs(whole).max() <= LARGEST_WHOLE else None
    if None not in (a.n_examples, b.n_examples) and a.n_examples != b.n_examples and seeds:
        raise InputError(
            f"cells, {contrast.name}",
            f"{a.n_examples} and {b.n_examples} test examples",
            "allowed: the same test examples for both arms",
        )
    groups = None
    if a.correct is not None and b.correct is not None and seeds:
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
    elif a.n_examples is not None and b.n_examples is not None and seeds:
        cells = real_mean_squares(_differences(a, b, seeds))
    if cells is not None and a.groups is not None:
        groups = group_sums(_differences(a, b, seeds), a.groups)
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
        groups=groups,
        not_finite=tuple(_worse(a, b, seed) for seed in sorted(set(both) - set(seeds))),
        cell_step=a.scale,
        churn=churn,
        mixed=mixed,
        lower_is_better=a.lower_is_better,
        draws=_by_draw(a, b, seeds),
    )


def _by_draw(a: Sample, b: Sample, seeds: Sequence[int]) -> FloatArray | None:
    """a minus b by calibration draw, (seeds, draws): an arm without draws stands beside each."""
    if a.draws is None and b.draws is None:
        return None
    of = [s.at(seeds)[:, None] if s.draws is None else s.draws[s.positions(seeds)] for s in (a, b)]
    if of[0].shape[1] != of[1].shape[1] and 1 not in (of[0].shape[1], of[1].shape[1]):
        return None
    difference: FloatArray = of[0] - of[1]
    return difference


def _differences(a: Sample, b: Sample, seeds: Sequence[int]) -> NDArray[Any]:
    """a minus b, (seeds, examples): whole numbers of right and wrong, else float64."""
    of_a, of_b = a.cells(seeds), b.cells(seeds)
    assert of_a is not None, "only where examples are known"
    assert of_b is not None, "only where examples are known"
    kind = np.int8 if of_a.dtype == of_b.dtype == np.bool_ else np.float64
    difference: NDArray[Any] = of_a.astype(kind) - of_b.astype(kind)
    return difference


def _worse(a: Sample, b: Sample, seed: int) -> int:
    """Of a seed in which a value is not finite, the sign of a minus b, where what is not finite is
    the worst that can be: 0 where both are."""
    direction = 1 if a.lower_is_better else -1
    return direction * ((seed not in a.finite) - (seed not in b.finite))


def _rows(correct: Correct, at: IntArray) -> NDArray[np.bool_]:
    return np.asarray(correct) if len(at) == len(correct) else correct[at]


def _by_example(sample: Sample, at: IntArray) -> IntArray:
    assert sample.correct is not None
    sums: IntArray = _rows(sample.correct, at).sum(axis=0, dtype=np.int64)
    return sums
