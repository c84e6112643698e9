"""How somebody's own table was read: what each column was taken for, and what else is said."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["seed", "arm", "setting", "factor", "metric", "example", "group", "left out"]


@dataclass(frozen=True)
class Taken:
    """What one column was taken for; why: in a few words, empty where the role says it all."""

    column: str
    role: Role
    why: str = ""


@dataclass(frozen=True)
class Remark:
    """A sentence without its full stop; names: of the table's, one for each {} in the text."""

    text: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """columns: in the table's order."""

    columns: tuple[Taken, ...]
    remarks: tuple[Remark, ...] = ()
