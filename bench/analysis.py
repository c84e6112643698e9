"""Tables -> contrasts and verdicts: which numbers of which arms are paired, tested and corrected.

The statistics themselves are in bench.statistics; this module knows studies, settings and families
(protocol: docs/method.md). A new statistical test is a function there, and here a field of
Comparison, its line in `_compare` and its column in Comparison.row.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench import datasets, plan
from bench.arms import ARMS, Contrast
from bench.errors import InputError
from bench.schema import EVALUATED, FACTOR_NAMES, RESULTS
from bench.statistics import equivalence, families, paired, power, sign_flip
from bench.statistics.checks import FloatArray, IntArray, Interval
from bench.statistics.crossed import Crossed, CrossedSums, crossed
from bench.statistics.families import Verdict
from bench.store import Results
from bench.study import Study

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

    def interval(self, alpha: float) -> Interval | None:
        """t interval of the arm's mean over new seeds; None for fewer than two seeds."""
        return paired.paired_t(self.values).interval(alpha) if self.seeds else None


@dataclass(frozen=True, eq=False)
class Pairs:
    """The paired differences of one contrast at one setting (or how they change with the budget).

    planned: seeds that should be there; seeds: shared by both arms, ascending; d: float (seeds,),
    arm a minus arm b in `unit`; whole: int (seeds,), proportional to d, None where only real
    values are known; cells: their sums over seeds and over test examples; churn: None for
    interactions; mixed: shared seeds whose cells ran on different CPUs or versions; doublings:
    from the smallest to the largest budget, 1 unless this is a slope.
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
    cells: CrossedSums | None = None
    churn: paired.Churn | None = None
    mixed: int = 0
    doublings: float = 1.0

    def margin(self, delta: float | None) -> float | None:
        """The smallest difference that matters, in `unit`: a slope matters where it moves the
        contrast by delta from the smallest to the largest budget."""
        return None if delta is None else delta / self.doublings

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


@dataclass(frozen=True, eq=False)
class Comparison:
    """A contrast (or interaction, or slope) at one setting, for one population: a row.

    estimate: mean, standard error, t, df and p; None without any pair. interval: pointwise at
    1 - alpha; simultaneous: the family's; both in pairs.unit. m: contrasts in the family.
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
    verdict: Verdict = Verdict.TOO_FEW_SEEDS
    seeds_needed: int | None = None
    seeds_needed_equivalence: int | None = None

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

    def row(self) -> dict[str, Any]:
        """The row of contrasts.parquet, by schema.CONTRASTS."""
        pairs, estimate = self.pairs, self.estimate
        low, high = self.interval or (None, None)
        low_simultaneous, high_simultaneous = self.simultaneous or (None, None)
        over_seeds = self.population == "seeds"
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
            "p_signflip": pairs.p_signflip if over_seeds else None,
            "family": self.family,
            "p_adjusted": self.p_adjusted,
            "p_equivalence": self.p_equivalence,
            "p_equivalence_adjusted": self.p_equivalence_adjusted,
            "verdict": str(self.verdict),
            "dz": paired.dz(pairs.d) if pairs.seeds else None,
            "gz": paired.gz(pairs.d) if pairs.seeds else None,
            "churn_fixed": pairs.churn and pairs.churn.fixed,
            "churn_broken": pairs.churn and pairs.churn.broken,
            "seeds_needed": self.seeds_needed,
            "seeds_needed_equivalence": self.seeds_needed_equivalence,
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

    delta: the smallest difference that matters, in the unit of the contrasts; None where none is
    declared. samples: every arm at every setting; comparisons: every contrast at every setting,
    the primary family's first come first in the study's order.
    """

    title: str
    alpha: float
    delta: float | None
    study: Study | None
    contrasts: tuple[Contrast, ...]
    samples: tuple[Sample, ...]
    comparisons: tuple[Comparison, ...]
    checks: Checks
    environment: Mapping[str, Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Rows of contrasts.parquet."""
        return [comparison.row() for comparison in self.comparisons]

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
    study = results.study
    rows = _StudyRows(results)
    samples = tuple(rows.samples())
    pairs = [
        _pair(contrast, setting, by_arm)
        for contrast in study.contrasts
        for setting, by_arm in _paired_settings(contrast, samples)
    ]
    return Analysis(
        title=study.title or "PTQ against QAT",
        alpha=study.alpha,
        delta=study.delta,
        study=study,
        contrasts=study.contrasts,
        samples=samples,
        comparisons=tuple(_compare(pairs, study.primary_contrasts, study.alpha, study.delta)),
        checks=rows.checks(),
        environment=results.environment,
    )


# ---------------------------------------------------------------------------------------------
# cells -> samples


class _StudyRows:
    """The rows of the cells table that the study names, by setting, arm and seed."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.study = results.study
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

    def samples(self) -> Iterator[Sample]:
        planned = tuple(sorted(self.study.seeds))
        c = self.columns
        for (setting, arm), by_seed in self.at.items():
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
            planned=len(self.at) * len(self.study.seeds),
            with_result=with_result,
            disagreements=tuple(disagreements),
            wrong_formats=tuple(
                WrongFormat(arm, ARMS[arm].number_format, found, cells)
                for (arm, found), cells in sorted(formats.items())
            ),
            mixed_seeds=tuple(sorted({place[-1] for place, on in machines.items() if len(on) > 1})),
            ignored_files=self.results.ignored,
        )


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


def _pair(contrast: Contrast, setting: Setting, arms: tuple[Sample, Sample]) -> Pairs:
    """Pair two samples by seed identity."""
    a, b = arms
    seeds = tuple(sorted(set(a.seeds) & set(b.seeds)))
    at_a, at_b = _positions(a, seeds), _positions(b, seeds)
    whole, cells, churn = None, None, None
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
        cells=cells,
        churn=churn,
        mixed=mixed,
    )


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
# pairs -> comparisons


def _family(pairs: Pairs, primary: Collection[str]) -> Family:
    if pairs.kind != "contrast":
        return "interaction"
    return "primary" if pairs.contrast.name in primary else "exploratory"


def _compare(
    pairs: Sequence[Pairs], primary: Collection[str], alpha: float, delta: float | None
) -> Iterator[Comparison]:
    """Test every pair for each population, and correct each family by itself.

    A family is counted within one metric and one population.
    """
    members: dict[tuple[str, Population, Family], list[Comparison]] = {}
    for one in pairs:
        for population in POPULATIONS:
            tested = _test(one, population, _family(one, primary), alpha, delta)
            if tested is not None:
                key = (one.metric, population, tested.family)
                members.setdefault(key, []).append(tested)
    for (_, _, family), together in members.items():
        yield from _correct_family(together, METHODS[family], alpha, delta)


def _test(
    pairs: Pairs, population: Population, family: Family, alpha: float, delta: float | None
) -> Comparison | None:
    """All that a contrast's own numbers give; what needs its family is filled in later.

    None where the data cannot speak about the population: without values per test example.
    """
    estimate: paired.PairedT | Crossed | None = pairs.test
    if population == "seeds+examples":
        if pairs.cells is None and pairs.seeds:
            return None
        estimate = pairs.crossed
    margin = pairs.margin(delta)
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
    )


def _correct_family(
    members: Sequence[Comparison], method: families.Method, alpha: float, delta: float | None
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
                delta=member.pairs.margin(delta),
                alpha=alpha,
                m=m,
            )
        detect, equivalence_seeds = _seeds_needed(member, verdict, m, alpha, delta)
        yield replace(
            member,
            m=m,
            p_adjusted=difference,
            p_equivalence_adjusted=equivalent,
            simultaneous=simultaneous,
            verdict=verdict,
            seeds_needed=detect,
            seeds_needed_equivalence=equivalence_seeds,
        )


def _seeds_needed(
    member: Comparison, verdict: Verdict, m: int, alpha: float, delta: float | None
) -> tuple[int | None, int | None]:
    """Seeds that an undecided contrast would take, to detect and to show equivalence.

    None where it is decided, where nothing is known of its SD, and where test examples are drawn
    anew too: there more seeds may never suffice.
    """
    margin = member.pairs.margin(delta)
    if member.population != "seeds" or verdict not in OPEN or margin is None or not member.sd:
        return None, None
    level = families.bonferroni_alpha(alpha, m)
    fewest = families.fewest_seeds(alpha, m)  # below that no verdict is given
    return (
        max(fewest, power.seeds_needed(margin, member.sd, level)),
        max(fewest, power.seeds_needed_equivalence(margin, member.sd, level)),
    )
