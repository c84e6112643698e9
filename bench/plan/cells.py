"""Study -> cells, their identity, the trajectories that they share, and the cost of it all.

A trajectory is the float training of one seed through all budgets, each budget a snapshot. From
each snapshot fork the float evaluation, the control and QAT, every one of them a task of its own,
so that a cluster is not held to one seed per core.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

from bench import datasets
from bench.errors import InputError
from bench.store.schema import Status
from bench.study import Study
from bench.study.arms import ARMS
from bench.study.factors import FACTOR_NAMES

RECIPE = 1
"""Part of every identity: raise it when the same study would give other results."""


@dataclass(frozen=True, order=True, slots=True)
class Recipe:
    """One value of each factor, the streams that are pinned, and what identifies the data."""

    train_examples: int | None
    batch_size: int
    optimizer: str
    learning_rate: float
    calibration_examples: int
    pin: tuple[tuple[str, int], ...] = ()

    @property
    def training(self) -> "Recipe":
        """The same without what cannot influence float training: the key of a trajectory."""
        pin = tuple((stream, seed) for stream, seed in self.pin if stream != "calibration")
        return replace(self, calibration_examples=0, pin=pin)


@dataclass(frozen=True, slots=True)
class Cell:
    """One evaluated model. `extra` is None for the arms that have no epochs more.

    id: 16 hex digits over all that determines the result, and nothing else; dataset: the label
    that rows carry.
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
        """The identity columns of the cell's row."""
        own = ("dataset", "model", "seed", "budget", "arm", "extra")
        return {
            "cell": self.id,
            **{name: getattr(self, name) for name in own},
            **{name: getattr(self.recipe, name) for name in FACTOR_NAMES},
        }

    def failure(self, status: Status, error: str) -> dict[str, Any]:
        """The row of a cell that has no result."""
        row = {"status": status, "error": error, "finished_at": datetime.now(UTC)}
        return self.columns | row


def _identity(
    data: str,
    model: str,
    seed: int,
    budget: int,
    arm: str,
    extra: int | None,
    recipe: Recipe,
) -> str:
    # A factor at its default is left out, so that a new factor changes no identity.
    factors = {
        name: value
        for name in FACTOR_NAMES
        if (value := getattr(recipe, name)) != Study.model_fields[name].default[0]
    }
    determines = [RECIPE, data, model, seed, budget, arm, extra, factors, dict(recipe.pin)]
    text = json.dumps(determines, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_data(study: Study) -> dict[str, datasets.Size]:
    """The size of each dataset, by label.

    Raises InputError if a folder is not there or not as expected, or if the study asks for more
    training or calibration examples than there are.
    """
    sizes = {}
    for source in study.datasets:
        datasets.check_source(source, "datasets")
        size = sizes[datasets.label(source)] = datasets.size(source)
        for examples in study.train_examples:
            _check_count("train_examples", examples, size.train, source)
            for drawn in study.calibration_examples:
                _check_count("calibration_examples", drawn, examples or size.train, source)
    return sizes


def _check_count(field: str, wanted: int | None, there: int, source: str) -> None:
    if wanted is not None and wanted > there:
        raise InputError(
            field,
            f"found {wanted}, but {datasets.label(source)} gives {there} training examples",
            f"allowed: 1 to {there}",
        )


def cells(study: Study) -> list[Cell]:
    """All cells of a study, by seed and then by setting, so that early results are paired.

    Reads the files of datasets that are folders, to identify their content.
    """
    pin = tuple(sorted(study.pin.items()))
    factors = product(*(getattr(study, name) for name in FACTOR_NAMES))
    recipes = [
        Recipe(**dict(zip(FACTOR_NAMES, values, strict=True)), pin=pin) for values in factors
    ]
    data = [(datasets.label(source), datasets.identity(source)) for source in study.datasets]
    grid = product(study.seeds, data, study.models, recipes, study.budgets, study.arms)
    return [
        Cell(
            _identity(content, model, seed, budget, arm, extra, recipe),
            dataset,
            model,
            seed,
            budget,
            arm,
            extra,
            recipe,
        )
        for seed, (dataset, content), model, recipe, budget, arm in grid
        for extra in (study.extra if ARMS[arm].extra else (None,))
    ]
