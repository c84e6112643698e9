"""Every contrast with its intervals, by budget."""

from bench.analysis import Analysis, Comparison, Population, Varying
from bench.report import forest_plot, sentences, words
from bench.report.content import Block, Figure, Paragraph, Section, code

BY_POPULATION = True

MOST_ROWS = 90
MOST_IN_FIGURE, MOST_IN_GROUP, HEADING = 34, 32, 1.4
"""Rows that a sheet of paper holds beside key, axis and caption; a heading's height in rows."""


def build(analysis: Analysis, population: Population) -> Section | None:
    shown = [c for c in analysis.select(population) if c.simultaneous is not None]
    if not shown:
        return None
    blocks: list[Block] = []
    metrics = tuple(dict.fromkeys((c.pairs.metric, c.pairs.unit) for c in shown))
    drawn = 0
    for metric, unit in metrics:
        rows = [c for c in shown if c.pairs.metric == metric]
        for at, part in enumerate(_parts(analysis, rows[:MOST_ROWS])):
            name = "forest" if not drawn else f"forest-{drawn + 1}"
            blocks.append(_figure(analysis, population, part, metric, unit, name, at > 0))
            drawn += 1
        if len(rows) > MOST_ROWS:
            blocks.append(
                Paragraph(f"{len(rows) - MOST_ROWS:,} more are in the table of differences.")
            )
    return Section("Every contrast, with its interval", tuple(blocks))


def _groups(analysis: Analysis, rows: list[Comparison]) -> dict[str, list[Comparison]]:
    return forest_plot.grouped(rows, analysis.varying, len({c.setting.budget for c in rows}) > 1)


def _parts(analysis: Analysis, rows: list[Comparison]) -> list[list[Comparison]]:
    """The rows of each figure: as many groups as go on a sheet of paper, the primary contrasts
    first and by themselves."""
    if len(rows) + HEADING * len(_groups(analysis, rows)) <= MOST_IN_FIGURE:
        return [rows]
    found: list[list[Comparison]] = []
    for primary in (True, False):
        of_family = [c for c in rows if (c.family == "primary") == primary]
        part, height = list[Comparison](), 0.0
        for members in _groups(analysis, of_family).values():
            for at in range(0, len(members), MOST_IN_GROUP):
                more = members[at : at + MOST_IN_GROUP]
                if part and height + len(more) + HEADING > MOST_IN_FIGURE:
                    found.append(part)
                    part, height = [], 0.0
                part = [*part, *more]
                height += len(more) + HEADING
        found += [part] if part else []
    return found


def _figure(
    analysis: Analysis,
    population: Population,
    rows: list[Comparison],
    metric: str,
    unit: str,
    name: str,
    continued: bool,
) -> Figure:
    name += words.SLUGS[population]
    delta = rows[0].pairs.delta
    axis = forest_plot.scale(rows, delta)
    in_unit = "" if unit == metric else f" in {unit}"
    named = metric if analysis.study is not None else code(metric)
    caption = (
        f"**Mean difference of {named}{in_unit}, with {words.level(analysis)} intervals for "
        f"{words.population(analysis, population)}.** Right of 0 the first arm has the greater "
        f"value. {_held(rows)}: they are the ones that stand beside the verdict everywhere. Colour "
        "and marker are the verdict."
    )
    if any(sentences.basis(c) for c in rows):
        caption += (
            " Where a verdict claims more than its interval shows, the table of differences says "
            "what it rests on."
        )
    if analysis.study is not None and any(c.family == "exploratory" for c in rows):
        caption += (
            " Primary contrasts were declared in advance; exploratory ones are hints for the next "
            "study."
        )
    if delta is not None:
        caption += (
            f" The band is ±{words.trimmed(delta)} {unit}: the smallest difference that matters, Δ."
        )
    if continued:
        caption = f"**Mean difference of {named}{in_unit}, continued.** Each figure has its scale."
    if axis.note:
        caption += f" {axis.note[0].upper()}{axis.note[1:]}."
    headed = len({c.setting.budget for c in rows}) > 1
    groups = [
        (title, "exploratory" if members[0].family == "exploratory" else "", members)
        for title, members in _groups(analysis, rows).items()
    ]
    svg = forest_plot.draw(
        name,
        groups,
        axis,
        delta,
        f"first arm minus second, {unit}",
        lambda c: words.place(c.setting, Varying(("budget",)) if headed else analysis.varying),
    )
    return Figure(name, svg, caption, "Forest plot. " + sentences.rows_in_words(analysis, rows))


def _held(rows: list[Comparison]) -> str:
    """For what the intervals hold."""
    together = "Intervals hold for all contrasts of a family at once"
    exploratory = [c for c in rows if c.family == "exploratory"]
    if not exploratory:
        return together
    if len(exploratory) == len(rows):
        return "Intervals hold at the false-coverage rate"
    return f"{together}, those of exploratory contrasts at the false-coverage rate"
