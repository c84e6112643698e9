"""Which test examples change: an accuracy that stays can hide predictions that do not."""

import numpy as np

from bench.analysis import Analysis, Comparison, Population, Varying
from bench.report import figures, forest_plot, scales, words
from bench.report.content import (
    Block,
    Cell,
    Column,
    Details,
    Figure,
    Paragraph,
    Section,
    Table,
    code,
)
from bench.statistics.checks import Interval
from bench.statistics.mcnemar import McNemar, mcnemar

BY_POPULATION = False  # a share of this test set, over the seeds

ROW, HEADING, LEFT, RIGHT = 17.0, 23.0, 98.0, 110.0
MOST_ROWS = 48


def build(analysis: Analysis, population: Population) -> Section | None:
    shown = [c for c in analysis.select("seeds") if c.pairs.churn is not None]
    primary = [c for c in shown if c.family == "primary"] or shown
    if not primary:
        return None
    text = (
        "Two models of equal accuracy can be wrong about different examples. **Churn** is the "
        "share of test examples whose correctness changes from the second arm to the first: "
        "**fixed** (now right) and **broken** (now wrong). Their difference is the contrast; their "
        "sum is what a user of the model would notice."
    )
    blocks: list[Block] = [Paragraph(text), _figure(analysis, primary)]
    if analysis.study is None:  # of a study, `compare` says it of its files
        blocks.append(_files(analysis, primary))
    return Section("Which predictions change", tuple(blocks))


def _files(analysis: Analysis, primary: list[Comparison]) -> Details:
    """Single models, one seed's two arms: McNemar's exact test, never pooled over seeds."""
    rows = []
    for c in primary[: words.MOST_ROWS]:
        tests = [_mcnemar(c, seed) for seed in c.pairs.seeds]
        clear = [t for t in tests if t.p <= c.alpha]
        above = sum(t.fixed > t.broken for t in clear)
        first = tests[0]
        low, high = first.interval(c.alpha)
        rows.append(
            (
                Cell(code(c.name)),
                Cell(words.place(c.setting, analysis.varying)),
                Cell(f"{len(tests):,}", len(tests)),
                Cell(f"{above:,}", above),
                Cell(f"{len(clear) - above:,}", len(clear) - above),
                Cell(f"{c.pairs.seeds[0]}", c.pairs.seeds[0]),
                Cell(f"{first.fixed:,}", first.fixed),
                Cell(f"{first.broken:,}", first.broken),
                Cell(words.interval(Interval(100 * low, 100 * high))),
                words.p_cell(first.p),
            )
        )
    level = words.level(analysis)
    columns = (
        Column("contrast", "first model minus second, of one seed"),
        Column("setting", words.setting_meaning(analysis)),
        Column("seeds", "pairs of models", True),
        Column("above", f"pairs whose first model is better, at p ≤ {analysis.alpha:g}", True),
        Column("below", "likewise worse", True),
        Column("smallest seed", "the pair of models that the next columns are about", True),
        Column("fixed", "test examples that only its first model has right", True),
        Column("broken", "that only its second model has right", True),
        Column(f"{level} interval", "of their difference for new test examples, in pp", True),
        Column("p", "exact McNemar test, of these two models alone", True),
    )
    caption = (
        f"Two models as they are, on new test examples{words.first_of(primary)}. It says nothing "
        "about what other seeds would give, and nothing is corrected:"
    )
    return Details(
        "Single models against each other", (Table("files", caption, columns, tuple(rows)),)
    )


def _mcnemar(c: Comparison, seed: int) -> McNemar:
    a, b = (s.correct[s.positions([seed])[0]] for s in c.pairs.samples if s.correct is not None)
    return mcnemar(int((a & ~b).sum()), int((b & ~a).sum()), a.size)


def _figure(analysis: Analysis, primary: list[Comparison]) -> Figure:
    rows = primary[:MOST_ROWS]
    entries = [
        ("broken", figures.Style(figures.VERMILLION, "D")),
        ("fixed", figures.Style(figures.BLUE, "s")),
        ("net: the contrast", figures.Style(figures.INK, "|")),
    ]
    top = figures.key_height(entries)
    headed = len({c.setting.budget for c in rows}) > 1
    groups = forest_plot.grouped(rows, analysis.varying, headed)
    shares = [
        (100 * c.pairs.churn.broken, 100 * c.pairs.churn.fixed) for c in rows if c.pairs.churn
    ]
    reach = max(max(both) for both in shares) or 1.0
    smallest = np.median([max(both) for both in shares]) or reach
    axis = scales.difference_scale(-reach, reach, max(float(smallest) / 2, reach / 1000))

    def paint(canvas: figures.Canvas) -> None:
        plot = figures.Plot(canvas, LEFT, top, RIGHT, 42)
        plot.key(entries)
        f = axis.forward
        lines, colors, net, zeros = [], [], [], []
        y = 0.0
        for name, members in groups.items():
            y -= HEADING / ROW
            for at, line in enumerate(forest_plot.heading_lines(name)):
                y -= min(at, 1)
                plot.at_left(LEFT - 8, y - 0.05, line, "left", bold=True)
            zeros.append([(f(0), y - 0.4), (f(0), y - len(members) - 0.6)])  # headings stay clear
            for c in members:
                y -= 1
                churn = c.pairs.churn
                assert churn is not None
                broken, fixed = 100 * churn.broken, 100 * churn.fixed
                lines += [[(f(0), y), (f(-broken), y)], [(f(0), y), (f(fixed), y)]]
                colors += [figures.VERMILLION, figures.BLUE]
                net.append([(f(fixed - broken), y - 0.42), (f(fixed - broken), y + 0.42)])
                plot.at_left(
                    8,
                    y,
                    words.place(c.setting, Varying(("budget",)) if headed else analysis.varying),
                )
                plot.at_right(RIGHT - 4, y, f"{words.MINUS}{broken:.2f}%  +{fixed:.2f}%")
        plot.limits(1.12 * f(-reach), 1.12 * f(reach), y - 0.8, 0)
        plot.lines(lines, colors, 6.5)
        plot.lines(net, width=1.6, z=4)
        plot.lines(zeros, width=0.9, z=2)
        labels = [label.lstrip(words.MINUS) for label in axis.labels]
        label = "broken (left) and fixed (right), % of the test examples"
        plot.x_axis(f(np.array(axis.ticks)), labels, label)

    height = top + 42 + ROW * (len(rows) + 0.8) + HEADING * len(groups)
    height += ROW * sum(len(forest_plot.heading_lines(name)) - 1 for name in groups)
    caption = (
        "**Test examples fixed and broken, mean over seeds.** The mark is their difference, the "
        "contrast. Long bars on both sides with the mark near 0: much changes, and it cancels."
    )
    if len(primary) > MOST_ROWS:
        caption += f" Drawn are {MOST_ROWS} of {len(primary)}; all are in the table of differences."
    if axis.note:
        caption += " Near 0 the scale is stretched."
    alt = "Bars. " + "; ".join(
        f"{c.name}, {words.place(c.setting, analysis.varying)}: fixed "
        f"{words.percent(c.pairs.churn.fixed, 2)}, broken {words.percent(c.pairs.churn.broken, 2)}"
        for c in rows
        if c.pairs.churn
    )
    return Figure("churn", figures.draw("churn", height, paint), caption, alt)
