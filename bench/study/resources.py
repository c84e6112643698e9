"""What a task of a study reserves on a node, and how long it may take. No part of a result."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_BYTES = {"B": 1} | {
    f"{prefix}{unit}": base ** (power + 1)
    for unit, base in (("B", 1000), ("iB", 1024))
    for power, prefix in enumerate("kMGT" if unit == "B" else "KMGT")
}

LONGEST_S = 365 * 86400

_AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


@dataclass(frozen=True)
class Resources:
    """Of one task. cpus: reserved (TensorFlow computes on one thread all the same); gpus: whole
    ones, or a fraction of one that several tasks share; memory: bytes, None: not reserved."""

    cpus: int = 1
    gpus: float = 0.0
    memory: int | None = None

    def __str__(self) -> str:
        parts = [f"{self.cpus} CPU{'s' * (self.cpus != 1)}"]
        if self.gpus:
            parts.append(f"{self.gpus:g} GPU{'s' * (self.gpus > 1)}")
        if self.memory is not None:
            parts.append(f"{self.memory / 2**30:.3g} GiB of memory")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """Seconds in the largest unit that shows them whole: `30min`."""
    for unit, size in reversed(_SECONDS.items()):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"


def _in(units: dict[str, int], example: str) -> Any:
    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = _AMOUNT.fullmatch(value)
        if found is None or found[2] not in units:
            raise ValueError(
                f"found {value!r}; allowed: a number, or one with {', '.join(units)}, as {example}"
            )
        return float(found[1]) * units[found[2]]

    return read


def _whole_or_shared(gpus: float) -> float:
    if gpus > 1 and gpus != int(gpus):
        raise ValueError(f"found {gpus:g}; allowed: a fraction of one GPU, or a whole number")
    return gpus


def _bytes(value: Any) -> Any:
    read = _in(_BYTES, '"4GB"')(value)
    return int(read) if isinstance(read, float) else read


_Memory = Annotated[int, Field(ge=1 << 20, lt=2**50)]
_Seconds = Annotated[float, Field(ge=1, le=LONGEST_S)]


class Reserving(BaseModel):
    """The fields of a study that say what each of its tasks reserves, how long it may take, and
    what all nodes must have in common."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    cpus: Annotated[int, Field(ge=1, le=4096)] = 1
    gpus: Annotated[float, Field(ge=0, le=4096), AfterValidator(_whole_or_shared)] = 0.0
    memory: Annotated[_Memory | None, BeforeValidator(_bytes)] = None
    timeout: Annotated[_Seconds | None, BeforeValidator(_in(_SECONDS, '"30min"'))] = None
    require_same: Literal["cpu"] | None = None

    @property
    def resources(self) -> Resources:
        """What each of its tasks reserves."""
        return Resources(self.cpus, self.gpus, self.memory)
