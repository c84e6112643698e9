"""Other tests and effect sizes beside the one that decides."""

from bench.analysis import Analysis, Comparison, Population, beside
from bench.report import sentences, words
from bench.report.content import Cell, Column, Details, Paragraph, Section, Table, code

BY_POPULATION = False  # all about new seeds on this test set


def build(analysis: Analysis, population: Population) -> Section | None:
    comparisons = [
        c
        for kind in ("contrast", "interaction", "slope")
        for c in analysis.select("seeds", kind)
        if c.n_seeds and not c.pairs.unmoved
    ]
    if not comparisons or not analysis.detailed:
        return None
    decides = "was named in advance and decides" if analysis.study is not None else "decides"
    text = (
        f"The paired t-test {decides}. Beside it stand tests that assume "
        "less, so that a reader can see whether they agree, and effect sizes. All speak about "
        f"{words.population(analysis, 'seeds')}, and none is corrected for the number of contrasts."
    )
    return Section(
        "Beside the t-test",
        (Paragraph(text), Details("All tests and effect sizes", (_table(analysis, comparisons),))),
    )


def _table(analysis: Analysis, comparisons: list[Comparison]) -> Table:
    level = words.level(analysis)
    several = len({c.pairs.metric for c in comparisons}) > 1
    columns = (
        Column("contrast", "first arm minus second, paired by seed"),
        Column("setting", words.setting_meaning(analysis)),
        *([Column("metric")] if several else []),
        Column("seeds", "pairs", True),
        Column("dz", "mean divided by the SD over seeds", True),
        Column("gz", "the same corrected for few seeds (Hedges)", True),
        Column(
            "correlation", "of the two arms over seeds: the higher, the more pairing helps", True
        ),
        Column("wins", "share of seeds in which the first arm is above, ties half", True),
        Column(f"{level} of wins", "exact binomial interval; none where there are ties", True),
        Column("p, t", "paired t-test", True),
        Column("p, sign flip", "exact; assumes only symmetry about 0", True),
        Column("p, Wilcoxon", "exact signed ranks; seeds without a difference dropped", True),
        Column(
            f"{level}, sign flip",
            "values that the sign-flip test does not reject; not for exploratory contrasts",
            True,
        ),
        Column(f"{level}, bootstrap", "studentized, 1,999 resamples of the seeds", True),
    )
    rows = []
    shown = comparisons[: words.MOST_ROWS]
    declared = [c.pairs for c in shown if c.family != "exploratory"]  # it costs as much as the rest
    flips = dict(
        zip(map(id, declared), beside.sign_flip_intervals(declared, analysis.alpha), strict=True)
    )
    resampled = beside.bootstrap_intervals([c.pairs for c in shown], analysis.alpha)
    for c, of_resamples in zip(shown, resampled, strict=True):
        pairs, unit, row = c.pairs, c.pairs.unit, c.row()
        wins = pairs.win_rate
        assert wins is not None
        exact = wins.interval(analysis.alpha)
        rows.append(
            (
                Cell(code(c.name)),
                Cell(
                    words.place(c.setting, analysis.varying)
                    if pairs.kind == "contrast"
                    else pairs.kind,
                    c.setting.budget,
                ),
                *([Cell(code(pairs.metric))] if several else []),
                Cell(words.seeds(c), c.n_seeds),
                words.number_cell(pairs.dz, "", sign=True),
                words.number_cell(pairs.gz, "", sign=True),
                words.number_cell(pairs.correlation, "", sign=True),
                Cell(words.percent(wins.rate, 0), wins.rate),
                Cell(
                    f"[{words.percent(exact.low, 0)}, {words.percent(exact.high, 0)}]"
                    if exact
                    else "–"
                ),
                words.p_cell(c.p),
                words.p_cell(row["p_signflip"]),
                words.p_cell(row["p_wilcoxon"]),
                *(
                    Cell("–" if sentences.is_constant(c) else words.interval(ends, unit))
                    for ends in (flips.get(id(pairs)), of_resamples)
                ),
            )
        )
    caption = "Beside the t-test" + words.first_of(comparisons)
    return Table("checks-table", caption, columns, tuple(rows))
