"""The field `sequential`: when the data are looked at, and until when seeds are added."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from bench.study.annotations import as_tuple, ascending, each_once
from bench.study.factors import Count


class Sequential(BaseModel):
    """Seeds are added until the primary contrasts are clear; the looks are fixed beforehand.

    looks: numbers of seeds at which the data are looked at; the last is the declared maximum,
    unless `every` says that looks go on from there without one, each so many seeds later.
    half_width: pp; a contrast is clear when its interval is that narrow. None: when it is decided.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    looks: Annotated[
        tuple[Annotated[int, Field(ge=2)], ...],
        BeforeValidator(as_tuple),
        AfterValidator(each_once),
        AfterValidator(ascending),
    ]
    every: Count | None = None
    half_width: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    def look_after(self, seeds: int) -> int | None:
        """The first look at more than `seeds` seeds; None past the declared maximum."""
        later = next((look for look in self.looks if look > seeds), None)
        if later is None and self.every is not None:
            steps = (seeds - self.looks[-1]) // self.every + 1
            return self.looks[-1] + steps * self.every
        return later
