"""A forest plot: one row per comparison, its estimate, its two intervals, its verdict."""

from collections.abc import Callable, Sequence

import numpy as np

from bench.analysis import Comparison
from bench.report import figures, words
from bench.statistics.families import Verdict

ROW, HEADING, LEFT, RIGHT, BOTTOM = 17.0, 23.0, 98.0, 150.0, 42.0

Group = tuple[str, str, Sequence[Comparison]]
"""Heading, remark at its right end, rows."""


def scale(rows: Sequence[Comparison], delta: float | None) -> figures.Scale:
    """For the estimates and pointwise intervals; far ends of the families' may be cut."""
    ends = [end for c in rows for end in (*(c.interval or ()), c.mean) if end is not None]
    reach = [delta * 1.5, -delta * 1.5] if delta is not None else []
    finite = [end for end in [*ends, *reach, 0.0] if np.isfinite(end)]
    return figures.difference_scale(min(finite), max(finite), delta)


def draw(
    name: str,
    groups: Sequence[Group],
    axis: figures.Scale,
    delta: float | None,
    xlabel: str,
    label: Callable[[Comparison], str],
) -> str:
    """The figure as SVG. label: a row's; delta: half the width of the band, None for no band."""
    rows = [c for _, _, members in groups for c in members]
    entries = [(str(v), figures.VERDICTS[v]) for v in Verdict if any(c.verdict == v for c in rows)]
    top = figures.key_height(entries) + 4
    height = top + BOTTOM + ROW * (len(rows) + 0.8) + HEADING * len(groups)

    def paint(canvas: figures.Canvas) -> None:
        plot = figures.Plot(canvas, LEFT, top, RIGHT, BOTTOM)
        plot.key(entries)
        f = axis.forward
        ends = [f(end) for c in rows for end in c.interval or () if np.isfinite(end)]
        band = [] if delta is None else [f(-delta), f(delta)]
        low, high = min([*ends, *band, f(0)]), max([*ends, *band, f(0)])
        pad = 0.04 * (high - low)
        if delta is not None:
            plot.ax.axvspan(f(-delta), f(delta), color=figures.GREY, alpha=0.14, linewidth=0)
        thin, thick, colors = [], [], []
        points: dict[Verdict, list[tuple[float, float]]] = {}
        y = 0.0
        for heading, remark, members in groups:
            y -= HEADING / ROW
            plot.at_left(LEFT - 8, y - 0.05, heading, "left", bold=True)
            plot.at_right(RIGHT - 4, y - 0.05, remark, faint=True)
            for c in members:
                y -= 1
                plot.at_left(8, y, label(c))
                if c.mean is None or c.interval is None:
                    plot.at_right(RIGHT - 4, y, "no interval", faint=True)
                    continue
                unit = c.pairs.unit
                numbers = f"{words.signed(c.mean, unit)} {words.interval(c.interval, unit)}"
                plot.at_right(RIGHT - 4, y, numbers)
                colors.append(figures.VERDICTS[c.verdict].color)
                thick.append([(x, y) for x in np.clip(f(np.array(c.interval)), low, high)])
                family = c.simultaneous or c.interval
                wide = np.clip(f(np.array(family)), low - pad, high + pad)
                thin.append([(x, y) for x in wide])
                points.setdefault(c.verdict, []).append((float(f(c.mean)), y))
        plot.limits(low - pad, high + pad, y - 0.8, 0)
        plot.lines([((f(0), y - 0.8), (f(0), 0))], width=0.9, z=2)
        plot.lines(thin, colors, 0.9)
        plot.lines(thick, colors, 2.6)
        for verdict, at in points.items():
            plot.markers(at, figures.VERDICTS[verdict])
        plot.x_axis(f(np.array(axis.ticks)), axis.labels, xlabel)

    return figures.draw(name, height, paint)
