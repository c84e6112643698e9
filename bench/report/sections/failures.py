"""Runs that failed or diverged, and what they could change."""

from bench.analysis import Analysis, Population
from bench.report import words
from bench.report.content import Block, Bullets, Cell, Column, Paragraph, Section, Table, Text, code
from bench.statistics.proportions import Share

BY_POPULATION = False


def build(analysis: Analysis, population: Population) -> Section | None:
    diverged = _diverged(analysis)
    short = [
        c
        for c in analysis.select("seeds")
        if c.n_seeds < c.pairs.planned and not c.pairs.impossible
    ]
    impossible = _impossible(analysis)
    if not (diverged or short or impossible):
        return None
    blocks: list[Block] = []
    if impossible:
        blocks += [
            Paragraph("What cannot be made is a result too: it stands in no number above."),
            Bullets(impossible),
        ]
    if diverged:
        blocks += [
            Paragraph(
                "A model that **diverged** (its loss is not a number, or it is no better than one "
                "answer for all) "
                "is a result of its arm and stays in all numbers above."
            ),
            Table(
                "diverged-table",
                "Diverged models per arm",
                (
                    Column("arm"),
                    Column("diverged", "of the models evaluated", True),
                    Column(
                        "rate", f"with its {words.level(analysis)} exact binomial interval", True
                    ),
                ),
                diverged,
            ),
        ]
    cell = "a cell has no result" if analysis.study is not None else "an arm has no value"
    if short:
        blocks += [
            Paragraph(
                f"Where {cell}, its seed is left out of just the contrasts that need "
                "it. Failures need not strike at random, so the last column shows, for accuracies, "
                "how far the mean could move if every missing one were as bad for it as possible "
                "(0% or 100%)."
            ),
            _missing_table(analysis, short),
        ]
    title = "Runs that failed" if analysis.study is not None else "Seeds that an arm lacks"
    return Section(title, tuple(blocks))


def _impossible(analysis: Analysis) -> tuple[Text, ...]:
    """Arms that cannot be, and why, each model's once."""
    found: dict[tuple[str, str], dict[Text, None]] = {}
    for s in analysis.samples:
        if s.unsupported:
            model = f"{code(s.setting.model)} on {code(s.setting.dataset)}"
            found.setdefault((model, s.unsupported), {})[code(s.arm)] = None
    return tuple(
        f"{words.listed(arms)} of {model}: {code(why)}" for (model, why), arms in found.items()
    )


def _diverged(analysis: Analysis) -> tuple[tuple[Cell, ...], ...]:
    totals: dict[str, tuple[int, int]] = {}
    counted = analysis.samples if analysis.study is None else analysis.of_first_metric
    for s in counted:
        diverged, n = totals.get(s.arm, (0, 0))
        totals[s.arm] = diverged + s.statuses.get("diverged", 0), n + len(s.seeds)
    if not any(diverged for diverged, _ in totals.values()):
        return ()
    rows = []
    for arm, (diverged, n) in totals.items():
        if not n:
            continue
        share = Share(diverged, n)
        low, high = share.interval(analysis.alpha)
        rows.append(
            (
                Cell(code(arm)),
                Cell(f"{diverged} of {n}", diverged),
                Cell(
                    f"{words.percent(share.share)} [{words.percent(low)}, {words.percent(high)}]",
                    share.share,
                ),
            )
        )
    return tuple(rows)


def _missing_table(analysis: Analysis, short) -> Table:
    planned = "planned" if analysis.study is not None else "that any arm has"
    columns = (
        Column("contrast", "first arm minus second, paired by seed"),
        Column("setting", words.setting_meaning(analysis)),
        Column("seeds", f"with both results, of those {planned}", True),
        Column("mean", "of the seeds that are there", True),
        Column("worst case", f"bounds of the mean over all seeds {planned}, in pp", True),
    )
    rows = tuple(
        (
            Cell(code(c.name)),
            Cell(words.place(c.setting, analysis.varying), c.setting.budget),
            Cell(words.seeds(c), c.n_seeds),
            words.number_cell(c.mean, c.pairs.unit, sign=True),
            Cell(words.interval(c.pairs.worst_case, c.pairs.unit)),
        )
        for c in short[: words.MOST_ROWS]
    )
    caption = "Contrasts in which seeds are missing" + words.first_of(short)
    return Table("missing-table", caption, columns, rows)
