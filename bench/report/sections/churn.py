"""Which test examples change: an accuracy that stays can hide predictions that do not."""

import numpy as np

from bench.analysis import Analysis, Comparison, Population, Varying
from bench.report import figures, forest_plot, scales, words
from bench.report.content import Figure, Paragraph, Section

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
    return Section("Which predictions change", (Paragraph(text), _figure(analysis, primary)))


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
        lines, colors, net = [], [], []
        y = 0.0
        for name, members in groups.items():
            y -= HEADING / ROW
            plot.at_left(LEFT - 8, y - 0.05, name, "left", bold=True)
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
        plot.limits(1.04 * f(-reach), 1.04 * f(reach), y - 0.8, 0)
        plot.lines(lines, colors, 6.5)
        plot.lines(net, width=1.6, z=4)
        plot.lines([((f(0), y - 0.8), (f(0), 0))], width=0.9, z=2)
        labels = [label.lstrip(words.MINUS) for label in axis.labels]
        label = "broken (left) and fixed (right), % of the test examples"
        plot.x_axis(f(np.array(axis.ticks)), labels, label)

    height = top + 42 + ROW * (len(rows) + 0.8) + HEADING * len(groups)
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
