"""A forest plot over studies: each study, the mean over them, where a new study would lie."""

from math import sqrt

import numpy as np

from bench.analysis.synthesis import Synthesis
from bench.report import figures, scales, words
from bench.report.content import Figure, code
from bench.report.text_width import shortened, text_width

ROW, BOTTOM = 19.0, 42.0
NARROWEST = 150.0
STUDY = figures.Style(figures.BLUE, "s")
MEAN = figures.Style(figures.VERMILLION, "D")


def draw(found: Synthesis, number: int) -> Figure:
    """The figure of one contrast. A square's area goes with the study's weight in the mean."""
    name = f"synthesis-{number}"
    parts, unit = found.parts, found.unit
    ends = [part.interval(found.alpha) for part in parts]
    labels = [part.study for part in parts]
    shown = [numbers(part.mean, end, unit) for part, end in zip(parts, ends, strict=True)]
    whole, new = found.interval, found.prediction
    if whole is not None:
        labels.append("mean over studies")
        shown.append(numbers(found.pooled.mean, whole, unit))
    if new is not None:
        labels.append("a new study, about")
        shown.append(words.interval(new, unit))
    right = min(20 + max(map(text_width, shown)), figures.WIDTH - NARROWEST - 90)
    left = min(16 + max(map(text_width, labels)), figures.WIDTH - right - NARROWEST)
    entries = [("a study; the larger, the more weight", STUDY)]
    if whole is not None:
        entries.append(("the mean", MEAN))
    top = figures.key_height(entries) + 6
    rows = len(labels) + (0.5 if whole is not None else 0)
    axis = scales.difference_scale(
        min(*(end.low for end in ends), *(new or whole or (0.0,)), 0.0),
        max(*(end.high for end in ends), *(new or whole or (0.0,)), 0.0),
        found.delta,
    )

    def paint(canvas: figures.Canvas) -> None:
        plot = figures.Plot(canvas, left, top, right, BOTTOM)
        plot.key(entries)
        f = axis.forward
        every = [*ends, *([] if whole is None else [whole]), *([] if new is None else [new])]
        reach = [f(value) for pair in every for value in pair]
        low, high = min(*reach, float(f(0))), max(*reach, float(f(0)))
        pad = 0.04 * (high - low) or 1.0
        y = 0.0
        for part, end, weight in zip(parts, ends, found.weights, strict=True):
            y -= 1
            plot.at_left(8, y, shortened(part.study, left - 12))
            plot.lines([((f(end.low), y), (f(end.high), y))], STUDY.color, 2.0)
            size = 3 + 6 * sqrt(weight)
            plot.markers([(float(f(part.mean)), y)], STUDY, size=size)
        last = y
        if whole is not None:
            y -= 1.5
            plot.at_left(8, y, "mean over studies", bold=True)
            middle = float(f(found.pooled.mean))
            corners = [
                (f(whole.low), y), (middle, y + 0.34), (f(whole.high), y), (middle, y - 0.34)
            ]  # fmt: skip
            plot.areas([corners], [MEAN.color])
        if new is not None:
            y -= 1
            plot.at_left(8, y, "a new study, about")
            plot.lines([((f(new.low), y), (f(new.high), y))], figures.GREY, 3.0)
        for at, text in zip((*range(1, len(parts) + 1),), shown, strict=False):
            plot.at_right(right - 4, -at, text)
        for text, at in zip(shown[len(parts) :], (last - 1.5, last - 2.5), strict=False):
            plot.at_right(right - 4, at, text)
        plot.limits(low - pad, high + pad, y - 0.8, 0)
        if found.delta is not None:
            plot.band(f(-found.delta), f(found.delta), [(-0.4, y - 0.6)])
        plot.lines([((f(0), -0.4), (f(0), y - 0.6))], width=0.9, z=2)
        label = f"{found.name}, {unit}"
        plot.x_axis(f(np.array(axis.ticks)), axis.labels, label)

    height = top + BOTTOM + ROW * (rows + 0.8)
    return Figure(name, figures.draw(name, height, paint), _caption(found, axis.note), alt(found))


def numbers(mean: float, ends: tuple[float, float], unit: str) -> str:
    """`−0.14 [−0.53, +0.25]`."""
    return f"{words.signed(mean, unit)} [{', '.join(words.signed(end, unit) for end in ends)}]"


def _caption(found: Synthesis, note: str) -> str:
    level = f"{100 * (1 - found.alpha):g}%"
    said = f"{code(found.name)} in each study, with its {level} interval for new seeds and examples"
    if found.interval is not None:
        said += f", and the mean of studies like these with its {level} interval"
    if found.prediction is not None:
        said += "; grey: where a new study's true difference would lie, about"
    if found.delta is not None:
        said += f"; the band is ±{words.trimmed(found.delta)} {found.unit}"
    return f"{said}. {note[:1].upper()}{note[1:]}.".replace(". .", ".") if note else f"{said}."


def alt(found: Synthesis) -> str:
    """The figure for who cannot see it."""
    said = [
        f"{part.study}: {numbers(part.mean, part.interval(found.alpha), found.unit)}"
        for part in found.parts
    ]
    if found.interval is not None:
        said.append(f"mean: {numbers(found.pooled.mean, found.interval, found.unit)}")
    if found.prediction is not None:
        said.append(f"a new study: {words.interval(found.prediction, found.unit)}")
    return f"{found.name} over {len(found.parts)} studies, {found.unit}. {'; '.join(said)}."
