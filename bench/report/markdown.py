"""The report as Markdown, its figures beside it in figures/*.svg."""

import re
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.analysis import Population
from bench.console import visible
from bench.report import words
from bench.report.content import Cell, Report, Text
from bench.report.html import kind

_TEMPLATES = Path(__file__).parent / "templates"


def inline(text: Text) -> str:
    """Prose with its `code` and **strong**; what would be markup outside of code is escaped."""
    pieces = re.split(r"(`[^`]+`)", text)
    return "".join(
        piece if piece.startswith("`") else re.sub(r"([\\<>_|#]|\](?=[\[(:]))", r"\\\1", piece)
        for piece in pieces
    )


def cell(text: Text) -> str:
    """The same in a table, where a pipe ends the cell even inside code."""
    return re.sub(r"(?<!\\)\|", r"\\|", inline(text))


def linked(one: Cell, headings: Mapping[str, str]) -> str:
    """A cell with its links; headings: part of the report -> what leads to it."""
    to = [f"[{word}](#{headings[part]})" for word, part in one.links if part in headings]
    return " ".join([cell(one.text), *to] if one.text or not to else to)


def anchor(heading: Text) -> str:
    """What leads to a heading, as the usual renderers make it: its words in small letters, joined
    by hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def render(report: Report, population: Population = "seeds") -> str:
    """The whole report for one population."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    headings = {
        part.id: anchor(section.title)
        for part in report.parts
        for section in part.variants.values()
    }
    environment.filters |= {
        "inline": inline,
        "cell": cell,
        "kind": kind,
        "linked": lambda one: linked(one, headings),
    }
    chosen = population if population in report.populations else report.populations[0]
    text = environment.get_template("report.md.jinja").render(
        report=report,
        chosen=chosen,
        population_words=words.POPULATIONS,
    )
    return re.sub(r"\n{3,}", "\n\n", visible(text)).strip() + "\n"
