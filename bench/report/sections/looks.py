"""Seeds that were added until it was clear: the looks, their bounds, the repeated intervals."""

from bench.analysis import Analysis, Comparison, Population
from bench.report import words
from bench.report.content import Cell, Column, Paragraph, Section, Table, code
from bench.statistics.sequential import Look
from bench.study import Sequential

BY_POPULATION = False

COLUMNS = (
    Column("contrast"),
    Column("setting", "E: float epochs; k: epochs more; and what else differs here"),
    Column("seeds", "pairs at this look", True),
    Column("mean", "mean paired difference of those seeds", True),
    Column("t", "the t statistic", True),
    Column("bound", "the size of t from which the interval excludes 0 at this look", True),
    Column("repeated interval", "valid at all looks together"),
    Column("then"),
)


def build(analysis: Analysis, population: Population) -> Section | None:
    plan = analysis.study.sequential if analysis.study else None
    if plan is None:
        return None
    primary = [c for c in analysis.select("seeds") if c.family == "primary"]
    rows = [_row(analysis, c, look) for c in primary for look in c.looks]
    table = Table(
        "looks-table", "Every look at every primary contrast, in its own unit", COLUMNS, tuple(rows)
    )
    still = sum(not c.clear for c in primary)
    clear = words.count(len(primary) - still, "primary contrast")
    ends = f"{clear} of {len(primary)} became clear"
    if still and plan.every is None:
        ends += f"; the others were still open at the declared maximum of {plan.looks[-1]} seeds"
    caution = (
        "Interactions, exploratory contrasts and intervals for new test examples are those of a "
        "fixed number of seeds: they take no account of the looks, and where a contrast stopped "
        "early they err more often than they say."
    )
    return Section(
        "The looks at the data",
        (Paragraph(f"{how(plan, analysis)} {ends}."), table, Paragraph(caution)),
    )


def how(plan: Sequential, analysis: Analysis) -> str:
    """How seeds were added and which intervals hold for it, in plain words."""
    goal = (
        "its interval excluded 0 or lay within the smallest difference that matters"
        if plan.half_width is None
        else f"its interval was at most {plan.half_width:g} pp wide to each side"
    )
    looks = words.listed([str(look) for look in plan.looks])
    if plan.every is None:
        method = (
            f"the data were looked at after {looks} seeds, as fixed before the first one ran. "
            "Intervals are repeated confidence intervals (O'Brien-Fleming-type spending of "
            f"alpha over the looks): {words.level(analysis)} for all looks and primary contrasts "
            "together. Looking early costs next to nothing late."
        )
    else:
        method = (
            f"the data were looked at after {looks} seeds and every {plan.every} more, without a "
            "declared maximum. Intervals are those of a confidence sequence, valid however long "
            "one goes on, and wider for it (about 1.7 times the usual ones at 10 seeds)."
        )
    return f"Seeds were added to each primary contrast until {goal}; {method}"


def _row(analysis: Analysis, comparison: Comparison, look: Look) -> tuple[Cell, ...]:
    unit = comparison.pairs.unit
    last = look is comparison.looks[-1]
    then = "more seeds" if not last else "clear" if comparison.clear else "still open"
    return (
        Cell(code(comparison.name)),
        Cell(words.place(comparison.setting, analysis.varying), comparison.setting.budget),
        Cell(str(look.n), look.n),
        words.number_cell(look.mean, unit, sign=True),
        words.number_cell(look.t, "", sign=True),
        words.number_cell(look.bound, ""),
        Cell(words.interval(look.interval, unit), look.interval.high - look.interval.low),
        Cell(then),
    )
