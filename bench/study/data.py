"""Fields of a study that say how its data are read, where the files do not say it themselves."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bench.datasets.reading import log_mel
from bench.datasets.reading.options import FrontEnd

MOST_SIDE = 4096
"""Of an image, as datasets.reading.limits has it of its pixels."""

Side = Annotated[int, Field(ge=1, le=MOST_SIDE)]
_Decibels = Annotated[float, Field(ge=-300, le=300, allow_inf_nan=False)]
_DEFAULT = FrontEnd()


def _size(value: Any) -> Any:
    """A single number is both sides."""
    if isinstance(value, list):
        return tuple(value)
    return (value, value) if isinstance(value, int) else value


Resize = Annotated[tuple[Side, Side] | None, BeforeValidator(_size)]
"""Height and width."""


class Audio(BaseModel):
    """The table `audio`: datasets.reading.options.FrontEnd, field by field."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    rate: Annotated[int, Field(ge=100, le=384_000)] = _DEFAULT.rate
    seconds: Annotated[float, Field(ge=0.01, le=60, allow_inf_nan=False)] = _DEFAULT.seconds
    window_ms: Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False)] = _DEFAULT.window_ms
    hop_ms: Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False)] = _DEFAULT.hop_ms
    bands: Annotated[int, Field(ge=1, le=512)] = _DEFAULT.bands
    floor_db: _Decibels = _DEFAULT.floor_db
    ceiling_db: _Decibels = _DEFAULT.ceiling_db

    @model_validator(mode="after")
    def _possible(self) -> "Audio":
        log_mel.check(self.front_end)
        return self

    @property
    def front_end(self) -> FrontEnd:
        return FrontEnd(**self.model_dump())
