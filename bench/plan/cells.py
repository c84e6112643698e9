"""Study -> cells: one for each model that is evaluated, whatever factors do not reach it."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bench import datasets, models
from bench.plan.identity import STREAM_STAGES, cell_id
from bench.plugins import whole
from bench.store.schema import Status
from bench.study import Study, designs
from bench.study.arms import ARMS, Stage
from bench.study.effective import effective
from bench.study.factors import FACTORS, RANDOMNESS, SOURCES, TRIED, Value
from bench.study.objective import Objective
from bench.study.units import Unit


@dataclass(frozen=True, slots=True)
class Recipe:
    """One level of each factor, of those that reach what it is the recipe of, in the table's
    order; the random streams that are pinned for it; and what the models are for. Index it by a
    factor's name.

    pipeline: the kind of somebody's whole pipeline, else None; start: the factors that act before
    its arms; budget_unit, extra_unit: what the numbers of its trainings count.
    """

    levels: tuple[tuple[str, Value], ...]
    pin: tuple[tuple[str, int], ...] = ()
    objective: Objective = Objective()  # noqa: RUF009
    pipeline: str | None = None
    start: tuple[str, ...] = ()
    budget_unit: Unit = "epochs"
    extra_unit: Unit = "epochs"

    def __getitem__(self, factor: str) -> Any:
        return dict(self.levels)[factor]

    def get(self, factor: str) -> Any:
        """A factor's level; None where it does not reach this."""
        return dict(self.levels).get(factor)

    def without(self, factor: str) -> "Recipe":
        """The same without one factor, which has become something else."""
        return replace(self, levels=tuple(pair for pair in self.levels if pair[0] != factor))

    def within(self, stages: Collection[Stage]) -> "Recipe":
        """What of it acts in these stages: equal where a training, or a file, is shared."""
        assert self.pipeline is None, "a pipeline of somebody's own has no stages"
        return Recipe(
            tuple((name, level) for name, level in self.levels if FACTORS[name].stage in stages),
            tuple((stream, seed) for stream, seed in self.pin if STREAM_STAGES[stream] in stages),
            self.objective,
            budget_unit=self.budget_unit,
            extra_unit=self.extra_unit if "extra" in stages else "epochs",
        )

    @property
    def units(self) -> tuple[tuple[str, str], ...]:
        """The units that are not epochs, by name."""
        named = (("budget_unit", self.budget_unit), ("extra_unit", self.extra_unit))
        return tuple((name, unit) for name, unit in named if unit != "epochs")

    @property
    def of_start(self) -> "Recipe":
        """What of it acts before a pipeline's arms: equal where one start serves them."""
        of_it = tuple((n, v) for n, v in self.levels if n in self.start)
        return Recipe(of_it, (), self.objective, self.pipeline, self.start)


@dataclass(frozen=True, slots=True)
class Cell:
    """One evaluated model. `extra` is None for the arms that have no epochs more.

    id: 16 hex digits over all that determines the result, and nothing else; dataset: the label
    that rows carry; recipe: the factors that reach the arm.
    """

    id: str
    dataset: str
    model: str
    seed: int
    budget: int
    arm: str
    extra: int | None
    recipe: Recipe

    @property
    def columns(self) -> dict[str, Any]:
        """The identity columns of the cell's row; null for factors that do not reach its arm."""
        own = ("dataset", "model", "seed", "budget", "arm", "extra")
        levels = dict(self.recipe.levels)
        return {
            "cell": self.id,
            **{name: getattr(self, name) for name in own},
            **self._units,
            **{name: levels.get(name) for name in FACTORS},
            "own_factors": own_factors({n: v for n, v in levels.items() if n not in FACTORS}),
        }

    @property
    def _units(self) -> dict[str, str | None]:
        """Null where there is no such number, or it is one of somebody's own."""
        ours = self.recipe.pipeline is None
        more = ours and self.extra is not None
        return {
            "budget_unit": self.recipe.budget_unit if ours else None,
            "extra_unit": self.recipe.extra_unit if more else None,
        }

    @property
    def tried_as(self) -> str:
        """What can or cannot be done, whatever the seed: the arm, with those levels that may not be
        possible. Such as `ptq with ptq_format = int16`."""
        levels = effective(self.arm, self.recipe.levels).levels if self.arm in ARMS else ()
        said = [f"{name} = {level}" for name, level in levels if name in TRIED]
        return f"{self.arm} with {', '.join(said)}" if said else self.arm

    def failure(self, status: Status, error: str) -> dict[str, Any]:
        """The row of a cell that has no result."""
        row = {"status": status, "error": error, "finished_at": datetime.now(UTC)}
        return self.columns | row


def own_factors(levels: Mapping[str, Value]) -> str | None:
    """The levels of factors that only this pipeline has, as a row holds them; None: there are
    none."""
    return json.dumps(levels, separators=(",", ":")) if levels else None


def cells(study: Study) -> list[Cell]:
    """All cells of a study, by seed and then by setting, so that early results are paired.

    A factor that does not reach an arm does not multiply it. Reads the datasets, to identify their
    content. Two places of a study can be one cell (the same data under two names): it then stands
    at both, with one id.
    """
    data = {
        datasets.label(source): datasets.identity(source, study.reading)
        for source in study.datasets
    }
    if study.pipeline is None:
        built = {name: models.identity(name) for name in study.models}
    else:
        built = {name: whole.get(name).identity for name in study.models}
    objective = study.objective.identity
    planned = [
        (place, arm, list(_recipes(study, arm, place)))
        for place in designs.places(study)
        for arm in study.arms
    ]
    return [
        Cell(
            cell_id(
                *(data[dataset], built[model], seed, budget, arm, extra),
                *(recipe.levels, recipe.pin, objective),
                own=recipe.pipeline is not None,
                units=recipe.units,
            ),
            dataset,
            model,
            seed,
            budget,
            arm,
            extra,
            recipe,
        )
        for seed in study.seeds
        for (dataset, model, budget), arm, recipes in planned
        for recipe, extra in recipes
    ]


def _recipes(
    study: Study, arm: str, place: tuple[str, str, int]
) -> Iterator[tuple[Recipe, int | None]]:
    """What runs of the arm there: the levels that reach it, and its epochs more."""
    if study.pipeline is not None:
        kind, start = study.pipeline.kind, study.pipeline.start
        for levels, extra in designs.combinations(study, (arm,), *place):
            yield Recipe(levels, (), study.objective, kind, start), extra
        return
    stages = ARMS[arm].stages
    if "calibration_examples" in study.of_arms(arm):
        stages |= {"calibration"}
    for levels, extra in designs.combinations(study, (arm,), *place):
        varied = dict(levels)[RANDOMNESS]
        held = [] if varied == "all" else [source for source in SOURCES if source != varied]
        pinned = dict.fromkeys(held, study.seeds[0]) | study.pin
        pin = tuple(sorted((s, n) for s, n in pinned.items() if STREAM_STAGES[s] in stages))
        more = study.extra_unit if extra is not None else "epochs"
        recipe = Recipe(
            levels, pin, study.objective, budget_unit=study.budget_unit, extra_unit=more
        )
        yield recipe, extra
