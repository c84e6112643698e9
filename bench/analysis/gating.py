"""`gate`: may the new one be released? One contrast at all its settings, by non-inferiority.

The protocol's "Decisions" (docs/method.md); the decision itself is bench.statistics.gate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench.analysis import Comparison, analyze_samples
from bench.analysis.belief import believed
from bench.analysis.looks import at_looks, taken
from bench.analysis.records import POPULATIONS, Population, Sample, Value
from bench.analysis.samples import StudyRows
from bench.analysis.settings import is_wanted, named, refuse_unknown, varying
from bench.errors import InputError, nearest
from bench.statistics.checks import Interval
from bench.statistics.families import Verdict
from bench.statistics.gate import (
    Decision,
    Gate,
    decide,
    fewest_seeds,
    gate_seeds,
    gate_several,
    seeds_to_pass,
)
from bench.statistics.groups import Grouped
from bench.store import folder as store
from bench.store.files import shown
from bench.store.results import Results
from bench.study.arms import Contrast

Outcome = Literal["passed", "failed", "undecided", "withheld"]
Better = Literal["higher", "lower"]
Counted = Literal["seeds", "test examples", "groups"]

BASELINE = "baseline"
MOST_SEEDS = 10**6
"""Needed seeds beyond which no number is given."""


@dataclass(frozen=True)
class Asked:
    """contrast: `new - old`; margin: in the metric's unit, > 0; alpha: of each wrong decision;
    settings: field -> level of those that count, all where empty; metric: where there are several;
    better: which direction of it is, None: as the metric says."""

    contrast: str
    margin: float
    alpha: float = 0.05
    settings: Mapping[str, str] = field(default_factory=dict)
    population: Population = "seeds"
    metric: str | None = None
    better: Better | None = None

    def __post_init__(self) -> None:
        if not (self.margin > 0 and isfinite(self.margin)):
            raise InputError("--margin", f"found {self.margin:g}", "allowed: greater than 0")
        if not 0 < self.alpha < 0.5:
            raise InputError("--alpha", f"found {self.alpha:g}", "allowed: between 0 and 0.5")
        if self.population not in POPULATIONS:
            allowed = f"allowed: {', '.join(POPULATIONS)}"
            raise InputError("--population", repr(self.population), allowed)


@dataclass(frozen=True)
class AtSetting:
    """The decision at one setting.

    place: its name among the others; mean, interval (at 1 - 2 alpha): new minus old, in the
    metric's unit, None where there is none; n: pairs of seeds, or of two files test examples, or
    groups of these;
    needed: as many of these pass with 80% power if there is no difference, where it is undecided;
    why: what withholds it, or why it cannot be decided.
    """

    setting: Mapping[str, Value]
    place: str
    outcome: Outcome
    mean: float | None
    interval: Interval | None
    n: int
    needed: int | None = None
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """The decision over all settings. lower_is_better: of the metric; counted: what n counts;
    notes: what must be said beside it."""

    contrast: str
    metric: str
    unit: str
    lower_is_better: bool
    margin: float
    alpha: float
    outcome: Outcome
    counted: Counted
    settings: tuple[AtSetting, ...]
    notes: tuple[str, ...] = ()


def of_folder(folder: Path, asked: Asked, baseline: Path | None = None, arm: str = "") -> Release:
    """Of a result folder; with a baseline: of one arm there against the same arm of an older run's
    folder, paired by seed. Raises InputError."""
    results = store.read(folder)
    rows = StudyRows(results)
    asked = replace(asked, metric=metric_of(results, asked.metric))
    samples = [s for s in rows.samples() if s.metric == asked.metric]
    checks, wrong = rows.float_checks(), _wrong(rows)
    notes: list[str] = []
    if not rows.checks().complete:
        counts = rows.checks()
        notes.append(f"{counts.with_result:,} of {counts.planned:,} planned models have a result")
    if baseline is None:
        contrast = contrast_of(asked.contrast, [s.arm for s in samples])
    else:
        old = StudyRows(store.read(baseline))
        samples, contrast = _against(folder, samples, baseline, old, arm)
        checks = (*checks, *old.float_checks())
        for key, found in _wrong(old).items():
            if key[0] == arm:
                wrong.setdefault(key, f"{found} in the baseline")
    made = analyze_samples(
        samples, (contrast,), primary=(), title="", alpha=2 * asked.alpha, deltas={}
    )
    comparisons = believed(made.comparisons, checks, wrong)
    sequential = rows.study.sequential is not None
    if sequential and asked.population != "seeds":
        raise InputError(
            "--population",
            f"{asked.population!r} of a study whose seeds were added by looks",
            "allowed: seeds",
        )
    if sequential:
        # Looks at a maximum that was declared: the repeated interval at 2 alpha.
        study = rows.study.model_copy(update={"alpha": 2 * asked.alpha})
        known = taken(results.looks, results.study) if baseline is None else {}
        assert study.sequential is not None
        comparisons = tuple(
            at_looks(replace(c, family="primary", m=1), study, study.sequential, known)
            for c in comparisons
        )
    return _decided(comparisons, asked, contrast.name, notes, sequential)


def of_table(table: Path, asked: Asked, **options: Any) -> Release:
    """Of somebody's own table; options: of table.analyze_table. Raises InputError."""
    from bench.analysis.table import analyze_table

    try:
        made = analyze_table(table, contrasts=[asked.contrast], alpha=2 * asked.alpha, **options)
    except InputError as error:
        if error.where == "--contrasts":
            raise InputError("--contrast", error.found, error.allowed) from None
        raise
    if asked.population not in {c.population for c in made.comparisons}:
        found = f"{asked.population!r} of a table without predictions per test example"
        raise InputError("--population", found, "allowed: seeds")
    comparisons = [c for c in made.comparisons if asked.metric in (None, c.pairs.metric)]
    names = [c.name for c in comparisons if c.pairs.kind == "contrast"]
    return _decided(comparisons, asked, names[0] if names else asked.contrast)


def metric_of(results: Results, asked: str | None) -> str:
    """The metric that is asked for, the folder's first one where none is. Raises InputError."""
    names = [metric.name for metric in results.metrics]
    if asked is not None and asked not in names:
        raise InputError("--metric", f"no {asked!r}", nearest(asked, names))
    return asked or names[0]


def contrast_of(name: str, arms: Sequence[str]) -> Contrast:
    """`a - b` of arms that are there. Raises InputError."""
    there = list(dict.fromkeys(arms))
    parts = name.split(" - ")
    for i in range(1, len(parts)):
        a, b = " - ".join(parts[:i]).strip(), " - ".join(parts[i:]).strip()
        if a in there and b in there and a != b:
            return Contrast(a, b, "")
    if len(parts) == 1 or parts[0].strip() == parts[-1].strip():
        allowed = "allowed: two different arms, as in 'ptq - float'"
        raise InputError("--contrast", f"found {name!r}", allowed)
    unknown = next((part.strip() for part in parts if part.strip() not in there), parts[0])
    raise InputError("--contrast", f"no arm {unknown!r}", nearest(unknown, there))


def _wrong(rows: StudyRows) -> dict[tuple[str, str], str]:
    """Arm and the number format that it claims -> the one that files of it were audited as."""
    return {(f.arm, f.claimed): f.found for f in rows.checks().wrong_formats}


def _against(
    folder: Path, samples: Sequence[Sample], baseline: Path, old: StudyRows, arm: str
) -> tuple[list[Sample], Contrast]:
    """An arm's samples of two runs on the same test examples, the older ones as an arm of their
    own."""
    metrics = {s.metric for s in samples}
    new = [s for s in samples if s.arm == arm]
    before = [s for s in old.samples() if s.arm == arm and s.metric in metrics]
    for where, found in ((folder, new), (baseline, before)):
        if not found:
            arms = {s.arm for s in (samples if where is folder else old.samples())}
            raise InputError("--arm", f"no {arm!r} in {shown(where)}", nearest(arm, arms))
    labels = store.read(folder).labels
    for name in {str(s.setting.dataset) for s in new} & {str(s.setting.dataset) for s in before}:
        if not np.array_equal(labels.get(name, ()), old.results.labels.get(name, ())):
            raise InputError(
                "--baseline",
                f"other test examples of {name!r} than {shown(folder)}",
                "allowed: an older run on the same test set",
            )
    _refuse_apart(folder, new, before)
    return [*new, *(replace(s, arm=BASELINE) for s in before)], Contrast(arm, BASELINE, "")


def _refuse_apart(folder: Path, new: Sequence[Sample], before: Sequence[Sample]) -> None:
    """InputError where two runs have no setting in common, naming what tells them apart."""
    of_new, of_old = ([s.setting.fields() for s in of] for of in (new, before))
    both = [name for name in of_new[0] if name in of_old[0]]
    if {tuple(f.get(n) for n in both) for f in of_new} & {tuple(f.get(n) for n in both)
                                                          for f in of_old}:  # fmt: skip
        return
    levels = {
        n: [dict.fromkeys(str(f.get(n)) for f in of) for of in (of_new, of_old)] for n in both
    }
    apart = [
        f"{name} {', '.join(one)} there and {', '.join(other)} in the baseline"
        for name, (one, other) in levels.items()
        if not one.keys() & other.keys()
    ]
    raise InputError(
        "--baseline",
        f"no setting in common with {shown(folder)}" + (f": {'; '.join(apart)}" if apart else ""),
        "allowed: an older run of the same study",
    )


def _decided(
    comparisons: Sequence[Comparison],
    asked: Asked,
    contrast: str,
    notes: Sequence[str] = (),
    sequential: bool = False,
) -> Release:
    found = [
        c
        for c in comparisons
        if c.pairs.kind == "contrast" and c.population == asked.population and c.name == contrast
    ]
    if not found:
        raise InputError(
            "--contrast",
            f"no setting has both arms of {contrast!r}",
            "allowed: arms that share one",
        )
    metrics = list(dict.fromkeys(c.pairs.metric for c in found))
    if len(metrics) > 1 and asked.metric is None:
        raise InputError("--metric", "missing", f"allowed: one of {', '.join(metrics)}")
    refuse_unknown((c.setting for c in found), asked.settings)
    chosen = [c for c in found if is_wanted(c.setting, asked.settings) and not c.pairs.impossible]
    if not chosen:
        raise InputError(
            "--setting", "no setting is all of that", "allowed: levels that stand together"
        )
    lower = _lower_is_better(chosen[0], asked.better)
    if chosen[0].pairs.unit == "pp" and asked.margin > 100:
        raise InputError("--margin", f"found {asked.margin:g}", "allowed: at most 100 pp")
    sign = -1.0 if lower else 1.0
    gates = [_gate(c, sign, asked, sequential) for c in chosen]
    together = gate_several(gates, asked.alpha)
    fields = varying([c.setting for c in chosen])
    settings = tuple(
        _at(c, gate, p, sign, asked, named(c.setting, fields))
        for c, gate, p in zip(chosen, gates, together.p_failed, strict=True)
    )
    outcomes = [one.outcome for one in settings]
    outcome: Outcome = "undecided"
    if "failed" in outcomes:
        outcome = "failed"
    elif "withheld" in outcomes:
        outcome = "withheld"
    elif all(one == "passed" for one in outcomes):
        outcome = "passed"
    said = dict.fromkeys((*notes, *(text for c in chosen for text in c.qualified)))
    return Release(
        contrast=contrast,
        metric=metrics[0] if asked.metric is None else asked.metric,
        unit=chosen[0].pairs.unit,
        lower_is_better=lower,
        margin=asked.margin,
        alpha=asked.alpha,
        outcome=outcome,
        counted="seeds",
        settings=settings,
        notes=tuple(said),
    )


def _lower_is_better(c: Comparison, better: Better | None) -> bool:
    if better is not None:
        return better == "lower"
    if c.pairs.lower_is_better is None:
        raise InputError(
            "--better",
            f"missing, and whether {c.pairs.metric!r} is better higher or lower is not known",
            "allowed: higher, lower",
        )
    return c.pairs.lower_is_better


@dataclass(frozen=True)
class _Turned:
    """An estimate as the gate wants it: positive where the new one is better."""

    mean: float
    se: float | None
    df: float | None


def _gate(c: Comparison, sign: float, asked: Asked, sequential: bool) -> Gate:
    """The decision of a setting whose checks do not withhold it."""
    none = Gate(Decision.UNDECIDED, None, None, None)
    if c.verdict == Verdict.WITHHELD or c.estimate is None:
        return none
    if sequential:
        if not c.looks or c.simultaneous is None or c.looks[-1].n < fewest_seeds(asked.alpha):
            return none
        interval = _turned(c.simultaneous, sign)
        decision = decide(interval, asked.margin)
        # Only an interval is known, so that the p-value is 0 or 1: right for Holm.
        return Gate(decision, interval, None, 0.0 if decision == Decision.FAILED else 1.0)
    estimate = c.estimate
    if not isfinite(estimate.mean) or _too_few_groups(c, asked.alpha):
        return none
    turned = _Turned(sign * estimate.mean, estimate.se, estimate.df)
    return gate_seeds(turned, max(c.n_seeds, 1), asked.margin, asked.alpha)


def _too_few_groups(c: Comparison, alpha: float) -> bool:
    """New test examples that come in fewer groups than seeds could decide with."""
    return isinstance(c.estimate, Grouped) and c.estimate.n_groups < fewest_seeds(alpha)


def _turned(ends: Interval, sign: float) -> Interval:
    return ends if sign > 0 else Interval(-ends.high, -ends.low)


def _at(
    c: Comparison, gate: Gate, p_failed: float | None, sign: float, asked: Asked, place: str
) -> AtSetting:
    """The setting's decision; `failed` only where it stands after Holm over the settings."""
    outcome: Outcome = "undecided"
    why: tuple[str, ...] = ()
    if c.verdict == Verdict.WITHHELD:
        outcome, why = "withheld", c.withheld
    elif gate.decision == Decision.PASSED and c.pairs.not_finite:
        seeds = len(c.pairs.not_finite)
        why = (f"{seeds} {'seed has' if seeds == 1 else 'seeds have'} no finite value",)
    elif gate.decision == Decision.PASSED:
        outcome = "passed"
    elif p_failed is not None and p_failed <= asked.alpha:
        outcome = "failed"
    elif gate.interval is None:
        why = (_why_none(c, asked.alpha),)
    mean = c.looks[-1].mean if c.looks else c.mean
    needed = None
    if outcome == "undecided" and asked.population == "seeds" and c.sd is not None:
        seeds = seeds_to_pass(asked.margin, c.sd, asked.alpha) if isfinite(c.sd) else MOST_SEEDS + 1
        needed = seeds if seeds <= MOST_SEEDS else None
    return AtSetting(
        setting={name: v for name, v in c.setting.fields().items() if v is not None},
        place=place,
        outcome=outcome,
        mean=mean if mean is not None and isfinite(mean) else None,
        interval=None if gate.interval is None else _turned(gate.interval, sign),
        n=c.n_seeds,
        needed=needed,
        why=why,
    )


def _why_none(c: Comparison, alpha: float) -> str:
    if c.pairs.unmoved:
        return f"the seed has no effect on {' and '.join(c.pairs.unmoved)}"
    fewest = fewest_seeds(alpha)
    if isinstance(c.estimate, Grouped) and c.estimate.n_groups < fewest <= c.n_seeds:
        return f"{c.estimate.n_groups} groups of test examples, and it takes {fewest}"
    if c.n_seeds < fewest:
        return f"{c.n_seeds} seeds that both have, and it takes {fewest}"
    return "no finite mean" if c.mean is not None and not isfinite(c.mean) else "no interval yet"
