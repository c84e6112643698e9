"""The fields `guess`, `decides`, `direction`: a hypothesis, and the one number that decides it."""

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from bench.errors import InputError
from bench.study import designs, effects

if TYPE_CHECKING:
    from bench.study.fields import Study

Direction = Literal["higher", "lower", "either"]


class Guessing(BaseModel):
    """guess: a hypothesis in a sentence; decides: the contrast, or the effect on one, whose number
    answers it; direction: on which side of 0 the guess expects it."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    guess: str = ""
    decides: str | None = None
    direction: Direction | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Guessing":
        given = {
            "guess": self.guess.strip(),
            "decides": self.decides,
            "direction": self.direction,
        }
        missing = [name for name, value in given.items() if not value]
        if missing and len(missing) < len(given):
            raise InputError(
                missing[0],
                "missing: a guess takes a sentence, what decides it, and a direction",
                "allowed: guess, decides and direction together",
            )
        return self


def check(study: "Study") -> None:
    """Raises InputError unless exactly one number of the study decides its guess."""
    if study.decides is None:
        return
    effects.check(study, study.decides, "decides")
    effect, contrast = effects.parsed(study.decides)
    if effect is None:
        if contrast not in study.primary_contrasts:
            raise InputError(
                "decides", f"{contrast!r} is not in `primary`", "allowed: primary contrasts"
            )
        known = study.known_contrasts[contrast]
        places = sum(
            designs.count(
                study, (known.a, known.b), *place, lambda f, level: study.is_primary_at({f: level})
            )
            for place in designs.places(study)
        )
    else:
        places = len({test for test in effects.tests(study, effect) if test[-1] != effects.SLOPE})
    if places != 1:
        raise InputError(
            "decides",
            f"{study.decides!r} is {places} numbers in this study",
            "allowed: what is one: a contrast at one budget and setting, an effect at one level, "
            "such as learning_rate=0.01: qat - ptq",
        )
