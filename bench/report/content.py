"""One model of a report's content, which html.py and markdown.py render.

Prose is plain text with two marks: `code` and **strong**. What comes from a user (names of arms,
datasets, files) goes through `code`, so that it cannot be markup.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from bench.analysis import Population

Text = str
Level = Literal["error", "warning", "info"]


def code(name: object) -> Text:
    """A name of a user's as `code`: it can hold no markup."""
    text = re.sub(r"[`\s]+", " ", str(name)).strip()
    return f"`{text or ' '}`"


@dataclass(frozen=True)
class Paragraph:
    text: Text
    lead: bool = False  # set larger: the answer


@dataclass(frozen=True)
class Note:
    """What must not be overlooked."""

    level: Level
    text: Text


@dataclass(frozen=True)
class Bullets:
    items: tuple[Text, ...]


@dataclass(frozen=True)
class Terms:
    """Technical terms and what they mean."""

    items: tuple[tuple[Text, Text], ...]


@dataclass(frozen=True)
class Figure:
    """svg: as figures.svg made it; caption: what to see; alt: the same for who cannot see it."""

    id: str
    svg: str
    caption: Text
    alt: str


@dataclass(frozen=True)
class Column:
    """name: short; meaning: in a sentence, empty where the name says it; number: right-aligned;
    long: its texts are broken into lines."""

    name: Text
    meaning: Text = ""
    number: bool = False
    long: bool = False

    @property
    def kind(self) -> str:
        """Its class in HTML."""
        return "number" if self.number else "long" if self.long else ""


@dataclass(frozen=True)
class Cell:
    """text: as shown; sort: what the column is sorted by, the text itself where None; links: words
    behind it, each with the part of the report that it leads to."""

    text: Text
    sort: float | None = None
    links: tuple[tuple[Text, str], ...] = ()


@dataclass(frozen=True)
class Table:
    id: str
    caption: Text
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.id}: {len(row)} cells for {len(self.columns)} columns")


@dataclass(frozen=True)
class Details:
    """Folded away until asked for (in Markdown: below a heading of its own)."""

    summary: Text
    blocks: tuple["Block", ...]


Block = Paragraph | Note | Bullets | Terms | Figure | Table | Details


@dataclass(frozen=True)
class Section:
    """title: its heading; blocks: of its body. An empty title is the answer's: no heading."""

    title: Text
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Part:
    """A section as it stands in the report: one variant for each population it differs for.

    variants: population -> section; a section that is the same for all stands under None.
    """

    id: str
    variants: dict[Population | None, Section] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    title: str
    populations: tuple[Population, ...]
    notes: tuple[Note, ...]
    parts: tuple[Part, ...]

    @property
    def ids(self) -> frozenset[str]:
        """Of its parts."""
        return frozenset(part.id for part in self.parts)

    def figures(self) -> Iterator[Figure]:
        for part in self.parts:
            for section in part.variants.values():
                yield from figures_of(section.blocks)


def without_empty(block: Block, name: Text) -> Block:
    """Without the columns of this name that are empty in every row: where there is but one setting,
    a column of settings says nothing."""
    if isinstance(block, Details):
        return replace(block, blocks=tuple(without_empty(each, name) for each in block.blocks))
    if not isinstance(block, Table):
        return block
    kept = [
        at
        for at, column in enumerate(block.columns)
        if column.name != name or any(row[at].text for row in block.rows)
    ]
    return replace(
        block,
        columns=tuple(block.columns[at] for at in kept),
        rows=tuple(tuple(row[at] for at in kept) for row in block.rows),
    )


def figures_of(blocks: Sequence[Block]) -> Iterator[Figure]:
    return (block for block in unfolded(blocks) if isinstance(block, Figure))


def unfolded(blocks: Sequence[Block]) -> Iterator[Block]:
    """The blocks with what is folded away in its place."""
    for block in blocks:
        if isinstance(block, Details):
            yield from unfolded(block.blocks)
        else:
            yield block
