"""The verdicts on a terminal."""

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench.analysis import Analysis, Population
from bench.console import Console
from bench.report import content, notes, sentences, words
from bench.report.content import Bullets, Paragraph, Report
from bench.report.sections import answer, looks
from bench.statistics.families import Verdict

MOST_ROWS = 100  # of the table; the report has more, contrasts.parquet has all

_STYLES = {
    Verdict.MATTERS: "bold",
    Verdict.SIZE_UNDECIDED: "bold",
    Verdict.UNDECIDED: "dim",
    Verdict.TOO_FEW_SEEDS: "dim",
    Verdict.TOO_FEW_GROUPS: "dim",
    Verdict.WITHHELD: "bold red",
}
_LEVELS = {"error": "bold red", "warning": "yellow", "info": ""}


def print_verdicts(
    analysis: Analysis, console: Console | None = None, population: Population = "seeds"
) -> None:
    """Print what stands at the report's top, and the primary family's verdicts.

    Same words as the report's; plain lines where there is no terminal.
    """
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, 140)  # a file or a pipe has no edge to wrap at
    for note in notes.build(analysis):
        console.print(Text(_plain(note.text), style=_LEVELS[note.level]))
    section = answer.build(analysis, population)
    blocks = (*(section.blocks if section else ()), *looks.still_open(analysis))
    for block in content.unfolded(blocks):
        if isinstance(block, Paragraph):
            console.print(Text(_plain(block.text)))
        elif isinstance(block, Bullets):
            for item in block.items:
                console.print(Text(f"- {_plain(item)}"))
    every = [c for c in analysis.select(population) if c.family == "primary"]
    primary = every[:MOST_ROWS]
    if not primary:
        return
    level = words.level(analysis)
    table = Table(title="Primary contrasts", title_justify="left", box=None, pad_edge=False)
    several = len({c.pairs.metric for c in primary}) > 1
    longest = max(len(c.name) for c in primary)
    table.add_column("contrast", overflow="fold", min_width=min(longest, 40), max_width=64)
    for name in ("setting", *(["metric"] if several else [])):
        table.add_column(name)
    for name in ("mean", f"{level} interval, the family's", "p, corrected"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", min_width=13)
    for c in primary:
        table.add_row(
            escape(c.name),
            escape(words.place(c.setting, analysis.varying)),
            *([escape(c.pairs.metric)] if several else []),
            *map(escape, sentences.numbers(c)),
            words.p_value(c.p_adjusted, c.alpha),
            Text(sentences.verdict_cell(c).text, style=_STYLES.get(c.verdict, "")),
        )
    console.print()
    console.print(table)
    if len(every) > MOST_ROWS:
        console.print(
            f"The first {MOST_ROWS} of {len(every):,} primary contrasts; contrasts.parquet, beside "
            "the report, has all."
        )


def print_report(report: Report, console: Console | None = None) -> None:
    """Print a report's notes, its answer and its first table."""
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, 140)
    for note in report.notes:
        console.print(Text(_plain(note.text), style=_LEVELS[note.level]))
    blocks = [block for part in report.parts for s in part.variants.values() for block in s.blocks]
    answer_blocks = next(iter(report.parts[0].variants.values())).blocks
    for block in answer_blocks:
        if isinstance(block, Paragraph):
            console.print(Text(_plain(block.text)))
    first = next((block for block in blocks if isinstance(block, content.Table)), None)
    if first is None:
        return
    table = Table(title=_plain(first.caption), title_justify="left", box=None, pad_edge=False)
    for column in first.columns:
        table.add_column(column.name, justify="right" if column.number else "left")
    for row in first.rows:
        table.add_row(*(Text(_plain(cell.text)) for cell in row))
    console.print()
    console.print(table)


def _plain(text: str) -> str:
    return text.replace("**", "").replace("`", "")
