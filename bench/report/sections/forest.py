"""Every contrast with its intervals, by budget."""

from itertools import groupby

import numpy as np
from matplotlib.collections import LineCollection

from bench.analysis import Analysis, Comparison, Population
from bench.report import figures, words
from bench.report.content import Block, Figure, Paragraph, Section
from bench.statistics.families import Verdict

BY_POPULATION = True

ROW, HEADING, LEFT, RIGHT, BOTTOM = 17.0, 24.0, 96.0, 150.0, 48.0
MOST_ROWS = 90


def build(analysis: Analysis, population: Population) -> Section | None:
    shown = [c for c in analysis.select(population) if c.interval is not None]
    if not shown:
        return None
    blocks: list[Block] = []
    units = tuple(dict.fromkeys((c.pairs.metric, c.pairs.unit) for c in shown))
    for metric, unit in units:
        rows = [c for c in shown if c.pairs.metric == metric]
        blocks += _figure(analysis, population, rows, metric, unit, alone=len(units) == 1)
    return Section("Every contrast, with its interval", tuple(blocks))


def _figure(
    analysis: Analysis,
    population: Population,
    rows: list[Comparison],
    metric: str,
    unit: str,
    alone: bool,
) -> list[Block]:
    left_out = len(rows) - MOST_ROWS
    rows = rows[:MOST_ROWS]
    name = f"forest{'' if alone else '-' + metric}{words.SLUGS[population]}"
    verdicts = [v for v in Verdict if any(c.verdict == v for c in rows)]
    scale = _scale(rows, analysis.delta)
    level = words.level(analysis)
    caption = (
        f"**Mean difference of {metric} in {unit}, with {level} intervals for "
        f"{words.POPULATIONS[population]}.** Right of 0 the first arm is better. The thick line is "
        "the interval of that contrast alone; the thin one holds for all contrasts of its family "
        "at once (Bonferroni for the primary contrasts, false-coverage rate for the exploratory "
        "ones). Colour and marker are the verdict."
    )
    if analysis.delta is not None:
        caption += (
            f" The band is ±{analysis.delta:g} {unit}, the smallest difference that matters here."
        )
    if scale.note:
        caption += f" {scale.note[0].upper()}{scale.note[1:]}."
    alt = "Forest plot. " + "; ".join(
        f"{c.name}{', ' + label if (label := words.place(c.setting, analysis.varying)) else ''}: "
        f"{words.estimate(c)}, {c.verdict}"
        for c in rows[:40]
    )
    blocks: list[Block] = [
        Figure(name, _svg(name, analysis, rows, verdicts, scale, unit), caption, alt)
    ]
    if left_out > 0:
        blocks.append(
            Paragraph(f"{left_out:,} more contrasts do not fit in the figure; the table has all.")
        )
    return blocks


def _scale(rows: list[Comparison], delta: float | None) -> figures.Scale:
    # Far ends of simultaneous intervals may be cut; estimates and pointwise intervals never are.
    ends = [end for c in rows for end in (*(c.interval or ()), c.mean) if end is not None]
    reach = [delta * 1.5, -delta * 1.5] if delta is not None else []
    return figures.difference_scale(min([*ends, *reach, 0]), max([*ends, *reach, 0]), delta)


def _svg(
    name: str,
    analysis: Analysis,
    rows: list[Comparison],
    verdicts: list[Verdict],
    scale: figures.Scale,
    unit: str,
) -> str:
    entries = [(str(v), figures.VERDICTS[v]) for v in verdicts]
    top = figures.key_height(entries) + 6
    groups = [(k, list(members)) for k, members in groupby(rows, key=lambda c: (c.name, c.family))]
    height = top + BOTTOM + ROW * len(rows) + HEADING * len(groups)

    def paint(canvas: figures.Canvas) -> None:
        figures.key(canvas, entries)
        ax = figures.axes(canvas, LEFT, top, RIGHT, BOTTOM)
        f = scale.forward
        ends = np.array([f(end) for c in rows for end in c.interval or ()])
        low, high = min(ends.min(), f(0)), max(ends.max(), f(0))
        if analysis.delta is not None:
            low, high = min(low, f(-analysis.delta)), max(high, f(analysis.delta))
            ax.axvspan(
                f(-analysis.delta), f(analysis.delta), color=figures.GREY, alpha=0.13, linewidth=0
            )
        pad = 0.04 * (high - low)
        ax.set_xlim(low - pad, high + pad)
        ax.axvline(f(0), color=figures.INK, linewidth=0.9)
        thin, thick, colors = [], [], []
        y = 0.0
        for (contrast, family), members in groups:
            y -= HEADING / ROW
            ax.text(
                -(LEFT - 8) * figures.PX * 96 / (figures.WIDTH - LEFT - RIGHT),
                y + 0.42,
                contrast,
                transform=ax.get_yaxis_transform(),
                weight="bold",
                va="center",
            )
            if family == "exploratory":
                ax.text(
                    1 + (RIGHT - 4) / (figures.WIDTH - LEFT - RIGHT),
                    y + 0.42,
                    "exploratory",
                    transform=ax.get_yaxis_transform(),
                    ha="right",
                    va="center",
                    alpha=0.65,
                )
            for c in members:
                y -= 1
                style = figures.VERDICTS[c.verdict]
                assert c.interval is not None
                assert c.mean is not None
                colors.append(style.color)
                thick.append([(f(c.interval.low), y), (f(c.interval.high), y)])
                if c.simultaneous is not None:
                    a, b = np.clip(f(np.array(c.simultaneous)), low - pad, high + pad)
                    thin.append([(a, y), (b, y)])
                ax.plot(
                    [f(c.mean)],
                    [y],
                    style.marker,
                    color=style.color,
                    markerfacecolor=style.face,
                    markersize=5,
                    zorder=4,
                )
                label = words.place(c.setting, analysis.varying)
                ax.text(
                    -8 / (figures.WIDTH - LEFT - RIGHT),
                    y,
                    label,
                    transform=ax.get_yaxis_transform(),
                    ha="right",
                    va="center",
                )
                ax.text(
                    1 + (RIGHT - 4) / (figures.WIDTH - LEFT - RIGHT),
                    y,
                    f"{words.signed(c.mean, unit)} {words.interval(c.interval, unit)}",
                    transform=ax.get_yaxis_transform(),
                    ha="right",
                    va="center",
                )
        ax.add_collection(LineCollection(thin, colors=colors, linewidths=0.9), autolim=False)
        ax.add_collection(LineCollection(thick, colors=colors, linewidths=2.6), autolim=False)
        ax.set_ylim(y - 0.8, 0)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.set_xticks(f(np.array(scale.ticks)), scale.labels)
        ax.set_xlabel(f"first arm minus second, {unit}")

    return figures.draw(name, height, paint)
