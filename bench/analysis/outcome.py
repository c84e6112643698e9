"""All that a report says, as numbers, and what must hold before any of it is believed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bench.analysis.belief import FloatCheck
from bench.analysis.comparisons import Comparison
from bench.analysis.costs import ArmCost
from bench.analysis.inside import Harm, Inside
from bench.analysis.reading import Reading
from bench.analysis.records import Kind, Population, Sample, Setting, Value, Varying
from bench.study import Study
from bench.study.arms import Contrast
from bench.study.units import Unit


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
    """What must hold before any contrast is believed, and where it does not.

    ignored_files: not readable; rejected: rows that contradict themselves or the labels, in words;
    notes: what else was found in the folder; declared: what the study has declared in turn (level,
    margin, primary family), each with the time and the number of results that were there.
    """

    planned: int = 0
    with_result: int = 0
    disagreements: tuple[Disagreement, ...] = ()
    wrong_formats: tuple[WrongFormat, ...] = ()
    mixed_seeds: tuple[int, ...] = ()
    ignored_files: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    declared: tuple[Mapping[str, Any], ...] = ()

    @property
    def complete(self) -> bool:
        return self.with_result >= self.planned


@dataclass(frozen=True, eq=False)
class Analysis:
    """All that a report says, as numbers.

    samples: every arm at every setting; comparisons: every contrast at every setting, by family;
    detailed: are there the tests beside the t-test (not for thousands of contrasts)? reading: how
    somebody's own table was read, None of a study; self_check: draws of the report's self-check,
    None for the usual; costs: of each arm; seed_seconds: CPU seconds of one seed of the whole
    study, None where they are not known.
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
    float_checks: tuple[FloatCheck, ...] = ()
    reading: Reading | None = None
    insides: tuple[Inside, ...] = ()
    harms: tuple[Harm, ...] = ()
    layers: bytes | None = None
    self_check: int | None = None
    costs: tuple[ArmCost, ...] = ()
    seed_seconds: float | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Rows of contrasts.parquet."""
        return [comparison.row(self.detailed) for comparison in self.comparisons]

    @property
    def ours(self) -> bool:
        """Are the arms those of this package, so that it is known what they are? Not so of a table,
        or of a whole pipeline of somebody's own."""
        return self.study is not None and self.study.pipeline is None

    @property
    def budget_counts(self) -> Unit | None:
        """What a budget counts; None where it is a number of somebody's own."""
        return None if self.study is None else self.study.budget_counts

    @property
    def extra_counts(self) -> Unit | None:
        return None if self.study is None else self.study.extra_counts

    @cached_property
    def in_groups(self) -> bool:
        """Do the test examples of any contrast come in groups?"""
        return any(c.pairs.groups is not None for c in self.comparisons)

    @cached_property
    def of_first_metric(self) -> tuple[Sample, ...]:
        """Every arm at every setting once, by the first metric."""
        first = self.samples[0].metric if self.samples else ""
        return tuple(sample for sample in self.samples if sample.metric == first)

    @cached_property
    def arms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(sample.arm for sample in self.samples))

    @cached_property
    def varying(self) -> Varying:
        """The fields of a setting that differ between the arms' samples: what a label must say."""
        seen: dict[str, set[Value]] = {}
        for sample in self.samples:
            for name, value in sample.setting.fields().items():
                if not (name == "extra" and value is None):
                    seen.setdefault(name, set()).add(value)
        names = tuple(name for name, values in seen.items() if len(values) > 1)
        return Varying(names, {} if self.study is None else self.study.by_recipe)

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
