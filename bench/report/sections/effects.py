"""What each factor changes: its effect on the primary contrasts, level by level."""

from bench.analysis import Analysis, Comparison, Population
from bench.report import words
from bench.report.content import Block, Bullets, Cell, Column, Paragraph, Section, Table, code
from bench.statistics.families import Verdict

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
            "under its name. Effects are tested with the changes over the budget, as one family."
        ),
        Bullets(tuple(_sentence(c) for c in counted[:MOST_SENTENCES])),
        _table(analysis, population, effects[: words.MOST_ROWS]),
    ]
    return Section("What each factor changes", tuple(blocks))


def _sentence(c: Comparison) -> str:
    pairs = c.pairs
    factor = (pairs.factor or "").replace("_", " ")
    step = f"with {factor} {pairs.level} instead of {pairs.reference}"
    if pairs.kind == "slope":
        step = f"per doubling of {factor}"
    side = "higher" if (c.mean or 0) > 0 else "lower"
    within = f"{words.trimmed(pairs.margin)} {pairs.unit}"
    match c.verdict:
        case Verdict.MATTERS:
            said = f"{side} {step}, by more than {within}"
        case Verdict.TOO_SMALL:
            said = f"{side} {step}, but by less than {within}"
        case Verdict.SIZE_UNDECIDED:
            said = f"{side} {step}; by how much is open"
        case Verdict.EQUIVALENT:
            said = f"equivalent within {within} {step}"
        case Verdict.UNDECIDED:
            said = f"undecided whether it changes {step}"
        case Verdict.WITHHELD:
            said = f"withheld {step} ({'; '.join(c.withheld)})"
        case _:
            said = f"too few seeds to say anything {step}"
    return f"{code(c.name)}: {said} ({words.estimate(c)})."


def _table(analysis: Analysis, population: Population, rows: list[Comparison]) -> Table:
    columns = (
        Column("factor"),
        Column("level", "of the factor; of a slope, per doubling"),
        Column("reference", "the level that it is counted from"),
        Column("of", "contrast, or the one arm that the factor reaches"),
        Column("seeds", "with results at all settings that it needs", True),
        Column("mean", "in the contrast's unit", True),
        Column("family's interval", "holds for all changes at once", True),
        Column("p, corrected", "by Holm over its family", True),
        Column("verdict"),
    )
    body = tuple(
        (
            Cell(code(c.pairs.factor)),
            Cell(c.pairs.level or "per doubling"),
            Cell(c.pairs.reference or "–"),
            Cell(code(c.name)),
            Cell(words.seeds(c), c.n_seeds),
            words.number_cell(c.mean, c.pairs.unit, sign=True),
            Cell(
                words.interval(c.simultaneous, c.pairs.unit), c.simultaneous and c.simultaneous.low
            ),
            words.p_cell(c.p_adjusted),
            Cell(words.verdict_label(c)),
        )
        for c in rows
    )
    return Table(
        f"effects-table{words.SLUGS[population]}",
        f"Effects of factors, for {words.population(analysis, population)}",
        columns,
        body,
    )
