"""Study -> cells: one for each model that is evaluated, whatever factors do not reach it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bench import datasets, models
from bench.errors import InputError
from bench.plan.identity import STREAM_STAGES, cell_id
from bench.store.schema import Status
from bench.study import Study, designs
from bench.study.arms import ARMS, Stage
from bench.study.factors import FACTORS, Value
from bench.study.objective import Objective


@dataclass(frozen=True, slots=True)
class Recipe:
    """One level of each factor, of those that reach what it is the recipe of, in the table's
    order; the random streams that are pinned for it; and what the models are for. Index it by a
    factor's name."""

    levels: tuple[tuple[str, Value], ...]
    pin: tuple[tuple[str, int], ...] = ()
    objective: Objective = Objective()  # noqa: RUF009

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
        return Recipe(
            tuple((name, level) for name, level in self.levels if FACTORS[name].stage in stages),
            tuple((stream, seed) for stream, seed in self.pin if STREAM_STAGES[stream] in stages),
            self.objective,
        )


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
            **{name: levels.get(name) for name in FACTORS},
        }

    def failure(self, status: Status, error: str) -> dict[str, Any]:
        """The row of a cell that has no result."""
        row = {"status": status, "error": error, "finished_at": datetime.now(UTC)}
        return self.columns | row


def check_data(study: Study) -> dict[str, datasets.Size]:
    """The size of each dataset, by label.

    Raises InputError if a folder is not there or not as expected, or if the study asks for more
    training or calibration examples than there are.
    """
    sizes = {}
    calibrated = any(study.has(model, "calibration_examples") for model in study.models)
    for source in study.datasets:
        datasets.check_source(source, "datasets")
    datasets.check_options(study.datasets, study.reading)
    _check_classes(study)
    for model in study.models:
        kinds = study.levels("calibration_draw")
        if "augmented" in kinds and models.hook(model, "augment") is None:
            raise InputError(
                "calibration_draw",
                f"augmented, but no augment() stands beside {model}",
                "allowed: the other draws, or a model in a file with augment(x, y, rng)",
            )
    for source in study.datasets:
        size = sizes[datasets.label(source)] = datasets.size(source, study.reading)
        for examples in study.levels("train_examples"):
            _check_count("train_examples", examples, size.train, source)
            for drawn in study.levels("calibration_examples") if calibrated else ():
                _check_count("calibration_examples", drawn, examples or size.train, source)
    return sizes


def _check_classes(study: Study) -> None:
    """Raises InputError for a level that is about classes, where there are none."""
    about: dict[str, Collection[Value]] = {
        "class_imbalance": [each for each in study.levels("class_imbalance") if each != 1],
        "label_noise": [each for each in study.levels("label_noise") if each],
        "calibration_draw": {"one-class", "skewed"} & {*study.levels("calibration_draw")},
    }
    for name, levels in about.items():
        if levels and study.task != "classification":
            found = f"{sorted(map(str, levels))[0]} for a task of {study.task}"
            raise InputError(name, found, "allowed: with classes (classification)")


def _check_count(field: str, wanted: Any, there: Any, source: str) -> None:
    if wanted is not None and wanted > there:
        raise InputError(
            field,
            f"found {wanted}, but {datasets.label(source)} gives {there} training examples",
            f"allowed: 1 to {there}",
        )


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
    built = {name: models.identity(name) for name in study.models}
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
    stages = ARMS[arm].stages
    if "calibration_examples" in study.of_arms(arm):
        stages |= {"calibration"}
    pin = tuple(sorted((s, n) for s, n in study.pin.items() if STREAM_STAGES[s] in stages))
    for levels, extra in designs.combinations(study, (arm,), *place):
        yield Recipe(levels, pin, study.objective), extra
