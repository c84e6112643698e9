"""The answer as a table: each question with its verdict, and where its figure and numbers are."""

from collections.abc import Sequence

from bench.analysis import Analysis, Comparison, Population
from bench.report import sentences, several, words
from bench.report.content import Cell, Column, Table, Text, code

MOST_ROWS = 12
LINKS = (("figure", "forest"), ("numbers", "differences"))


def build(analysis: Analysis, population: Population, shown: Sequence[Comparison]) -> Table | None:
    """Of the contrasts that the answer speaks of; None where none of them has an interval."""
    there = [c for c in shown if c.simultaneous is not None and c.pairs.kind == "contrast"]
    if not there:
        return None
    settings = any(words.place(c.setting, analysis.varying) for c in there)
    metrics = len({c.pairs.metric for c in there}) > 1
    columns = (
        Column("contrast"),
        *([Column("setting")] if settings else []),
        *([Column("metric")] if metrics else []),
        Column("verdict", long=True),
        Column("mean", "", True),
        Column("family's interval", "", True),
        Column("see"),
    )
    rows = [(c, words.place(c.setting, analysis.varying)) for c in there]
    if len(rows) > MOST_ROWS:
        rows = _over_settings(analysis, there) or rows
    cells = tuple(
        (
            Cell(code(c.name)),
            *([Cell(place)] if settings else []),
            *([Cell(code(c.pairs.metric))] if metrics else []),
            sentences.verdict_cell(c),
            sentences.mean_cell(c),
            sentences.interval_cell(c),
            Cell("", links=LINKS),
        )
        for c, place in rows[:MOST_ROWS]
    )
    name = f"answer-table{words.SLUGS[population]}"
    return Table(name, f"The answer, row by row{words.first_of(rows, MOST_ROWS)}", columns, cells)


def _over_settings(
    analysis: Analysis, there: Sequence[Comparison]
) -> list[tuple[Comparison, Text]]:
    """Of more settings than a table shows, each contrast over all of them; empty where one of them
    has no such effect."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for c in there:
        groups.setdefault((c.name, c.pairs.metric), []).append(c)
    found = []
    for members in groups.values():
        whole = several.overall(analysis, members)
        if whole is None or whole.simultaneous is None:
            return []
        found.append((whole, f"all {len(members)} together"))
    return found
