"""A forest plot: one row per comparison, its estimate, its family's interval, its verdict."""

from collections.abc import Callable, Sequence

import numpy as np

from bench.analysis import Comparison, Varying
from bench.report import figures, scales, sentences, text_width, words
from bench.statistics.families import Verdict

ROW, HEADING, BOTTOM = 17.0, 23.0, 42.0
NARROWEST = 120.0
"""Pixels that the intervals themselves keep, however long names and numbers are."""

Group = tuple[str, str, Sequence[Comparison]]
"""Heading, remark at its right end, rows."""


def grouped(
    rows: Sequence[Comparison], varying: Varying, by_panel: bool
) -> dict[str, list[Comparison]]:
    """Rows by contrast, in their order; by_panel: by all of the setting but the budget too, so
    that a row's label need only be its budget."""
    groups: dict[str, list[Comparison]] = {}
    for c in rows:
        panel = words.panel(c.setting, varying) if by_panel else ""
        groups.setdefault(f"{c.name}  ({panel})" if panel else c.name, []).append(c)
    return groups


def scale(rows: Sequence[Comparison], delta: float | None) -> scales.Scale:
    """For the estimates and their intervals."""
    ends = [end for c in rows for end in (*(c.simultaneous or ()), c.mean) if end is not None]
    reach = [delta * 1.5, -delta * 1.5] if delta is not None else []
    finite = [end for end in [*ends, *reach, 0.0] if np.isfinite(end)]
    return scales.difference_scale(min(finite), max(finite), delta)


def draw(
    name: str,
    groups: Sequence[Group],
    axis: scales.Scale,
    delta: float | None,
    xlabel: str,
    label: Callable[[Comparison], str],
) -> str:
    """The figure as SVG. label: a row's; delta: half the width of the band, None for no band."""
    rows = [c for _, _, members in groups for c in members]
    entries = [(str(v), figures.VERDICTS[v]) for v in Verdict if any(c.verdict == v for c in rows)]
    labels = {id(c): label(c) for c in rows}
    numbers = {id(c): _numbers(c) for c in rows}
    right = max(110.0, *(20 + text_width.text_width(text) for text in numbers.values()))
    right = min(right, figures.WIDTH - 96.0 - NARROWEST)
    widest = max(96.0, *(16 + text_width.text_width(text) for text in labels.values()))
    left = max(min(widest, 260.0, figures.WIDTH - right - NARROWEST), 96.0)
    top = figures.key_height(entries) + 4
    headings = [heading_lines(heading, remark) for heading, remark, _ in groups]
    height = top + BOTTOM + ROW * (len(rows) + 0.8) + HEADING * len(groups)
    height += ROW * sum(len(of_two) - 1 for of_two in headings)

    def paint(canvas: figures.Canvas) -> None:
        plot = figures.Plot(canvas, left, top, right, BOTTOM)
        plot.key(entries)
        f = axis.forward
        ends = [f(end) for c in rows for end in c.simultaneous or () if np.isfinite(end)]
        band = [] if delta is None else [f(-delta), f(delta)]
        low, high = min([*ends, *band, f(0)]), max([*ends, *band, f(0)])
        pad = 0.04 * (high - low)
        lines, colors, zeros, bands = [], [], [], []
        points: dict[Verdict, list[tuple[float, float]]] = {}
        y = 0.0
        for (_, remark, members), shown in zip(groups, headings, strict=True):
            y -= HEADING / ROW
            plot.at_right(right - 4, y - 0.05, remark, faint=True)
            for at, line in enumerate(shown):
                y -= min(at, 1)
                plot.at_left(left - 8, y - 0.05, line, "left", bold=True)
            zeros.append(((f(0), y - 0.4), (f(0), y - len(members) - 0.6)))  # headings stay clear
            if delta is not None:
                bands.append((y - 0.4, y - len(members) - 0.6))
            for c in members:
                y -= 1
                plot.at_left(8, y, text_width.shortened(labels[id(c)], left - 12))
                plot.at_right(right - 4, y, numbers[id(c)])
                if c.mean is None or c.simultaneous is None:
                    continue
                colors.append(figures.VERDICTS[c.verdict].color)
                wide = np.clip(f(np.array(c.simultaneous)), low - pad, high + pad)
                lines.append([(x, y) for x in wide])
                points.setdefault(c.verdict, []).append((float(f(c.mean)), y))
        plot.limits(low - pad, high + pad, y - 0.8, 0)
        if delta is not None:
            plot.band(f(-delta), f(delta), bands)
        plot.lines(zeros, width=0.9, z=2)
        plot.lines(lines, colors, 2.0)
        for verdict, at in points.items():
            plot.markers(at, figures.VERDICTS[verdict])
        plot.x_axis(f(np.array(axis.ticks)), axis.labels, xlabel)

    return figures.draw(name, height, paint)


def heading_lines(heading: str, remark: str = "") -> tuple[str, ...]:
    """A group's heading, its setting in a line of its own where both are too long for one: what
    tells groups apart may stand anywhere in it."""
    bold = 1.12  # wider than plain text
    room = (figures.WIDTH - 24 - text_width.text_width(remark)) / bold
    contrast, panel, setting = heading.partition("  (")
    if text_width.text_width(heading) <= room or not panel:
        return (text_width.shortened(heading, room),)
    whole = (figures.WIDTH - 24) / bold
    return text_width.shortened(contrast, room), text_width.shortened(f"({setting}", whole)


def _numbers(c: Comparison) -> str:
    if c.simultaneous is None:
        return "no interval"
    return " ".join(sentences.numbers(c))
