"""What budgets and the training more are counted in, and how an amount of it is worded."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from bench.errors import InputError

Unit = Literal["epochs", "steps"]

NAMES = ("budget_unit", "extra_unit")
"""The fields, which are columns of rows too."""


class Counting(BaseModel):
    """budget_unit, extra_unit: what `budgets` and `extra` count. Of somebody's whole pipeline both
    are numbers that its file makes something of, and have no unit that is known."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    if TYPE_CHECKING:
        pipeline: Any

    budget_unit: Unit = "epochs"
    extra_unit: Unit = "epochs"

    @property
    def budget_counts(self) -> Unit | None:
        """What a budget counts; None where it is a number of somebody's own."""
        return self.budget_unit if self.pipeline is None else None

    @property
    def extra_counts(self) -> Unit | None:
        """The same of the training more."""
        return self.extra_unit if self.pipeline is None else None

    @model_validator(mode="after")
    def _not_of_a_pipeline(self) -> "Counting":
        for name in NAMES:
            if self.pipeline is not None and getattr(self, name) != "epochs":
                found = f"{getattr(self, name)!r}, but {self.pipeline.file} says what it counts"
                raise InputError(name, found, "allowed: leave it out")
        return self


def amount(n: int, unit: Unit | None) -> str:
    """`4 epochs`, `1 step`; `budget 4` where nobody knows what it counts."""
    return f"budget {n:,}" if unit is None else f"{n:,} {_noun(unit, n == 1)}"


def amounts(numbers: Sequence[int], unit: Unit | None, joint: str = "and") -> str:
    """`1, 2 and 4 epochs`; `budgets 1, 2 and 4`."""
    *head, last = map(str, numbers)
    listed = f"{', '.join(head)} {joint} {last}" if head else last
    one = list(numbers) == [1]
    if unit is None:
        return f"budget{'' if len(numbers) == 1 else 's'} {listed}"
    return f"{listed} {_noun(unit, one)}"


def after(numbers: Sequence[int], unit: Unit | None) -> str:
    """When a model was looked at: `after 1 and 2 epochs`, `at budgets 1 and 2`."""
    return f"{'at' if unit is None else 'after'} {amounts(numbers, unit)}"


def worded(text: str, budget: Unit | None, extra: Unit | None) -> str:
    """A sentence about arms, which says E epochs and k epochs, in these units."""
    if budget == "steps":
        text = text.replace("E epochs", "E steps")
    if extra == "steps":
        text = text.replace("k epochs", "k steps").replace("k more epochs", "k more steps")
    return text


def known(name: str, value: Any) -> Any:
    """A value of a column as rows compare by it: where a unit says nothing, or is of an older
    folder, it is the default."""
    return "epochs" if name in NAMES and value is None else value


def _noun(unit: Unit, one: bool) -> str:
    return unit.removesuffix("s") if one else unit
