"""The field `diagnostics`: of how many seeds models are looked into, layer by layer."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Diagnosing(BaseModel):
    """diagnostics: the first so many seeds, or `all`. No result depends on it."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    if TYPE_CHECKING:
        seeds: tuple[int, ...]

    diagnostics: Annotated[int, Field(ge=0)] | Literal["all"] = 3

    @property
    def diagnosed(self) -> frozenset[int] | None:
        """The seeds whose models are looked into; None: all."""
        return None if self.diagnostics == "all" else frozenset(self.seeds[: self.diagnostics])
