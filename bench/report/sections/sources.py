"""How much each source of randomness adds: one varied over seeds, the others pinned."""

from collections.abc import Iterator

from bench.analysis import Analysis, Population
from bench.analysis.pairs import pinned_pairs
from bench.report import words
from bench.report.content import Cell, Column, Paragraph, Section, Table, code
from bench.statistics.spread import sd_interval, sd_of
from bench.study.factors import RANDOMNESS

BY_POPULATION = False


def build(analysis: Analysis, population: Population) -> Section | None:
    rows = list(_rows(analysis))
    if not rows:
        return None
    text = (
        "Each source was varied over the seeds while the others had those of the first seed "
        "(Bouthillier et al. 2021). A standard deviation says how much of the spread over seeds "
        "one source makes by itself; the squares need not add up to that of all together, since "
        "sources act through one another. No verdict belongs to it: nothing is tested."
    )
    columns = (
        Column("contrast"),
        Column("source", "what varied over the seeds"),
        Column("setting", words.setting_meaning(analysis)),
        Column("seeds", "", True),
        Column("SD", "of the difference over seeds, in its unit", True),
        Column(f"{100 * (1 - analysis.alpha):g}% interval", "of the SD, by chi-square", True),
    )
    table = Table(
        "sources-table",
        "Standard deviation of each contrast over seeds, by what varied" + words.first_of(rows),
        columns,
        tuple(rows[: words.MOST_ROWS]),
    )
    return Section("What makes seeds differ", (Paragraph(text), table))


def _rows(analysis: Analysis) -> Iterator[tuple[Cell, ...]]:
    for pairs in pinned_pairs(analysis.contrasts, analysis.samples):
        n = len(pairs.seeds)
        if n < 2:
            continue
        sd = sd_of(pairs.d)
        of = sd_interval(sd, n, analysis.alpha)
        source = str(dict(pairs.setting.factors)[RANDOMNESS])
        low, high = (words.number(end, pairs.unit) for end in (of.low, of.high))
        yield (
            Cell(code(pairs.contrast.name)),
            Cell(source),
            Cell(words.place(pairs.setting.without(RANDOMNESS), analysis.varying)),
            Cell(str(n), n),
            Cell(words.number(sd, pairs.unit), sd),
            Cell(f"{low} to {high}", of.low),
        )
