"""Seeds that were added until it was clear: the looks, their bounds, the repeated intervals."""

from collections.abc import Iterator, Sequence
from math import ceil, isfinite

from bench.analysis import Analysis, Comparison, Population
from bench.analysis.looks import is_clear
from bench.report import sentences, words
from bench.report.content import (
    Block,
    Bullets,
    Cell,
    Column,
    Paragraph,
    Section,
    Table,
    Text,
    code,
)
from bench.statistics.sequential import Look
from bench.study import Sequential

BY_POPULATION = False

MOST_OPEN = 8
"""Open contrasts that are named; the rest is counted."""

COLUMNS = (
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
    primary = _primary(analysis)
    rows = [_row(analysis, plan, c, look) for c in primary for look in c.looks]
    setting = Column("setting", words.setting_meaning(analysis))
    columns = (Column("contrast"), setting, *COLUMNS)
    caption = "Every look at every primary contrast, in its own unit" + words.first_of(rows)
    table = Table("looks-table", caption, columns, tuple(rows[: words.MOST_ROWS]))
    caution = (
        "Interactions, exploratory contrasts, overall effects and intervals for new test examples "
        "are those of a fixed number of seeds: they take no account of the looks, and where a "
        "contrast stopped early they err more often than they say."
    )
    blocks: list[Block] = [
        Paragraph(f"{how(plan, analysis)} {_became_clear(primary)}."),
        *still_open(analysis),
        table,
        Paragraph(caution),
    ]
    return Section("The looks at the data", tuple(blocks))


def _primary(analysis: Analysis) -> list[Comparison]:
    """The primary contrasts that exist."""
    return [c for c in analysis.select("seeds") if c.family == "primary" and not c.pairs.impossible]


def _became_clear(primary: Sequence[Comparison]) -> Text:
    clear = sum(c.clear for c in primary)
    return f"{clear} of {words.count(len(primary), 'primary contrast')} became clear"


def still_open(analysis: Analysis) -> Iterator[Block]:
    """Primary contrasts that are not clear, and what it would take: at the declared maximum, or
    where the run stopped before it. Nothing where all are clear, or where none has been looked at.
    """
    plan = analysis.study.sequential if analysis.study else None
    waiting = [c for c in _primary(analysis) if not c.clear]
    if plan is None or not waiting:
        return
    at_end = [c for c in waiting if plan.look_after(c.pairs.attempted) is None]
    n = len(waiting)
    said = f"**{words.count(n, 'primary contrast')} {'is' if n == 1 else 'are'} still open**"
    if len(at_end) == n:
        said += (
            f" at the declared maximum of {plan.looks[-1]} seeds. A higher maximum is another "
            "study, with a folder of its own (`--max-seeds`, `--out`). What it would take"
        )
    else:
        if at_end:
            said += f", {len(at_end)} of them at the declared maximum of {plan.looks[-1]} seeds"
        said += "; the same `run` command adds the seeds of the next look. What it would take"
    if plan.half_width is None:
        said += (
            ", for a study of fixed size with 80% power; where the true difference lies between 0 "
            "and the smallest that matters, more"
        )
    yield Paragraph(f"{said}:")
    more = n - MOST_OPEN
    rest = (f"and {more} more",) if more > 0 else ()
    yield Bullets((*(_takes(analysis, c, plan) for c in waiting[:MOST_OPEN]), *rest))


def _takes(analysis: Analysis, c: Comparison, plan: Sequential) -> Text:
    """An open contrast and the seeds that would close it."""
    where = words.place(c.setting, analysis.varying)
    head = f"{code(c.name)}{f' ({where})' if where else ''}: {sentences.estimate(c)}"
    if not c.looks:
        return f"{head}, no look yet"
    if plan.half_width is not None:
        return f"{head}{_narrower(c.looks[-1], plan.half_width)}"
    needs = []
    if c.seeds_needed is not None:
        needs.append(
            f"about {c.seeds_needed:,} seeds to detect a difference of {sentences.within(c)}"
        )
    if c.seeds_needed_equivalence is not None:
        needs.append(
            f"about {c.seeds_needed_equivalence:,} to show equivalence if there is no difference"
        )
    return f"{head}: {' or '.join(needs)}" if needs else head


def _narrower(look: Look, wanted: float) -> Text:
    """Seeds at which the interval would be that narrow: its width falls with their root."""
    half = (look.interval.high - look.interval.low) / 2
    if not isfinite(half):
        return ""
    needed = ceil(look.n * (half / wanted) ** 2)
    return f": about {needed:,} seeds for ±{words.trimmed(wanted)} pp"


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
    return f"Seeds were to be added to each primary contrast until {goal}; {method}"


def _row(
    analysis: Analysis, plan: Sequential, comparison: Comparison, look: Look
) -> tuple[Cell, ...]:
    unit = comparison.pairs.unit
    margin = comparison.pairs.margin
    clear = is_clear(look, margin, plan)
    then = "clear" if clear else "still open"
    if look is not comparison.looks[-1]:
        then = "clear; seeds ran on for others" if clear else "more seeds"
    bounds = (0.0,) if margin is None else (0.0, margin, -margin)
    ends = (words.exact(end, unit, bounds)[0] for end in look.interval)
    return (
        Cell(code(comparison.name)),
        Cell(words.place(comparison.setting, analysis.varying), comparison.setting.budget),
        Cell(str(look.n), look.n),
        words.number_cell(look.mean, unit, sign=True),
        words.number_cell(look.t, "", sign=True),
        words.number_cell(look.bound, ""),
        Cell(f"[{', '.join(ends)}]", look.interval.high - look.interval.low),
        Cell(then),
    )
