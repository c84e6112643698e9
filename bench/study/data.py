"""Fields of a study that say how its data are read, where the files do not say it themselves, and
how often calibration examples are drawn of them."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bench.datasets.reading import log_mel
from bench.datasets.reading.options import FrontEnd, Options

MOST_SIDE = 4096
"""Of an image, as datasets.reading.limits has it of its pixels."""

Side = Annotated[int, Field(ge=1, le=MOST_SIDE)]
_Decibels = Annotated[float, Field(ge=-300, le=300, allow_inf_nan=False)]
_DEFAULT = FrontEnd()

MOST_DRAWS = 1000
"""Of calibration examples, for each seed."""


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


class Reading(BaseModel):
    """The fields, for a study to have. calibration_draws: how many for each seed; None: one."""

    resize: Resize = None
    label_column: str | None = None
    audio: Audio = Audio()
    calibration_draws: Annotated[int, Field(ge=1, le=MOST_DRAWS)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _draws(cls, fields: Any) -> Any:
        """The numbers of the draws, the factor `draw`, follow from how many there are."""
        n = fields.get("calibration_draws") if isinstance(fields, dict) else None
        if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= MOST_DRAWS:
            return fields  # none, or refused by its own type
        return fields | {"draw": list(range(n))}

    @property
    def reading(self) -> Options:
        """How the data are read."""
        return Options(self.resize, self.label_column, self.audio.front_end)
