"""The verdicts on a terminal."""

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from bench.analysis import Analysis, Population
from bench.console import Console
from bench.report import content, notes
from bench.report.content import Bullets, Paragraph, Report
from bench.report.sections import answer, looks
from bench.statistics.families import Verdict

_STYLES = {
    Verdict.MATTERS: "bold",
    Verdict.SIZE_UNDECIDED: "bold",
    Verdict.UNDECIDED: "dim",
    Verdict.TOO_FEW_SEEDS: "dim",
    Verdict.TOO_FEW_GROUPS: "dim",
    Verdict.WITHHELD: "bold red",
}
_LEVELS = {"error": "bold red", "warning": "yellow", "info": ""}
_NOT_TO_WRAP = ("mean", "family's interval")


def print_verdicts(
    analysis: Analysis, console: Console | None = None, population: Population = "seeds"
) -> None:
    """Print what stands unfolded at the report's top: notes, at most three sentences and the table
    of questions with their verdicts.

    Same words as the report's; plain lines where there is no terminal.
    """
    console = _sized(console)
    _print_notes(console, notes.build(analysis))
    section = answer.build(analysis, population)
    blocks = (*(section.blocks if section else ()), *looks.still_open(analysis))
    _print_prose(console, blocks)
    for block in blocks:
        if isinstance(block, content.Table):
            _print_table(console, block)


def print_report(report: Report, console: Console | None = None) -> None:
    """Print a report's notes, its answer and its first table."""
    console = _sized(console)
    _print_notes(console, report.notes)
    _print_prose(console, next(iter(report.parts[0].variants.values())).blocks)
    blocks = [block for part in report.parts for s in part.variants.values() for block in s.blocks]
    first = next((block for block in blocks if isinstance(block, content.Table)), None)
    if first is not None:
        _print_table(console, first)


def _sized(console: Console | None) -> Console:
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, 140)  # a file or a pipe has no edge to wrap at
    return console


def _print_notes(console: Console, of: Iterable[content.Note]) -> None:
    for note in of:
        console.print(Text(_plain(note.text), style=_LEVELS[note.level]))


def _print_prose(console: Console, blocks: Sequence[content.Block]) -> None:
    """What is not folded."""
    for block in blocks:
        if isinstance(block, Paragraph):
            console.print(Text(_plain(block.text)))
        elif isinstance(block, Bullets):
            for item in block.items:
                console.print(Text(f"- {_plain(item)}"))


def _print_table(console: Console, block: content.Table) -> None:
    """The table without columns that only lead to other parts of the report."""
    shown = [at for at, column in enumerate(block.columns) if not _is_of_links(block, at)]
    table = Table(title=_plain(block.caption), title_justify="left", box=None, pad_edge=False)
    for at in shown:
        column = block.columns[at]
        table.add_column(
            column.name,
            justify="right" if column.number else "left",
            no_wrap=column.name in _NOT_TO_WRAP,
            overflow="fold",
        )
    for row in block.rows:
        table.add_row(*(Text(_plain(row[at].text), style=_style(row[at].text)) for at in shown))
    console.print()
    console.print(table)


def _is_of_links(block: content.Table, at: int) -> bool:
    return bool(block.rows) and all(row[at].links and not row[at].text for row in block.rows)


def _style(text: str) -> str:
    """Of a cell that begins with a verdict."""
    verdicts = sorted(_STYLES, key=len, reverse=True)
    return next((_STYLES[v] for v in verdicts if text.startswith(str(v))), "")


def _plain(text: str) -> str:
    return text.replace("**", "").replace("`", "")
