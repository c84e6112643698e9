"""The factors: what may vary beside data, model, seed, budget, extra and arm, one row each.

Columns of rows, fields of a study, sharing of trainings, identity of cells, sizes of families and
the table in docs/your-own-study.md all follow from this table. A new factor is a row here and its
one use in bench.pipelines; at its default no cell changes its identity.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from bench import models
from bench.study.arms import ARMS, Stage

Value = str | int | float | None

MOST_INT32 = 2**31 - 1
"""Whole numbers of a study are stored in 32 bits."""

Count = Annotated[int, Field(ge=1, le=MOST_INT32)]
CountOrZero = Annotated[int, Field(ge=0, le=MOST_INT32)]
Rate = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]

FEW_LEVELS = 3
"""A factor of more levels enters by its slope and its last level where they are ordered."""


class Column(NamedTuple):
    """A column of a table: its Arrow type, as pyarrow.type_for_alias understands it, and what it
    means, with its unit."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class Factor:
    """type: of its column, in Arrow; level: what one level may be, as an annotation for pydantic;
    default: one level; meaning: with its unit; stage: where it acts, and so which arms it reaches;
    none: the word that a study writes for the level None, which means no number; concerns: of a
    factor that only some models have, says by name which; lacking: what the others lack."""

    name: str
    type: str
    level: Any
    default: Value
    meaning: str
    stage: Stage
    none: str | None = None
    concerns: Callable[[str], bool] | None = None
    lacking: str = ""

    @property
    def column(self) -> Column:
        absent = f"; null: {self.none}" if self.none else "; null where it does not reach the arm"
        return Column(self.name, self.type, self.meaning + absent)

    @property
    def ordered(self) -> bool:
        """Are its levels numbers?"""
        return self.type != "string"

    def shown(self, level: Value) -> Value:
        """A level as a study writes it."""
        return self.none if level is None else level


FACTORS = {
    factor.name: factor
    for factor in (
        Factor(
            "train_examples", "int32", Count, None,
            "training examples used, the first of a fixed permutation", "data", none="all",
        ),
        Factor("batch_size", "int32", Count, 32, "examples in a training step", "float"),
        Factor(
            "optimizer", "string", Literal["adam", "rmsprop", "sgd"], "adam",
            "of every training, float, control and QAT", "float",
            concerns=lambda model: models.hook(model, "optimizer") is None,
            lacking="need of it: optimizer() in its file makes one",
        ),
        Factor(
            "learning_rate", "float64", Rate, 0.001,
            "constant, of every training", "float",
        ),
        Factor(
            "batch_norm_momentum", "float64", Share, None,
            "of every BatchNormalization layer's moving averages", "float", none="model",
            concerns=models.normalizes, lacking="BatchNormalization layers",
        ),
        Factor(
            "calibration_examples", "int32", Count, 200,
            "training examples drawn to calibrate", "calibration",
            concerns=lambda model: models.hook(model, "representative") is None,
            lacking="need of it: representative() in its file gives them",
        ),
    )
}  # fmt: skip

COLUMNS = tuple(factor.column for factor in FACTORS.values())


def of_arms(*arms: str) -> tuple[str, ...]:
    """The names of the factors that reach any of these arms, in the table's order. Which of them a
    model has something for, a study says: Study.reaching."""
    stages: set[Stage] = set()
    stages = stages.union(*(ARMS[arm].stages for arm in arms))
    return tuple(name for name, factor in FACTORS.items() if factor.stage in stages)


def by_order(levels: Sequence[Value]) -> list[float] | None:
    """The levels, ascending, where effects are counted by their order: more than FEW_LEVELS, all
    numbers above 0, which have a logarithm. None where each level is counted by itself."""
    numbers = [
        v for v in levels if isinstance(v, int | float) and not isinstance(v, bool) and v > 0
    ]
    return sorted(numbers) if len(numbers) == len(levels) > FEW_LEVELS else None
