"""Is one epoch the reason? How the contrasts change with the budget."""

from bench.analysis import Analysis, Comparison, Population, splits
from bench.report import forest_plot, sentences, words
from bench.report.content import (
    Block,
    Bullets,
    Cell,
    Column,
    Details,
    Figure,
    Paragraph,
    Section,
    Table,
    code,
)

BY_POPULATION = True

MOST_ROWS, MOST_SENTENCES = 60, 8
SLOPE = "a slope matters where it moves the contrast by Δ over the budgets"


def build(analysis: Analysis, population: Population) -> Section | None:
    changes = analysis.select(population, "interaction")
    if not changes:
        return None
    all_ends = dict.fromkeys((c.pairs.level, c.pairs.reference) for c in changes)
    smallest, largest = next(iter(all_ends))
    at = ("", "") if len(all_ends) > 1 else (f" (E = {smallest})", f" (E = {largest})")
    counted = [c for c in changes if c.mean is not None]
    blocks: list[Block] = [
        Paragraph(
            f"“Significant {words.after(analysis, (1,))} and not {_when(analysis)} 8” would be no "
            f"evidence that {_number(analysis)} matters. What is tested is the change itself, the "
            "**interaction**: per seed, "
            f"the contrast at the smallest budget{at[0]} minus the same contrast at the "
            f"largest{at[1]}. Beside it the **slope**: by how much the contrast moves "
            "with each doubling of E, so over log2(E), over all budgets."
        ),
        Bullets(tuple(_sentence(analysis, c) for c in counted[:MOST_SENTENCES])),
    ]
    if len(counted) > MOST_SENTENCES:
        more = tuple(_sentence(analysis, c) for c in counted[MOST_SENTENCES:])
        blocks.append(Details(f"And {len(more)} more", (Bullets(more),)))
    shown = [c for c in changes if c.simultaneous is not None]
    for at, metric in enumerate(dict.fromkeys(c.pairs.metric for c in shown)):
        name = f"one-epoch{'-' + str(at + 1) if at else ''}{words.SLUGS[population]}"
        of_metric = [c for c in shown if c.pairs.metric == metric]
        blocks.append(_figure(analysis, name, of_metric))
    slopes = [c for c in analysis.select(population, "slope") if c.pairs.factor == "budget"]
    blocks.append(_table(analysis, population, (*changes, *slopes)))
    return Section("Is one epoch the reason?", tuple(blocks))


def _when(analysis: Analysis) -> str:
    return "at" if analysis.budget_counts is None else "after"


def _number(analysis: Analysis) -> str:
    """What may matter."""
    counted = analysis.budget_counts
    return "the budget" if counted is None else f"the number of {counted}"


def _sentence(analysis: Analysis, c: Comparison) -> str:
    where = words.panel(c.setting, analysis.varying)
    change = sentences.with_numbers(c, sentences.change(analysis, c))
    metric = "" if c.pairs.metric == "accuracy" else f", {code(c.pairs.metric)}"
    return f"{code(c.name)}{' (' + where + ')' if where else ''}{metric}: {change}."


def _figure(analysis: Analysis, name: str, changes: list[Comparison]) -> Figure:
    rows = changes[:MOST_ROWS]
    unit = rows[0].pairs.unit
    ends = {(c.pairs.level, c.pairs.reference) for c in rows}
    low, high = next(iter(ends)) if len(ends) == 1 else ("the smallest", "the largest")
    axis = forest_plot.scale(rows, rows[0].pairs.delta)
    single = not any(words.panel(c.setting, analysis.varying) for c in rows)
    groups: list[forest_plot.Group]
    if single:
        groups = [("change of the contrast", "", rows)]
    else:
        panels = dict.fromkeys(words.panel(c.setting, analysis.varying) for c in rows)
        groups = [
            (panel, "", [c for c in rows if words.panel(c.setting, analysis.varying) == panel])
            for panel in panels
        ]
    svg = forest_plot.draw(
        name,
        groups,
        axis,
        rows[0].pairs.delta,
        f"contrast at E = {low} minus contrast at E = {high}, {unit}",
        lambda c: c.name,
    )
    metric = rows[0].pairs.metric
    of = "" if metric == "accuracy" else f" of {metric}"
    left = "first arm does worse, against the second,"
    if analysis.study is None:
        left = "first arm's value, against the second's, is lower"
    counted = analysis.budget_counts
    ends_said, few = f"the budgets {low} and {high}", "at small budgets than at large ones"
    if counted is not None:
        ends_said, few = f"{low} and {high} {counted}", f"after few {counted} than after many"
    caption = (
        f"**How each primary contrast{of} differs between {ends_said}.** Left of 0 the "
        f"{left} {few}. An interval "
        f"that excludes 0 says that {_number(analysis)} changes the contrast, not why"
        + (": the split below says what the change is made of." if splits(analysis) else ".")
    )
    if axis.note:
        caption += f" {axis.note[0].upper()}{axis.note[1:]}."
    if len(changes) > MOST_ROWS:
        caption += f" Drawn are {MOST_ROWS} of {len(changes)}; all are in the table."
    return Figure(name, svg, caption, "Forest plot. " + sentences.rows_in_words(analysis, rows))


def _table(analysis: Analysis, population: Population, rows: tuple[Comparison, ...]) -> Table:
    several = len({c.pairs.metric for c in rows}) > 1
    setting = any(words.panel(c.setting, analysis.varying) for c in rows)
    unit = "in percentage points" if analysis.study is not None else "in the metric's unit"
    columns = (
        Column("contrast", "first arm minus second, paired by seed"),
        *([Column("setting")] if setting else []),
        *([Column("metric")] if several else []),
        Column("change", "interaction: smallest minus largest budget; slope: per doubling of E"),
        Column("verdict", SLOPE, long=True),
        Column("seeds", "with results at all budgets that it needs", True),
        Column("mean", f"{unit}; of a slope per doubling", True),
        Column("family's interval", "holds for all of its family at once", True),
        Column("p, corrected", "within its family", True),
        Column("p", "paired t-test", True),
        Column(f"pointwise {words.level(analysis)} interval", "of this change alone", True),
    )
    body = tuple(
        (
            Cell(code(c.name)),
            *([Cell(words.panel(c.setting, analysis.varying))] if setting else []),
            *([Cell(code(c.pairs.metric))] if several else []),
            Cell(c.pairs.kind),
            sentences.verdict_cell(c),
            Cell(words.seeds(c), c.n_seeds),
            sentences.mean_cell(c),
            sentences.interval_cell(c),
            words.p_cell(c.p_adjusted, c.alpha),
            words.p_cell(c.p),
            Cell(words.interval(c.interval, c.pairs.unit), c.interval and c.interval.low),
        )
        for c in rows[: words.MOST_ROWS]
    )
    return Table(
        f"one-epoch-table{words.SLUGS[population]}",
        "How the primary contrasts change with the budget, for "
        f"{words.population(analysis, population)}{words.first_of(rows)}",
        columns,
        body,
    )
