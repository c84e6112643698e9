"""The report as one self-contained HTML file: no network, no font, opens from disk."""

import html
import re
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.analysis import Population
from bench.console import visible
from bench.report import words
from bench.report.content import Block, Report, Text

_TEMPLATES = Path(__file__).parent / "templates"


@lru_cache(maxsize=4096)  # names and numbers in tables come again and again
def inline(text: Text) -> Markup:
    """Prose with its `code` and **strong** as HTML; everything else is escaped."""
    escaped = html.escape(text, quote=False)
    marked, is_strong = "", False
    for piece in re.split(r"(`[^`]+`|\*\*)", escaped):
        if piece == "**":
            is_strong = not is_strong
            marked += "<strong>" if is_strong else "</strong>"
        elif piece.startswith("`") and piece.endswith("`") and len(piece) > 2:
            marked += f"<code>{piece[1:-1]}</code>"
        else:
            marked += _kept_together(piece)
    return Markup(marked + ("</strong>" if is_strong else ""))


def _kept_together(text: str) -> str:
    """No line ends within `E = 4`, `p = 0.03` or `0.5 pp`."""
    text = re.sub(r"(?<!\w)([Ekpτ]|I²) = (?=\d)", "\\1\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}", text)
    return re.sub(r"(?<=\d) (?=pp\b)", "\N{NO-BREAK SPACE}", text)


def kind(block: Block) -> str:
    return type(block).__name__.lower()


def render(report: Report, population: Population = "seeds") -> str:
    """The whole page. population: which one is shown first."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = inline
    environment.filters["kind"] = kind
    environment.filters["safe_svg"] = Markup
    page = environment.get_template("report.html.jinja").render(
        report=report,
        chosen=population if population in report.populations else report.populations[0],
        population_words=words.POPULATIONS,
        slugs={None: "", "seeds": "seeds", "seeds+examples": "examples"},
        style=Markup((_TEMPLATES / "report.css").read_text("utf-8")),
        script=Markup((_TEMPLATES / "report.js").read_text("utf-8")),
    )
    page = visible(page)
    return page if page.endswith("\n") else page + "\n"
