"""Several result folders -> studies -> one random-effects estimate of each contrast over them.

The protocol's "Over studies" (docs/method.md); the mathematics is bench.statistics.meta.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite, sqrt
from pathlib import Path

import numpy as np

from bench.analysis import Comparison, analyze_samples
from bench.analysis.belief import believed
from bench.analysis.records import Setting
from bench.analysis.settings import Wanted, is_wanted, named, refuse_unknown, varying
from bench.analysis.studies import Study, studies_of
from bench.errors import InputError, nearest
from bench.statistics.checks import Interval
from bench.statistics.conjunction import Directions, Holds, directions, equivalent
from bench.statistics.crossed import CrossedSums
from bench.statistics.families import Verdict, adjusted
from bench.statistics.meta import Pooled, pool, study_variance
from bench.statistics.student import t_interval
from bench.study.arms import Contrast

MOST_NAMED = 12
"""Settings that an error names."""


@dataclass(frozen=True)
class Part:
    """One contrast in one study. mean, se, delta in `unit`; step: what one test example is; seeds:
    pairs; examples: None where the SE is for new seeds on that test set alone. qualified: what must
    be said beside it."""

    study: str
    place: str
    metric: str
    unit: str
    mean: float
    se: float
    df: float
    step: float
    seeds: int
    examples: int | None
    delta: float | None
    lower_is_better: bool | None = False
    qualified: tuple[str, ...] = ()

    @property
    def variance(self) -> float:
        return study_variance(self.se, self.step, self.seeds)

    def interval(self, alpha: float) -> Interval:
        found = t_interval(self.mean, sqrt(self.variance), self.df, alpha)
        assert found is not None
        return found


@dataclass(frozen=True)
class Synthesis:
    """One contrast over its studies. p_adjusted: by Holm over the contrasts, None below three
    studies; alike: equivalence within the common delta, None where there is none."""

    contrast: Contrast
    parts: tuple[Part, ...]
    pooled: Pooled
    p_adjusted: float | None
    directions: Directions
    alike: Holds | None
    alpha: float

    @property
    def name(self) -> str:
        return self.contrast.name

    @property
    def unit(self) -> str:
        return self.parts[0].unit

    @property
    def delta(self) -> float | None:
        """That all its studies share."""
        deltas = {part.delta for part in self.parts}
        return self.parts[0].delta if len(deltas) == 1 else None

    @property
    def interval(self) -> Interval | None:
        return self.pooled.interval(self.alpha)

    @property
    def prediction(self) -> Interval | None:
        return self.pooled.prediction(self.alpha)

    @property
    def weights(self) -> tuple[float, ...]:
        """Of each study in the mean, summing to 1."""
        between = self.pooled.tau2 or 0.0
        raw = [1 / (part.variance + between) for part in self.parts]
        return tuple(weight / sum(raw) for weight in raw)

    @property
    def holds(self) -> Holds:
        """In how many studies the mean's direction holds."""
        return self.directions.positive if self.pooled.mean >= 0 else self.directions.negative


@dataclass(frozen=True)
class Together:
    """Everything that a report over studies says. notes: what must be said first."""

    studies: tuple[Study, ...]
    syntheses: tuple[Synthesis, ...]
    alpha: float
    overall: bool
    notes: tuple[str, ...]


def synthesize(
    folders: Sequence[Path],
    *,
    settings: Wanted | None = None,
    contrasts: Sequence[str] = (),
    metric: str | None = None,
    overall: bool = False,
    alpha: float = 0.05,
) -> Together:
    """Pool every contrast that two studies or more have.

    settings: field -> level of those that count; contrasts: names of those that count, all where
    empty; overall: take a study's mean over its settings where several are left. Raises InputError
    where they are left without it, and for anything else that cannot be pooled.
    """
    if not 0 < alpha < 0.5:
        raise InputError("--alpha", f"found {alpha:g}", "allowed: between 0 and 0.5")
    studies = studies_of(folders)
    refuse_unknown((s.setting for one in studies for s in one.samples), settings or {})
    notes: dict[str, None] = {}
    parts: dict[Contrast, list[Part]] = {}
    for study in studies:
        for contrast, part in _parts(study, settings or {}, contrasts, metric, overall, notes):
            parts.setdefault(contrast, []).append(part)
    _refuse_unknown_contrasts(contrasts, studies)
    pooled = {contrast: found for contrast, found in parts.items() if len(found) > 1}
    if not pooled:
        what = f"{len(studies)} {'study' if len(studies) == 1 else 'studies'}"
        names = ", ".join(f"({study.name})" for study in studies)
        said = " ".join(["", *notes])
        raise InputError(
            "FOLDER",
            f"{what} {names}, and no contrast in two of them.{said}",
            "allowed: folders of two studies or more; those of the same data, model and recipe are "
            "one",
        )
    alone = [contrast.name for contrast in parts if contrast not in pooled]
    if alone:
        notes[f"Only one study has {', '.join(alone)}: left out."] = None
    for contrast, found in pooled.items():
        _refuse_unlike(contrast, found, notes)
    made = [_pooled(contrast, found, alpha) for contrast, found in pooled.items()]
    p = adjusted([one.pooled.p for one in made], "holm")
    syntheses = tuple(replace(one, p_adjusted=q) for one, q in zip(made, p, strict=True))
    return Together(
        studies=studies,
        syntheses=syntheses,
        alpha=alpha,
        overall=overall,
        notes=(*_of_studies(studies), *notes),
    )


def _parts(
    study: Study,
    settings: Wanted,
    contrasts: Sequence[str],
    metric: str | None,
    overall: bool,
    notes: dict[str, None],
) -> Iterator[tuple[Contrast, Part]]:
    asked = [c for c in study.contrasts if not contrasts or c.name in contrasts]
    if metric is not None and metric not in study.metrics:
        what = f"no {metric!r} in {study.name}"
        raise InputError("--metric", what, nearest(metric, study.metrics))
    samples = [s for s in study.samples if s.metric == (metric or study.metrics[0])]
    if not asked or not samples:
        return
    made = analyze_samples(
        [s for s in samples if _may_count(s.setting, settings)],
        asked,
        primary=[c.name for c in asked] if overall else (),
        title="",
        alpha=0.05,
        deltas=study.deltas,
    )
    comparisons = believed(made.comparisons, study.checks, study.wrong_formats)
    for contrast in asked:
        of_it = [c for c in comparisons if c.pairs.contrast == contrast and c.pairs.n]
        plain = [c for c in of_it if c.pairs.kind == "contrast" and is_wanted(c.setting, settings)]
        found = _one(study, contrast, plain, of_it, overall)
        if found is None:
            continue
        if found.verdict == Verdict.WITHHELD:
            notes[f"{study.name}: {contrast.name} is left out: {'; '.join(found.withheld)}."] = None
            continue
        part = _part(study, found, plain)
        if part is None:
            notes[
                f"{study.name}: {contrast.name} is left out: its spread over seeds is not known."
            ] = None
        else:
            yield contrast, part


def _may_count(setting: Setting, settings: Wanted) -> bool:
    """Is a sample at none but the wanted levels, as far as it has them?"""
    there = {name: level for name, level in settings.items() if name in setting.fields()}
    without = {
        name: level for name, level in there.items() if setting.fields()[name] is not None
    }  # an arm without epochs more stands beside every k
    return is_wanted(setting, without)


def _one(
    study: Study,
    contrast: Contrast,
    plain: Sequence[Comparison],
    all_of_it: Sequence[Comparison],
    overall: bool,
) -> Comparison | None:
    """The comparison that stands for the contrast in the study, for new examples too where it can.
    Raises InputError where several settings are left."""
    settings = list(dict.fromkeys(c.setting for c in plain))
    if len(settings) > 1 and not overall:
        fields = varying(settings)
        shown = [named(setting, fields) for setting in settings[:MOST_NAMED]]
        more = f" and {len(settings) - MOST_NAMED} more" if len(settings) > MOST_NAMED else ""
        choices = " ".join(f"--setting {name}=..." for name in fields)
        raise InputError(
            ", ".join(study.folders),
            f"{len(settings)} settings of {contrast.name} in one study ({study.name}): "
            f"{'; '.join(shown)}{more}",
            f"allowed: one; {choices} chooses, --overall takes their mean",
        )
    candidates = plain
    if len(settings) > 1:
        candidates = [c for c in all_of_it if c.pairs.kind == "overall"]
    crossed = [c for c in candidates if c.population == "seeds+examples" and c.estimate is not None]
    return next(iter(crossed or candidates), None)


def _part(study: Study, c: Comparison, plain: Sequence[Comparison]) -> Part | None:
    """None where nothing is known of its spread."""
    estimate, pairs = c.estimate, c.pairs
    if estimate is None or estimate.se is None or estimate.df is None:
        return None
    if not (isfinite(estimate.mean) and isfinite(estimate.se)):
        return None
    examples = pairs.n_examples if c.population == "seeds+examples" else None
    step = 0.0  # values that are no counts can be anything
    if isinstance(pairs.cells, CrossedSums) and pairs.n_examples:
        step = pairs.cell_step / pairs.n_examples
    settings = list(dict.fromkeys(one.setting for one in plain))
    several = len(settings) > 1
    place = f"mean of {len(settings)} settings" if several else named(settings[0], ("budget",))
    part = Part(
        study=study.name,
        place=place,
        metric=pairs.metric,
        unit=pairs.unit,
        mean=estimate.mean,
        se=estimate.se,
        df=estimate.df,
        step=step,
        seeds=c.n_seeds,
        examples=examples,
        delta=pairs.delta,
        lower_is_better=pairs.lower_is_better,
        qualified=(*c.qualified, *_not_finite(c)),
    )
    return part if part.variance > 0 else None


def _not_finite(c: Comparison) -> Iterator[str]:
    if n := len(c.pairs.not_finite):
        yield f"{n} of its seeds are left out: a model's {c.pairs.metric} is not finite there"


def _refuse_unknown_contrasts(contrasts: Sequence[str], studies: Sequence[Study]) -> None:
    there = dict.fromkeys(c.name for study in studies for c in study.contrasts)
    for name in contrasts:
        if name not in there:
            raise InputError("--contrast", f"no {name!r}", nearest(name, there))


def _refuse_unlike(contrast: Contrast, parts: Sequence[Part], notes: dict[str, None]) -> None:
    metrics: dict[tuple[str, str], list[str]] = {}
    deltas: dict[float | None, list[str]] = {}
    for part in parts:
        metrics.setdefault((part.metric, part.unit), []).append(part.study)
        deltas.setdefault(part.delta, []).append(part.study)
    if len(metrics) > 1:
        said = "; ".join(
            f"{metric} ({unit}) of {_all(of)}" for (metric, unit), of in metrics.items()
        )
        raise InputError(
            "FOLDER", f"{contrast.name} by unlike metrics: {said}", "allowed: one (--metric)"
        )
    if len(deltas) > 1:
        said = "; ".join(
            f"{'none' if delta is None else f'{delta:g} {parts[0].unit}'} in {_all(of)}"
            for delta, of in deltas.items()
        )
        notes[
            f"The studies declare unlike smallest differences that matter (Δ): {said}. Nothing is "
            "said of equivalence."
        ] = None


def _all(names: Sequence[str]) -> str:
    return ", ".join(names)


def _pooled(contrast: Contrast, parts: Sequence[Part], alpha: float) -> Synthesis:
    tests = [_Spread(part.mean, sqrt(part.variance), part.df) for part in parts]
    deltas = {part.delta for part in parts}
    delta = parts[0].delta if len(deltas) == 1 else None
    return Synthesis(
        contrast=contrast,
        parts=tuple(parts),
        pooled=pool(
            np.array([part.mean for part in parts]), np.array([part.variance for part in parts])
        ),
        p_adjusted=None,
        directions=directions(tests, alpha),
        alike=None if delta is None else equivalent(tests, delta, alpha),
        alpha=alpha,
    )


@dataclass(frozen=True)
class _Spread:
    """A study's estimate with the error that rounding to whole examples leaves at least."""

    mean: float
    se: float
    df: float


def _of_studies(studies: Sequence[Study]) -> Iterator[str]:
    """What of the studies must be said before any number."""
    for study in studies:
        for note in study.notes:
            yield f"{study.name}: {note}"
    shared: dict[bytes, list[str]] = {}
    for study in studies:
        shared.setdefault(study.test_set, []).append(study.name)
    for names in shared.values():
        if len(names) > 1:
            yield (
                f"{'; '.join(names)} share a test set: they are no independent studies, and what "
                "is said over them holds for that test set only."
            )
