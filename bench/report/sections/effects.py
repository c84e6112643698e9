"""What each factor changes: its effect on the primary contrasts, level by level."""

from bench.analysis import Analysis, Comparison, Population
from bench.report import sentences, words
from bench.report.content import Block, Bullets, Cell, Column, Paragraph, Section, Table, code

BY_POPULATION = True
MOST_SENTENCES = 12


def build(analysis: Analysis, population: Population) -> Section | None:
    effects = [
        c
        for kind in ("effect", "slope")
        for c in analysis.select(population, kind)
        if c.pairs.factor != "budget"
    ]
    if not effects:
        return None
    counted = [c for c in effects if c.mean is not None]
    blocks: list[Block] = [
        Paragraph(
            "A factor's **effect** on a contrast is, per seed, the contrast at one level minus the "
            "same contrast at the reference level, the mean over all other settings. Where a "
            "factor reaches only one of the two arms, the effect is that arm's own, and stands "
            f"under its name. {_family(analysis, population, effects)}"
        ),
        Bullets(tuple(_sentence(c) for c in counted[:MOST_SENTENCES])),
    ]
    if len(counted) > MOST_SENTENCES:
        blocks.append(Paragraph(f"These are {MOST_SENTENCES} of {len(counted)}; all are below."))
    blocks.append(_table(analysis, population, effects))
    return Section("What each factor changes", tuple(blocks))


def _sentence(c: Comparison) -> str:
    metric = "" if c.pairs.metric == "accuracy" else f" ({code(c.pairs.metric)})"
    return f"{code(c.name)}{metric}: {sentences.with_numbers(c, sentences.effect(c))}."


def _family(analysis: Analysis, population: Population, effects: list[Comparison]) -> str:
    """Which effects are corrected together, and with what."""
    sizes = {c.m for c in effects if c.family == "interaction"}
    if not sizes:
        return "They are in the primary family."
    budget = any(c.family == "interaction" for c in analysis.select(population, "interaction"))
    said = (
        f"Effects are tested as one family{', with the changes over the budget' if budget else ''}"
    )
    if len(sizes) == 1:
        said += f": {max(sizes)} in all"
    if any(c.family == "primary" for c in effects):
        said += "; those that were declared primary, in the primary family"
    return f"{said}."


def _table(analysis: Analysis, population: Population, rows: list[Comparison]) -> Table:
    several = len({c.pairs.metric for c in rows}) > 1
    columns = (
        Column("of", "contrast, or the one arm that the factor reaches"),
        Column("factor"),
        Column("effect of", "level, and the one that it is counted from; of a slope, a doubling"),
        *([Column("metric")] if several else []),
        Column("verdict", long=True),
        Column("seeds", "with results at all settings that it needs", True),
        Column("mean", "in the contrast's unit", True),
        Column("family's interval", "holds for all of its family at once", True),
        Column("p, corrected", "by Holm over its family", True),
    )
    body = tuple(
        (
            Cell(code(c.name)),
            Cell(code(c.pairs.factor)),
            Cell(_step(c)),
            *([Cell(code(c.pairs.metric))] if several else []),
            sentences.verdict_cell(c),
            Cell(words.seeds(c), c.n_seeds),
            sentences.mean_cell(c),
            sentences.interval_cell(c),
            words.p_cell(c.p_adjusted, c.alpha),
        )
        for c in rows[: words.MOST_ROWS]
    )
    return Table(
        f"effects-table{words.SLUGS[population]}",
        f"Effects of factors, for {words.population(analysis, population)}" + words.first_of(rows),
        columns,
        body,
    )


def _step(c: Comparison) -> str:
    if c.pairs.level is None:
        return "per doubling"
    return f"{code(c.pairs.level)} instead of {code(c.pairs.reference)}"
