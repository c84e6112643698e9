"""A whole pipeline of somebody's own, as a study records it: its arms, and what each of them takes.

What stands here is what a reader of results needs: nobody runs a user's file to read them.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bench.study.annotations import as_tuple
from bench.study.factors import FACTORS, Factor, Value

Level = str | int | float | bool


class OwnArm(BaseModel):
    """One arm. extra: has it epochs more; takes: the factors that reach it, by name, those that its
    start takes among them. Of its files nothing is claimed, so nothing is held against them."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    extra: bool = False
    takes: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = ()

    @property
    def number_format(self) -> None:
        """Not claimed."""
        return None

    @property
    def ranges(self) -> str:
        """Not known."""
        return ""


class OwnFactor(BaseModel):
    """A factor that only this pipeline has. levels: as the study sets them; default: of the
    function's parameter, None where it has none that can be read."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    levels: Annotated[tuple[Level, ...], BeforeValidator(as_tuple)]
    default: Level | None = None

    def row(self, name: str, file: str) -> Factor:
        text = any(isinstance(level, str) for level in self.levels)
        default = self.levels[0] if self.default is None else self.default
        meaning = f"a parameter of {file}"
        return Factor(name, "string" if text else "float64", Level, default, meaning, "float")


class OwnPipeline(BaseModel):
    """kind: `functions` that fork from one start, or a `command` for each cell; arms: in the file's
    order; start: the factors that act before the arms; factors: those of its own; contrasts: chosen
    in the file, None: all by the rule for tables; labels: are the test examples' labels known, so
    that predictions can be judged, or do its arms give metrics only?
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    file: str
    kind: Literal["functions", "command"]
    arms: dict[str, OwnArm]
    start: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = ()
    factors: dict[str, OwnFactor] = Field(default={})
    contrasts: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] | None = None
    labels: bool = True

    @property
    def all_factors(self) -> Mapping[str, Factor]:
        """The factors that any study has, and its own behind them."""
        return FACTORS | {name: own.row(name, self.file) for name, own in self.factors.items()}

    def reaching(self, *arms: str) -> tuple[str, ...]:
        """The names of the factors that reach any of these arms, in the table's order."""
        taken = {name for arm in arms for name in self.arms[arm].takes}
        return tuple(name for name in self.all_factors if name in taken)

    def levels(self, name: str) -> tuple[Value, ...] | None:
        """The levels of one of its own factors; None of any other."""
        return self.factors[name].levels if name in self.factors else None
