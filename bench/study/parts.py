"""What stands in a file of somebody's own: functions for a model and for data."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from bench import models
from bench.errors import InputError
from bench.study.annotations import as_tuple


class OwnPart(BaseModel):
    """What stands in a file of somebody's own, under one name: functions for a model and for data.

    lacks: factors that the model has nothing for; annotates: does annotate() choose what QAT
    quantizes?; metric: a function that measures outputs.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    file: str
    model: str | None = None
    data: str | None = None
    lacks: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = ()
    annotates: bool = False
    metric: str | None = None

    @property
    def built_in(self) -> bool:
        """Is its model a built-in network, used with the file's functions?"""
        return self.model in models.names()


def check_budgets(budgets: Sequence[int], named: Sequence[str], own: Mapping[str, OwnPart]) -> None:
    """Raises InputError where nothing would be trained of a model that has no trained weights."""
    built_in = [name for name in named if name not in own or own[name].built_in]
    if 0 in budgets and built_in:
        raise InputError(
            "budgets",
            f"found 0, but {built_in[0]} has no weights before it is trained",
            "allowed: at least 1; 0 for a model() of your own that returns trained weights",
        )
