"""What an analysis is made of: settings, the samples at them, and the pairs of two samples."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench.analysis.right import Correct
from bench.statistics import missing, paired, proportions, sign_flip
from bench.statistics.checks import FloatArray, IntArray, Interval
from bench.statistics.crossed import Crossed, CrossedSums, MeanSquares, crossed
from bench.statistics.groups import GroupSums, grouped
from bench.statistics.nested import Nested, nested
from bench.statistics.overall import MeanOfMeans, mean_of_means
from bench.study.arms import Contrast
from bench.study.factors import REPLICATES

Kind = Literal["contrast", "interaction", "slope", "effect", "overall"]
Population = Literal["seeds", "seeds+examples"]
Value = str | int | float | None

POPULATIONS: tuple[Population, ...] = ("seeds", "seeds+examples")

DETAILED = 2_000
"""Contrasts up to which each gets the tests beside its t-test, and the seeds that it would take."""

DETAILED_SEEDS = 1_000
"""Seeds up to which a contrast gets them: their cost grows with the square."""

DISAGREEING = 0.001
"""Share of test examples above which Keras and its float TFLite file may not differ."""


@dataclass(frozen=True)
class Setting:
    """What is held fixed in a contrast; None where it does not apply.

    factors: (name, level) of the factors that reach the arm, or either arm of a contrast; budget:
    float epochs E; extra: epochs k more.
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

    def without(self, name: str) -> "Setting":
        """The setting without a factor, or without its dataset, model, budget or extra."""
        if name in ("dataset", "model", "budget", "extra"):
            fields: dict[str, Any] = {name: None}
            return replace(self, **fields)
        return replace(self, factors=tuple(f for f in self.factors if f[0] != name))

    @property
    def of_all_draws(self) -> "Setting":
        """The setting of a contrast, which is the mean over repeated draws within a seed."""
        return replace(self, factors=tuple(f for f in self.factors if f[0] not in REPLICATES))

    def within(self, other: "Setting") -> bool:
        """Does every field that this setting has stand in `other` too, with the same value? `other`
        may have more."""
        theirs = other.fields()
        return all(
            theirs.get(name) == value
            for name, value in self.fields().items()
            if value is not None or name != "extra"
        )

    def fields(self) -> dict[str, Value]:
        return {
            "dataset": self.dataset,
            "model": self.model,
            **dict(self.factors),
            "budget": self.budget,
            "extra": self.extra,
        }


@dataclass(frozen=True)
class Varying:
    """The fields of a setting that differ between settings: what a label must say.

    recipes: name -> the levels that go together under it, which a label says by that name.
    """

    names: tuple[str, ...]
    recipes: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def without(self, name: str) -> "Varying":
        return replace(self, names=tuple(other for other in self.names if other != name))

    @property
    def in_recipes(self) -> Collection[str]:
        """Factors that recipes name."""
        return next(iter(self.recipes.values()), {}).keys()

    def recipes_of(self, setting: Setting) -> tuple[str, ...]:
        """The recipes that a setting can be of: several where what tells them apart does not reach
        its arms; none where that is all of them."""
        levels = dict(setting.factors)
        known = levels.keys() & self.in_recipes
        fitting = tuple(
            name for name, of in self.recipes.items() if all(of[f] == levels[f] for f in known)
        )
        return fitting if len(fitting) < len(self.recipes) else ()


@dataclass(frozen=True, eq=False)
class Sample:
    """One arm at one setting: what its seeds gave.

    planned: the seeds that should be there; statuses: of their cells, `missing` where there is no
    row; seeds: those evaluated, ascending; values: float (seeds,), in `unit` (accuracies in
    percent; not finite where a model's outputs are not); correct: bool (seeds, examples), right or
    wrong; per_example: float32 (seeds, examples), whose means times `scale` are `values`; both None
    where only values are known; groups: of each test example, None where there are none; own_runs:
    are its seeds known to be repetitions, since this package trained them? machines: per
    seed the CPU and the versions that its cell ran on; audited: what its files were found to be
    beside their number format; not_finite: models with outputs that are not finite; whole: int
    (seeds,), values in steps of `step`, where values are decimal numbers; lower_is_better: None
    where it is not known; unsupported: why no model of it can be, empty where one can; draws: float
    (seeds, draws), whose means are `values`, None where a seed has one draw.
    """

    setting: Setting
    arm: str
    metric: str
    unit: str
    planned: tuple[int, ...]
    statuses: Mapping[str, int]
    seeds: tuple[int, ...]
    values: FloatArray
    correct: Correct | None = None
    per_example: NDArray[np.float32] | None = None
    scale: float = 100.0
    groups: tuple[str, ...] | None = None
    own_runs: bool = False
    machines: tuple[tuple[Value, Value], ...] = ()
    audited: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    not_finite: int = 0
    whole: IntArray | None = None
    step: float = 1.0
    lower_is_better: bool | None = False
    unsupported: str = ""
    draws: FloatArray | None = None

    @cached_property
    def counts(self) -> IntArray:
        """int (seeds,): test examples classified correctly."""
        assert self.correct is not None, "only where examples are known"
        counts: IntArray = np.asarray(self.correct.sum(axis=1, dtype=np.int64))
        return counts

    @property
    def n_examples(self) -> int | None:
        """Test examples, where they are known."""
        known = self.per_example if self.correct is None else self.correct
        return None if known is None else int(known.shape[1])

    @cached_property
    def finite(self) -> tuple[int, ...]:
        """The seeds whose values are finite."""
        known = np.isfinite(self.values)
        if known.all():
            return self.seeds
        return tuple(s for s, v in zip(self.seeds, known.tolist(), strict=True) if v)

    @cached_property
    def _place(self) -> Mapping[int, int]:
        return {seed: place for place, seed in enumerate(self.seeds)}

    def positions(self, seeds: Sequence[int]) -> IntArray:
        """Where these seeds, all evaluated, stand in `seeds`: int (seeds,)."""
        if seeds == self.seeds:
            return np.arange(len(self.seeds))
        return np.array([self._place[seed] for seed in seeds], dtype=np.int64)

    def cells(self, seeds: Sequence[int]) -> NDArray[Any] | None:
        """Of these seeds, all evaluated: right or wrong, or values, (seeds, examples), if known."""
        known = self.per_example if self.correct is None else self.correct
        return None if known is None else known[self.positions(seeds)]

    @property
    def in_steps(self) -> tuple[IntArray, float] | None:
        """Values as whole multiples of a step, and the step in `unit`; None where they are none."""
        if self.correct is not None:
            return self.counts, 100 / self.correct.shape[1]
        return None if self.whole is None else (self.whole, self.step)

    def mean(self) -> float | None:
        return float(self.at(self.finite).mean()) if self.finite else None

    def at(self, seeds: Sequence[int]) -> FloatArray:
        """Values of these seeds, all evaluated: (seeds,)."""
        return self.values[self.positions(seeds)]

    def is_constant(self, seeds: Sequence[int]) -> bool:
        """Have these seeds, all evaluated, one value?"""
        values = (self.values if self.whole is None else self.whole)[self.positions(seeds)]
        return bool((values == values[0]).all())

    def over(self, seeds: Sequence[int]) -> FloatArray:
        """Values of these seeds, nan where there is none: (seeds,)."""
        known = dict(zip(self.seeds, self.values, strict=True))
        return np.array([known.get(seed, np.nan) for seed in seeds])

    def interval(self, alpha: float) -> Interval | None:
        """t interval of the arm's mean over new seeds, of those with a finite value; None for fewer
        than two of them, and where all have one value, which tells nothing of new ones."""
        if not self.finite or self.is_constant(self.finite):
            return None
        return paired.paired_t(self.at(self.finite)).interval(alpha)


@dataclass(frozen=True, eq=False)
class Pairs:
    """The paired differences of one contrast at one setting, or how they change: with the budget
    (interaction, slope) or with a factor (effect, slope).

    planned: seeds that should be there; seeds: shared by all samples, ascending; d: float (seeds,),
    arm a minus arm b in `unit`; whole: int (seeds,), d in steps of `step`, None where only real
    values are known; cells: sums over seeds and over test examples, in steps of `cell_step`, or of
    real values what is left of them; groups: the same by group of test examples, where they have
    any; not_finite: seeds that are left out since a model's value is not finite, as who is worst
    there, -1 where arm a is below b; churn:
    of contrasts only; mixed: shared seeds whose cells ran on different CPUs or versions; delta: the
    smallest difference of the contrast that matters, None where none is declared; doublings: from
    the smallest to the largest level, 1 unless this is a slope. factor, level, reference: of a
    change, what changes, and from which level to which; moved: the one arm that a factor reaches,
    where it reaches only one: the change is then that arm's own, whatever stands beside it.
    declared: is this change in the study's primary family? draws: of contrasts, d by calibration
    draw, (seeds, draws), None where each seed has one. parts: of an overall effect whose settings
    share no seed, these settings: then seeds and d are empty.
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
    cells: CrossedSums | MeanSquares | None = None
    groups: GroupSums | None = None
    not_finite: tuple[int, ...] = ()
    cell_step: float = 100.0
    churn: paired.Churn | None = None
    mixed: int = 0
    doublings: float = 1.0
    factor: str | None = None
    level: str | None = None
    reference: str | None = None
    moved: str | None = None
    declared: bool = False
    lower_is_better: bool | None = False
    draws: FloatArray | None = None
    parts: tuple["Pairs", ...] = ()

    @property
    def n(self) -> int:
        """Pairs of results that the mean rests on."""
        return len(self.seeds) + sum(one.n for one in self.parts)

    @property
    def name(self) -> str:
        """The contrast's name; of an effect on one arm alone, that arm's."""
        return self.moved or self.contrast.name

    @property
    def attempted(self) -> int:
        """Seeds whose cells of both arms have a row, whatever its status."""
        return min(len(s.planned) - s.statuses.get("missing", 0) for s in self.samples)

    @property
    def n_examples(self) -> int | None:
        if isinstance(self.cells, MeanSquares):
            return self.cells.n_examples
        return None if self.cells is None else self.cells.examples.size

    @property
    def margin(self) -> float | None:
        """The smallest difference that matters, in `unit`: a slope matters where it moves the
        contrast by delta from the smallest to the largest level."""
        return None if self.delta is None else self.delta / self.doublings

    @property
    def of_values(self) -> bool:
        """Are only values of runs known that this package has not made?"""
        return all(s.n_examples is None and not s.own_runs for s in self.samples)

    @property
    def impossible(self) -> Mapping[str, str]:
        """Arms of which no model can be, and why: such a contrast does not exist."""
        return {s.arm: s.unsupported for s in self.samples if s.unsupported}

    @cached_property
    def unmoved(self) -> tuple[str, ...]:
        """Arms to which every seed gives the same value, where only values are known: their seeds
        are no repetitions, and nothing follows about new ones."""
        if len(self.seeds) < 2 or not self.of_values:
            return ()
        still = (s.arm for s in self.samples if s.is_constant(self.seeds))
        return tuple(dict.fromkeys(still))

    @cached_property
    def test(self) -> paired.PairedT | MeanOfMeans | None:
        """The paired t-test over seeds; None without any seed. Where an arm gives every seed the
        same value there is the mean, and no test: see `unmoved`."""
        if self.parts:
            return mean_of_means([one.d for one in self.parts])
        if not self.seeds:
            return None
        test = paired.paired_t(self.d)
        return paired.PairedT(test.n, test.mean, *(None,) * 3, 0, None) if self.unmoved else test

    @cached_property
    def crossed(self) -> Crossed | None:
        """The estimate for new seeds and new test examples, or new groups of these."""
        if self.groups is not None:
            return grouped(self.groups, scale=self.cell_step)
        return self.ungrouped

    @cached_property
    def ungrouped(self) -> Crossed | None:
        """The estimate if every test example were drawn by itself."""
        return None if self.cells is None else crossed(self.cells, scale=self.cell_step)

    @cached_property
    def p_signflip(self) -> float | None:
        if not self.seeds or self.unmoved:
            return None
        return sign_flip.sign_flip_p(self.d if self.whole is None else self.whole)

    @cached_property
    def p_wilcoxon(self) -> float | None:
        if not self.seeds or self.unmoved:
            return None
        return sign_flip.wilcoxon_p(self.d if self.whole is None else self.whole)

    @cached_property
    def win_rate(self) -> proportions.WinRate | None:
        """Of all shared seeds: a value that is not finite is the worst."""
        d = np.concatenate([self.d, self.not_finite])
        return proportions.win_rate(d) if d.size and not self.unmoved else None

    @property
    def dz(self) -> float | None:
        return None if self.test is None else self.test.dz

    @property
    def gz(self) -> float | None:
        return None if self.test is None else self.test.gz

    @cached_property
    def nested(self) -> Nested | None:
        """How much of the spread over seeds is that of the calibration draw; None without draws."""
        if self.draws is None or not self.seeds or self.draws.shape[1] < 2:
            return None
        return nested(self.draws)

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


def shared(*seeds: tuple[int, ...]) -> tuple[int, ...]:
    """The seeds that are in each of these, ascending; each is ascending itself."""
    first, *others = set(seeds)
    return tuple(sorted(set(first).intersection(*others))) if others else first
