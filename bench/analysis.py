"""Tables -> contrasts and verdicts: which numbers of which arms are paired, tested and corrected.

The statistics themselves are in bench.statistics; this module knows studies, settings and families
(protocol: docs/method.md). A new statistical test is a function there, and here a field of
Comparison, its line in `_compare` and its column in Comparison.row.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench import datasets, plan
from bench.arms import ARMS, Contrast
from bench.errors import InputError
from bench.schema import EVALUATED, FACTOR_NAMES, RESULTS
from bench.statistics import (
    bootstrap,
    equivalence,
    families,
    interaction,
    missing,
    paired,
    power,
    proportions,
    sequential,
    sign_flip,
)
from bench.statistics.checks import FloatArray, IntArray, Interval
from bench.statistics.crossed import Crossed, CrossedSums, crossed
from bench.statistics.families import Verdict
from bench.statistics.sequential import Look
from bench.store import Results
from bench.study import Sequential, Study

Kind = Literal["contrast", "interaction", "slope"]
Population = Literal["seeds", "seeds+examples"]
Family = Literal["primary", "interaction", "exploratory"]
Value = str | int | float | None

POPULATIONS: tuple[Population, ...] = ("seeds", "seeds+examples")

OPEN = frozenset({Verdict.UNDECIDED, Verdict.SIZE_UNDECIDED, Verdict.TOO_FEW_SEEDS})
"""Verdicts that more seeds could still change into a definite one."""

METHODS: Mapping[Family, families.Method] = {
    "primary": "holm",
    "interaction": "holm",
    "exploratory": "bh",
}

DETAILED = 2_000
"""Contrasts up to which each gets the tests beside its t-test, and the seeds that it would take."""

DETAILED_SEEDS = 1_000
"""Seeds up to which a contrast gets them: their cost grows with the square."""

DISAGREEING = 0.001
"""Share of test examples above which Keras and its float TFLite file may not differ."""


@dataclass(frozen=True)
class Setting:
    """What is held fixed in a contrast; None where it does not apply.

    factors: (name, value) of every factor; budget: float epochs E; extra: epochs k more.
    """

    dataset: str | None
    model: str | None
    factors: tuple[tuple[str, Value], ...]
    budget: int | None
    extra: int | None

    @property
    def panel(self) -> "Setting":
        """The setting without its budget: what one row of budgets in a figure shares."""
        return replace(self, budget=None)

    def fields(self) -> dict[str, Value]:
        return {
            "dataset": self.dataset,
            "model": self.model,
            **dict(self.factors),
            "budget": self.budget,
            "extra": self.extra,
        }


@dataclass(frozen=True, eq=False)
class Sample:
    """One arm at one setting: what its seeds gave.

    planned: the seeds that should be there; statuses: of their cells, `missing` where there is no
    row; seeds: those evaluated, ascending; values: float (seeds,), in `unit` (accuracies in
    percent); correct: bool (seeds, examples), None where only values are known; machines: per
    seed the CPU and the versions that its cell ran on.
    """

    setting: Setting
    arm: str
    metric: str
    unit: str
    planned: tuple[int, ...]
    statuses: Mapping[str, int]
    seeds: tuple[int, ...]
    values: FloatArray
    correct: NDArray[np.bool_] | None = None
    machines: tuple[tuple[Value, Value], ...] = ()

    @cached_property
    def counts(self) -> IntArray:
        """int (seeds,): test examples classified correctly."""
        assert self.correct is not None, "only where examples are known"
        counts: IntArray = self.correct.sum(axis=1, dtype=np.int64)
        return counts

    def mean(self) -> float | None:
        return float(self.values.mean()) if self.seeds else None

    def at(self, seeds: Sequence[int]) -> FloatArray:
        """Values of these seeds, all evaluated: (seeds,)."""
        return self.values[_positions(self, seeds)]

    def over(self, seeds: Sequence[int]) -> FloatArray:
        """Values of these seeds, nan where there is none: (seeds,)."""
        known = dict(zip(self.seeds, self.values, strict=True))
        return np.array([known.get(seed, np.nan) for seed in seeds])

    def interval(self, alpha: float) -> Interval | None:
        """t interval of the arm's mean over new seeds; None for fewer than two seeds."""
        return paired.paired_t(self.values).interval(alpha) if self.seeds else None


@dataclass(frozen=True, eq=False)
class Pairs:
    """The paired differences of one contrast at one setting (or how they change with the budget).

    planned: seeds that should be there; seeds: shared by both arms, ascending; d: float (seeds,),
    arm a minus arm b in `unit`; whole: int (seeds,), d in steps of `step`, None where only real
    values are known; cells: sums over seeds and over test examples; churn: None for interactions;
    mixed: shared seeds whose cells ran on different CPUs or versions; delta: the smallest
    difference of the contrast that matters, None where none is declared; doublings: from the
    smallest to the largest budget, 1 unless this is a slope.
    """

    kind: Kind
    setting: Setting
    contrast: Contrast
    samples: tuple[Sample, ...]
    metric: str
    unit: str
    planned: int
    seeds: tuple[int, ...]
    d: FloatArray
    whole: IntArray | None = None
    step: float = 1.0
    delta: float | None = None
    cells: CrossedSums | None = None
    churn: paired.Churn | None = None
    mixed: int = 0
    doublings: float = 1.0

    @property
    def attempted(self) -> int:
        """Seeds whose cells of both arms have a row, whatever its status."""
        return min(len(s.planned) - s.statuses.get("missing", 0) for s in self.samples)

    @property
    def n_examples(self) -> int | None:
        return None if self.cells is None else self.cells.examples.size

    @property
    def margin(self) -> float | None:
        """The smallest difference that matters, in `unit`: a slope matters where it moves the
        contrast by delta from the smallest to the largest budget."""
        return None if self.delta is None else self.delta / self.doublings

    @cached_property
    def test(self) -> paired.PairedT | None:
        """The paired t-test over seeds; None without any seed."""
        return paired.paired_t(self.d) if self.seeds else None

    @cached_property
    def crossed(self) -> Crossed | None:
        """The estimate for new seeds and new test examples."""
        return None if self.cells is None else crossed(self.cells, scale=100.0)

    @cached_property
    def p_signflip(self) -> float | None:
        if not self.seeds:
            return None
        return sign_flip.sign_flip_p(self.d if self.whole is None else self.whole)

    @cached_property
    def p_wilcoxon(self) -> float | None:
        if not self.seeds:
            return None
        return sign_flip.wilcoxon_p(self.d if self.whole is None else self.whole)

    @cached_property
    def win_rate(self) -> proportions.WinRate | None:
        return proportions.win_rate(self.d) if self.seeds else None

    @property
    def dz(self) -> float | None:
        """Mean / SD over seeds, `paired.dz` of the test that is made already."""
        return self.test.mean / self.test.sd if self.test and self.test.sd else None

    @property
    def gz(self) -> float | None:
        if self.dz is None or len(self.seeds) < 3:
            return None
        correction = paired.hedges_j(len(self.seeds) - 1)
        return None if correction is None else correction * self.dz

    @property
    def correlation(self) -> float | None:
        """Of the two arms over seeds: what pairing gains."""
        if self.kind != "contrast" or not self.seeds:
            return None
        a, b = (sample.at(self.seeds) for sample in self.samples)
        return paired.arms_correlation(a, b)

    @property
    def worst_case(self) -> Interval | None:
        """Bounds of the mean over all planned seeds, whatever the missing cells would have given;
        None where nothing is missing or the metric has no known range."""
        if self.kind != "contrast" or self.unit != "pp" or len(self.seeds) == self.planned:
            return None
        planned = tuple(sorted({seed for sample in self.samples for seed in sample.planned}))
        a, b = (sample.over(planned) for sample in self.samples)
        return missing.worst_case_mean(a, b, 0.0, 100.0)

    def bootstrap(self, alpha: float) -> Interval | None:
        """Studentized bootstrap interval of the mean over seeds, from a fixed stream."""
        if not 0 < len(self.seeds) <= DETAILED_SEEDS:
            return None
        return bootstrap.studentized_interval(self.d, alpha, _resamples(len(self.seeds)))


@dataclass(frozen=True, eq=False)
class Comparison:
    """A contrast (or interaction, or slope) at one setting, for one population: a row.

    estimate: mean, standard error, t, df and p; None without any pair. interval: pointwise at
    1 - alpha; simultaneous: the family's; both in pairs.unit. m: contrasts in the family.
    half_width_examples: what infinitely many seeds would leave of the pointwise interval's
    half-width, for want of test examples; None for new seeds on this test set. looks: of a primary
    contrast in a sequential study, whose interval at the last look is then `simultaneous`, and
    which decides the verdict in place of the p-values; clear: does it ask for no more seeds?
    """

    pairs: Pairs
    population: Population
    family: Family
    estimate: paired.PairedT | Crossed | None
    interval: Interval | None
    p_equivalence: float | None
    m: int = 0
    p_adjusted: float | None = None
    p_equivalence_adjusted: float | None = None
    simultaneous: Interval | None = None
    half_width_examples: float | None = None
    verdict: Verdict = Verdict.TOO_FEW_SEEDS
    seeds_needed: int | None = None
    seeds_needed_equivalence: int | None = None
    looks: tuple[Look, ...] = ()
    clear: bool = False

    @property
    def name(self) -> str:
        return self.pairs.contrast.name

    @property
    def setting(self) -> Setting:
        return self.pairs.setting

    @property
    def n_seeds(self) -> int:
        return len(self.pairs.seeds)

    @property
    def mean(self) -> float | None:
        return None if self.estimate is None else self.estimate.mean

    @property
    def sd(self) -> float | None:
        """Over seeds, whatever the population."""
        return None if self.pairs.test is None else self.pairs.test.sd

    @property
    def p(self) -> float | None:
        return None if self.estimate is None else self.estimate.p

    def row(self, detailed: bool = True) -> dict[str, Any]:
        """The row of contrasts.parquet, by schema.CONTRASTS; detailed: with the other tests."""
        pairs, estimate = self.pairs, self.estimate
        low, high = self.interval or (None, None)
        low_simultaneous, high_simultaneous = self.simultaneous or (None, None)
        worst_low, worst_high = pairs.worst_case or (None, None)
        exact = detailed and self.population == "seeds" and self.n_seeds <= DETAILED_SEEDS
        return {
            "kind": pairs.kind,
            **self.setting.fields(),
            "contrast": self.name,
            "metric": pairs.metric,
            "unit": pairs.unit,
            "population": self.population,
            "n_seeds": self.n_seeds,
            "mean": self.mean,
            "sd": self.sd,
            "ci_low": low,
            "ci_high": high,
            "ci_low_simultaneous": low_simultaneous,
            "ci_high_simultaneous": high_simultaneous,
            "t": estimate.t if estimate and estimate.se else None,
            "df": estimate.df if estimate and estimate.se is not None else None,
            "p": self.p,
            "p_signflip": pairs.p_signflip if exact else None,
            "p_wilcoxon": pairs.p_wilcoxon if exact else None,
            "family": self.family,
            "p_adjusted": self.p_adjusted,
            "p_equivalence": self.p_equivalence,
            "p_equivalence_adjusted": self.p_equivalence_adjusted,
            "verdict": str(self.verdict),
            "dz": pairs.dz,
            "gz": pairs.gz,
            "win_rate": pairs.win_rate and pairs.win_rate.rate,
            "churn_fixed": pairs.churn and pairs.churn.fixed,
            "churn_broken": pairs.churn and pairs.churn.broken,
            "seeds_needed": self.seeds_needed,
            "seeds_needed_equivalence": self.seeds_needed_equivalence,
            "half_width_examples": self.half_width_examples,
            "worst_low": worst_low,
            "worst_high": worst_high,
        }


@dataclass(frozen=True)
class Disagreement:
    """A float TFLite file that does not do what its Keras model does."""

    setting: Setting
    seed: int
    disagreements: int
    n: int


@dataclass(frozen=True)
class WrongFormat:
    """An arm whose files are audited as another number format than it claims."""

    arm: str
    claimed: str
    found: str
    cells: int


@dataclass(frozen=True)
class Checks:
    """What must hold before any contrast is believed, and where it does not."""

    planned: int = 0
    with_result: int = 0
    disagreements: tuple[Disagreement, ...] = ()
    wrong_formats: tuple[WrongFormat, ...] = ()
    mixed_seeds: tuple[int, ...] = ()
    ignored_files: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return self.with_result >= self.planned


@dataclass(frozen=True, eq=False)
class Analysis:
    """All that a report says, as numbers.

    samples: every arm at every setting; comparisons: every contrast at every setting, by family;
    detailed: are there the tests beside the t-test (not for thousands of contrasts)?
    """

    title: str
    alpha: float
    study: Study | None
    contrasts: tuple[Contrast, ...]
    samples: tuple[Sample, ...]
    comparisons: tuple[Comparison, ...]
    detailed: bool
    checks: Checks
    environment: Mapping[str, Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Rows of contrasts.parquet."""
        return [comparison.row(self.detailed) for comparison in self.comparisons]

    @cached_property
    def arms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(sample.arm for sample in self.samples))

    @cached_property
    def varying(self) -> tuple[str, ...]:
        """The fields of a setting that differ between the arms' samples: what a label must say."""
        seen: dict[str, set[Value]] = {}
        for sample in self.samples:
            for name, value in sample.setting.fields().items():
                if not (name == "extra" and value is None):
                    seen.setdefault(name, set()).add(value)
        return tuple(name for name, values in seen.items() if len(values) > 1)

    def select(
        self, population: Population = "seeds", kind: Kind = "contrast", name: str | None = None
    ) -> tuple[Comparison, ...]:
        """Comparisons of one population and kind, and of one contrast where it is named."""
        return tuple(
            c
            for c in self.comparisons
            if c.population == population
            and c.pairs.kind == kind
            and (name is None or c.name == name)
        )


def analyze(results: Results) -> Analysis:
    """Every contrast of a result folder's study, at every setting.

    Only cells that the study names count, whatever else the folder holds. Raises InputError where
    labels or predictions do not fit each other.
    """
    rows = _StudyRows(results)
    study = rows.study
    made = analyze_samples(
        tuple(rows.samples()),
        study.contrasts,
        primary=study.primary_contrasts,
        title=study.title or "PTQ against QAT",
        alpha=study.alpha,
        deltas={"accuracy": study.delta},
    )
    comparisons = made.comparisons
    if study.sequential is not None:
        comparisons = tuple(_at_looks(c, study, study.sequential) for c in comparisons)
    return replace(
        made,
        comparisons=comparisons,
        study=study,
        checks=rows.checks(),
        environment=results.environment,
    )


def _at_looks(comparison: Comparison, study: Study, plan: Sequential) -> Comparison:
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


def analyze_samples(
    samples: Sequence[Sample],
    contrasts: Sequence[Contrast],
    *,
    primary: Collection[str],
    title: str,
    alpha: float,
    deltas: Mapping[str, float | None],
) -> Analysis:
    """Every contrast at every setting that has both its arms.

    primary: names of the contrasts declared in advance; deltas: metric -> the smallest difference
    that matters, in the metric's unit.
    """
    pairs = _all_pairs(contrasts, primary, samples, deltas)
    return Analysis(
        title=title,
        alpha=alpha,
        study=None,
        contrasts=tuple(contrasts),
        samples=tuple(samples),
        comparisons=tuple(_compare(pairs, primary, alpha)),
        detailed=len(pairs) <= DETAILED,
        checks=Checks(),
        environment={},
    )


# ---------------------------------------------------------------------------------------------
# cells -> samples


class _StudyRows:
    """The rows of the cells table that the study names, by setting, arm and seed."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.study = _with_seeds_added(results)
        self.labels = {datasets.label(name): name for name in self.study.datasets}
        self.cells = results.cells
        self.columns = {
            name: self.cells[name].to_pylist()
            for name in (
                *("cell", "dataset", "model", "seed", "budget", "arm", "extra", *FACTOR_NAMES),
                *("status", "number_format", "disagreements", "n", "cpu", "versions"),
            )
        }
        self.at = self._index()

    def _groups(self) -> Iterator[tuple[Setting, str]]:
        """Every arm at every setting that the study plans, in the study's order."""
        study = self.study
        factors = [
            tuple(zip(FACTOR_NAMES, values, strict=True))
            for values in product(*(getattr(study, name) for name in FACTOR_NAMES))
        ]
        grid = product(self.labels, study.models, factors, study.budgets, study.arms)
        for dataset, model, factor, budget, arm in grid:
            for extra in study.extra if ARMS[arm].extra else (None,):
                yield Setting(dataset, model, factor, budget, extra), arm

    def _index(self) -> dict[tuple[Setting, str], dict[int, int]]:
        """(setting, arm) -> seed -> row, for planned groups and seeds."""
        at: dict[tuple[Setting, str], dict[int, int]] = {key: {} for key in self._groups()}
        seeds = set(self.study.seeds)
        c = self.columns
        factors = zip(*(c[name] for name in FACTOR_NAMES), strict=True)
        identity = zip(
            c["dataset"], c["model"], factors, c["budget"], c["arm"], c["extra"], c["seed"],
            strict=True,
        )  # fmt: skip
        settings: dict[tuple[Any, ...], tuple[Setting, str]] = {}
        named: frozenset[str] | None = None
        for row, (dataset, model, values, budget, arm, extra, seed) in enumerate(identity):
            plain = (dataset, model, values, budget, arm, extra)
            if plain not in settings:
                factor = tuple(zip(FACTOR_NAMES, values, strict=True))
                settings[plain] = (Setting(dataset, model, factor, budget, extra), arm)
            by_seed = at.get(settings[plain])
            if by_seed is None or seed not in seeds:
                continue
            if seed in by_seed:
                named = self._named_cells() if named is None else named
                by_seed[seed] = self._the_named_one(by_seed[seed], row, named)
            else:
                by_seed[seed] = row
        return at

    def _named_cells(self) -> frozenset[str]:
        """Identities of the study's cells; empty where the data are not here to identify them."""
        try:
            return frozenset(cell.id for cell in plan.cells(self.study))
        except (InputError, OSError):
            return frozenset()

    def _the_named_one(self, first: int, second: int, named: frozenset[str]) -> int:
        """Which of two rows with equal settings is the study's: they differ in what has no column
        (pinned streams, the data behind a folder's name, an earlier recipe)."""
        cells = self.columns["cell"]
        candidates = [row for row in (first, second) if cells[row] in named]
        if len(candidates) != 1:
            raise InputError(
                "cells",
                f"{cells[first]} and {cells[second]} are the same arm, setting and seed",
                "allowed: one result of each; analyze them in folders of their own",
            )
        return candidates[0]

    def _planned(self, there: int) -> tuple[int, ...]:
        """The seeds that an arm should have at a setting where `there` seeds have a row: all, or
        in a sequential study those up to the look that is under way."""
        study = self.study
        if study.sequential is None:
            return tuple(sorted(study.seeds))
        look = study.sequential.look_after(max(there - 1, 0)) or there
        return tuple(sorted(study.with_seeds(look).seeds))

    def samples(self) -> Iterator[Sample]:
        c = self.columns
        for (setting, arm), by_seed in self.at.items():
            planned = self._planned(len(by_seed))
            statuses = Counter(c["status"][row] for row in by_seed.values())
            if missing := len(planned) - len(by_seed):
                statuses["missing"] = missing
            seeds = tuple(s for s in sorted(by_seed) if c["status"][by_seed[s]] in EVALUATED)
            rows = [by_seed[seed] for seed in seeds]
            correct = self._correct(str(setting.dataset), rows)
            yield Sample(
                setting=setting,
                arm=arm,
                metric="accuracy",
                unit="pp",
                planned=planned,
                statuses=dict(statuses),
                seeds=seeds,
                values=100 * correct.sum(axis=1, dtype=np.int64) / correct.shape[1],
                correct=correct,
                machines=tuple((c["cpu"][row], c["versions"][row]) for row in rows),
            )

    def _correct(self, dataset: str, rows: Sequence[int]) -> NDArray[np.bool_]:
        """bool (rows, examples): predictions equal to labels."""
        labels = self.results.labels.get(dataset)
        if labels is None:
            if not rows:
                return np.empty((0, 1), dtype=np.bool_)
            raise InputError("labels.parquet", f"no labels of {dataset!r}", "allowed: those of run")
        n = len(labels)
        column = self.cells["predictions"]
        correct = np.empty((len(rows), n), dtype=np.bool_)
        for at, row in enumerate(rows):
            buffer = column[row].as_buffer()
            size = 0 if buffer is None else buffer.size
            if size not in (n, 2 * n):
                raise InputError(
                    f"cells, {self.columns['cell'][row]}, predictions",
                    f"{size} bytes for {n} labels of {dataset!r}",
                    f"allowed: {n} (uint8) or {2 * n} (uint16)",
                )
            predictions = np.frombuffer(buffer, np.uint8 if size == n else np.dtype("<u2"))
            np.equal(predictions, labels, out=correct[at])
        return correct

    def checks(self) -> Checks:
        c = self.columns
        with_result = 0
        disagreements: list[Disagreement] = []
        formats: Counter[tuple[str, str]] = Counter()
        machines: dict[tuple[Any, ...], set[tuple[Value, Value]]] = {}
        for (setting, arm), by_seed in self.at.items():
            for seed, row in by_seed.items():
                with_result += c["status"][row] in RESULTS
                if c["status"][row] not in EVALUATED:
                    continue
                claimed, found = ARMS[arm].number_format, c["number_format"][row]
                if found is not None and found != claimed:
                    formats[arm, found] += 1
                differ, n = c["disagreements"][row], c["n"][row]
                if claimed == "float32" and differ is not None and differ > DISAGREEING * n:
                    disagreements.append(Disagreement(setting, seed, differ, n))
                place = (setting.dataset, setting.model, setting.factors, seed)
                machines.setdefault(place, set()).add((c["cpu"][row], c["versions"][row]))
        return Checks(
            planned=sum(len(self._planned(len(by_seed))) for by_seed in self.at.values()),
            with_result=with_result,
            disagreements=tuple(disagreements),
            wrong_formats=tuple(
                WrongFormat(arm, ARMS[arm].number_format, found, cells)
                for (arm, found), cells in sorted(formats.items())
            ),
            mixed_seeds=tuple(sorted({place[-1] for place, on in machines.items() if len(on) > 1})),
            ignored_files=self.results.ignored,
        )


def _with_seeds_added(results: Results) -> Study:
    """The study with the seeds that looks have added: without a declared maximum study.toml has
    those of the start."""
    study = results.study
    if study.sequential is None or study.sequential.every is None:
        return study
    latest = max(results.cells["seed"].to_pylist(), default=0)
    added = max(latest - max(study.seeds), 0)
    return study.with_seeds(max(len(study.seeds) + added, study.sequential.looks[0]))


# ---------------------------------------------------------------------------------------------
# samples -> pairs


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
            if first is not None and second is not None:
                yield replace(setting, extra=extra), (first, second)


def _all_pairs(
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
    at_a, at_b = _positions(a, seeds), _positions(b, seeds)
    whole, cells, churn, step = None, None, None, 1.0
    d = a.values[at_a] - b.values[at_b]
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
    )
    slope = replace(base, kind="slope", unit=f"{first.unit} per doubling", doublings=doublings)
    if not seeds:
        yield from (base, slope)
        return
    at = [np.searchsorted(np.array(one.seeds), seeds) for one in pairs]
    d = np.column_stack([one.d[rows] for one, rows in zip(pairs, at, strict=True)])
    change = interaction.smallest_minus_largest(d, budgets)
    trend = interaction.slope_per_doubling(d, budgets)
    if first.whole is None:
        yield from (replace(base, d=change), replace(slope, d=trend))
        return
    counts = np.column_stack(
        [one.whole[rows] for one, rows in zip(pairs, at, strict=True) if one.whole is not None]
    )
    whole = interaction.smallest_minus_largest(counts, budgets)
    cells = _cells_of_change(base.samples, seeds, whole)
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
        cells += sign * _rows(sample.correct, _positions(sample, seeds)).view(np.int8)
    squares = int(np.square(cells).sum(dtype=np.int64))
    if squares > cells.size:  # more than any contrast of correctness has; see CrossedSums
        return None
    return CrossedSums(whole, cells.sum(axis=0, dtype=np.int64), squares)


def _positions(sample: Sample, seeds: Iterable[int]) -> IntArray:
    at = {seed: position for position, seed in enumerate(sample.seeds)}
    return np.array([at[seed] for seed in seeds], dtype=np.int64)


def _rows(correct: NDArray[np.bool_], at: IntArray) -> NDArray[np.bool_]:
    return correct if len(at) == len(correct) else correct[at]


def _by_example(sample: Sample, at: IntArray) -> IntArray:
    assert sample.correct is not None
    sums: IntArray = _rows(sample.correct, at).sum(axis=0, dtype=np.int64)
    return sums


# ---------------------------------------------------------------------------------------------
# qat - ptq, split

SPLIT = ("ptq+k - ptq", "qat-cal - ptq+k", "qat - qat-cal")
"""Extra training, quantization awareness, cold ranges: they add up to `qat - ptq`, per seed."""


@dataclass(frozen=True, eq=False)
class Split:
    """`qat - ptq` at one setting and what it is made of, on the seeds that all four arms share.

    total: float (seeds,); parts: the contrasts of SPLIT, float (3, seeds); their sum is total.
    """

    setting: Setting
    unit: str
    seeds: tuple[int, ...]
    total: FloatArray
    parts: FloatArray


def splits(analysis: Analysis) -> tuple[Split, ...]:
    """The split at every setting where the four arms stand; empty without any."""
    by_setting: dict[Setting, dict[str, Pairs]] = {}
    for c in analysis.select("seeds"):
        if c.name in SPLIT and c.pairs.metric == "accuracy":
            by_setting.setdefault(c.setting, {})[c.name] = c.pairs
    found = []
    for setting, parts in by_setting.items():
        if len(parts) < len(SPLIT):
            continue
        seeds = tuple(sorted(set.intersection(*(set(p.seeds) for p in parts.values()))))
        if seeds:
            ptq, ptq_k = (parts[SPLIT[0]].samples[i].at(seeds) for i in (1, 0))
            qat, qat_cal = (parts[SPLIT[2]].samples[i].at(seeds) for i in (0, 1))
            rows = np.array([ptq_k - ptq, qat_cal - ptq_k, qat - qat_cal])
            found.append(Split(setting, parts[SPLIT[0]].unit, seeds, qat - ptq, rows))
    return tuple(found)


# ---------------------------------------------------------------------------------------------
# pairs -> comparisons


@lru_cache(maxsize=4)
def _resamples(n_seeds: int) -> FloatArray:
    return bootstrap.resample_counts(n_seeds, 1999, np.random.default_rng(0))


def _family(pairs: Pairs, primary: Collection[str]) -> Family:
    if pairs.kind != "contrast":
        return "interaction"
    return "primary" if pairs.contrast.name in primary else "exploratory"


def _compare(
    pairs: Sequence[Pairs], primary: Collection[str], alpha: float
) -> Iterator[Comparison]:
    """Test every pair for each population, and correct each family by itself.

    A family is counted within one metric and one population.
    """
    members: dict[tuple[str, Population, Family], list[Comparison]] = {}
    for one in pairs:
        for population in POPULATIONS:
            tested = _test(one, population, _family(one, primary), alpha)
            if tested is not None:
                key = (one.metric, population, tested.family)
                members.setdefault(key, []).append(tested)
    for (_, _, family), together in members.items():
        yield from _correct_family(together, METHODS[family], alpha, len(pairs) <= DETAILED)


def _test(pairs: Pairs, population: Population, family: Family, alpha: float) -> Comparison | None:
    """All that a contrast's own numbers give; what needs its family is filled in later.

    None where the data cannot speak about the population: without values per test example.
    """
    estimate: paired.PairedT | Crossed | None = pairs.test
    if population == "seeds+examples":
        if pairs.cells is None and pairs.seeds:
            return None
        estimate = pairs.crossed
    margin = pairs.margin
    two_one_sided = (
        None if estimate is None or margin is None else equivalence.tost_of(estimate, margin)
    )
    return Comparison(
        pairs=pairs,
        population=population,
        family=family,
        estimate=estimate,
        interval=None if estimate is None else estimate.interval(alpha),
        p_equivalence=None if two_one_sided is None else two_one_sided.p,
        half_width_examples=(
            estimate.example_half_width(alpha) if isinstance(estimate, Crossed) else None
        ),
    )


def _correct_family(
    members: Sequence[Comparison], method: families.Method, alpha: float, detailed: bool
) -> Iterator[Comparison]:
    m = len(members)
    p = families.adjusted([member.p for member in members], method)
    p_equivalence = families.adjusted([member.p_equivalence for member in members], method)
    level = families.bonferroni_alpha(alpha, m)
    if method == "bh":
        rejected = sum(value is not None and value <= alpha for value in p)
        level = families.fcr_alpha(alpha, m, rejected)
    for member, difference, equivalent in zip(members, p, p_equivalence, strict=True):
        simultaneous = None if member.estimate is None else member.estimate.interval(level)
        verdict = Verdict.TOO_FEW_SEEDS
        if member.n_seeds:
            verdict = families.verdict(
                n_seeds=member.n_seeds,
                p_adjusted=difference,
                p_equivalence_adjusted=equivalent,
                interval=simultaneous,
                delta=member.pairs.margin,
                alpha=alpha,
                m=m,
            )
        detect, equivalent_seeds = (
            _seeds_needed(member, verdict, m, alpha) if detailed else (None, None)
        )
        yield replace(
            member,
            m=m,
            p_adjusted=difference,
            p_equivalence_adjusted=equivalent,
            simultaneous=simultaneous,
            verdict=verdict,
            seeds_needed=detect,
            seeds_needed_equivalence=equivalent_seeds,
        )


def _seeds_needed(
    member: Comparison, verdict: Verdict, m: int, alpha: float
) -> tuple[int | None, int | None]:
    """Seeds that an undecided contrast would take, to detect and to show equivalence.

    None where it is decided, where nothing is known of its SD, and where test examples are drawn
    anew too: there more seeds may never suffice.
    """
    margin = member.pairs.margin
    if member.population != "seeds" or verdict not in OPEN or margin is None or not member.sd:
        return None, None
    level = families.bonferroni_alpha(alpha, m)
    fewest = families.fewest_seeds(alpha, m)  # below that no verdict is given
    return (
        max(fewest, power.seeds_needed(margin, member.sd, level)),
        max(fewest, power.seeds_needed_equivalence(margin, member.sd, level)),
    )
