"""Tables -> contrasts and verdicts: which numbers of which arms are paired, tested and corrected.

The statistics themselves are in bench.statistics; this package knows studies, settings and families
(protocol: docs/method.md). A new statistical test is a function there, and in comparisons.py a
field of Comparison, the line that fills it and its column in Comparison.row.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from bench.analysis.belief import FloatCheck, believed
from bench.analysis.comparisons import METHODS, Comparison, compare
from bench.analysis.design import Design
from bench.analysis.inside import Harm, Inside, harms
from bench.analysis.looks import at_looks, taken
from bench.analysis.outcome import Analysis, Checks
from bench.analysis.pairs import all_pairs
from bench.analysis.records import (
    DETAILED,
    DETAILED_SEEDS,
    DISAGREEING,
    POPULATIONS,
    Pairs,
    Population,
    Sample,
    Setting,
    Value,
    Varying,
)
from bench.analysis.samples import StudyRows
from bench.analysis.split import Split, splits
from bench.store import layers
from bench.store.results import Results
from bench.study import Study, designs
from bench.study.arms import Contrast
from bench.study.heading import heading

__all__ = [
    "DETAILED_SEEDS",
    "DISAGREEING",
    "METHODS",
    "POPULATIONS",
    "Analysis",
    "Checks",
    "Comparison",
    "Design",
    "FloatCheck",
    "Harm",
    "Inside",
    "Pairs",
    "Population",
    "Sample",
    "Setting",
    "Split",
    "Value",
    "Varying",
    "analyze",
    "analyze_samples",
    "splits",
]


def analyze(results: Results) -> Analysis:
    """Every contrast of a result folder's study, at every setting.

    Only cells that the study names count, whatever else the folder holds. Raises InputError where
    labels or predictions do not fit each other.
    """
    rows = StudyRows(results)
    study = rows.study
    made = analyze_samples(
        tuple(rows.samples()),
        study.contrasts,
        primary=study.primary_contrasts,
        title=heading(study),
        alpha=study.alpha,
        deltas={metric.name: metric.delta for metric in results.metrics},
        design=_design(study),
    )
    comparisons = made.comparisons
    if study.sequential is not None:
        known = taken(results.looks, results.study)
        comparisons = tuple(at_looks(c, study, study.sequential, known) for c in comparisons)
    checks, float_checks = rows.checks(), rows.float_checks()
    costs, seed_seconds = rows.costs()
    wrong = {(each.arm, each.claimed): each.found for each in checks.wrong_formats}
    return replace(
        made,
        comparisons=believed(comparisons, float_checks, wrong),
        study=study,
        checks=checks,
        environment=results.environment,
        float_checks=float_checks,
        insides=rows.insides(),
        harms=harms(made.samples, results.labels),
        layers=layers.encoded(results.cells),
        costs=costs,
        seed_seconds=seed_seconds,
    )


def _design(study: Study) -> Design:
    return Design(
        reference={name: study.baseline_of(name) for name in study.factors},
        declared=study.primary_effects,
        is_primary=lambda setting: study.is_primary_at(dict(setting.factors)),
        recipes=study.by_recipe,
        metric=study.metrics[0],
        asked=lambda contrast, setting: designs.asks(
            study,
            (contrast.a, contrast.b),
            (str(setting.dataset), str(setting.model), setting.budget or 0),
            setting.factors,
            setting.extra,
        ),
    )


def analyze_samples(
    samples: Sequence[Sample],
    contrasts: Sequence[Contrast],
    *,
    primary: Collection[str],
    title: str,
    alpha: float,
    deltas: Mapping[str, float | None],
    design: Design = Design(),  # noqa: B008
) -> Analysis:
    """Every contrast at every setting that has both its arms.

    primary: names of the contrasts declared in advance; deltas: metric -> the smallest difference
    that matters, in the metric's unit; design: which settings are primary, and what effects are
    counted from.
    """
    pairs = all_pairs(contrasts, primary, samples, deltas, design)
    return Analysis(
        title=title,
        alpha=alpha,
        study=None,
        contrasts=tuple(contrasts),
        samples=tuple(samples),
        comparisons=tuple(compare(pairs, primary, alpha, design)),
        detailed=len(pairs) <= DETAILED,
        checks=Checks(),
        environment={},
    )
