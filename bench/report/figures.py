"""SVG by matplotlib that reads the same inline, as a file, dark and light.

Text stays text in the reader's own font. What is drawn in INK takes the colour of the text around
it; series have Okabe and Ito's colours, which people with colour blindness tell apart, and markers
of their own beside them. pyplot is never imported: it costs half a second.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.transforms import Transform

from bench.report.svg import BLUE, FONT, GROUND, INK, clean
from bench.statistics.families import Verdict
from bench.study.arms import ARMS

ORANGE, GREEN, VERMILLION = "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, GREY = "#cc79a7", "#56b4e9", "#858585"

WIDTH = 540
"""Of every figure, in CSS pixels: readable on a phone, not too large on a desk."""


@dataclass(frozen=True)
class Style:
    """How one arm or verdict is drawn; `hollow` markers are not filled."""

    color: str
    marker: str
    hollow: bool = False


_COLORS = {"grey": GREY, "blue": BLUE, "vermillion": VERMILLION}
_ARMS = {arm.name: Style(_COLORS[arm.color], arm.marker, arm.hollow) for arm in ARMS.values()}
_OTHERS = tuple(
    Style(color, marker)
    for color, marker in zip(
        (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, GREY), "osD^vP*", strict=True
    )
)

VERDICTS = {
    Verdict.MATTERS: Style(VERMILLION, "D"),
    Verdict.SIZE_UNDECIDED: Style(ORANGE, "^"),
    Verdict.TOO_SMALL: Style(SKY, "v"),
    Verdict.EQUIVALENT: Style(BLUE, "s"),
    Verdict.UNDECIDED: Style(GREY, "o", hollow=True),
    Verdict.TOO_FEW_SEEDS: Style(GREY, "x"),
    Verdict.WITHHELD: Style(GREY, "x"),
}


def arm_styles(arms: Sequence[str]) -> dict[str, Style]:
    """A style per arm: hue by what is compared, hollow for the control of it."""
    if set(arms) <= set(_ARMS):
        return {arm: _ARMS[arm] for arm in arms}
    return {arm: _OTHERS[i % len(_OTHERS)] for i, arm in enumerate(arms)}


@dataclass(frozen=True)
class Scale:
    """An axis' transformation, its ticks in the data's unit, and what to tell the reader of it."""

    forward: Callable[[Any], Any]
    ticks: tuple[float, ...]
    note: str = ""

    @property
    def labels(self) -> list[str]:
        shown = [f"{tick:g}" for tick in self.ticks]
        if len(set(shown)) < len(shown):  # a narrow range of large numbers
            shown = [f"{tick:.12g}" for tick in self.ticks]
        return [text.replace("-", "\N{MINUS SIGN}") for text in shown]


def round_step(span: float, most: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that divides the span into about `most`."""
    raw = max(span, 1e-12) / most
    power = float(10 ** np.floor(np.log10(raw)))
    return power * next(factor for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)


def _round_ticks(low: float, high: float, most: int = 7) -> tuple[float, ...]:
    step = round_step(high - low, most)
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return tuple(float(f"{k * step:.10g}") for k in np.arange(first, last + 1))


def difference_scale(low: float, high: float, delta: float | None) -> Scale:
    """Linear where all differences are of one size; else stretched around 0 (asinh)."""
    reach = max(abs(low), abs(high), 1e-12)
    if delta is None or reach <= 12 * delta:
        return Scale(np.asarray, _round_ticks(low, high))
    width = 2 * delta
    smallest, largest = (int(np.floor(np.log10(end))) for end in (delta, reach))
    steps = [float(f"{m}e{e}") for e in range(smallest, largest + 1) for m in (1, 2, 5)]
    room = 0.17 * np.arcsinh(reach / width)  # that a label needs
    keep: list[float] = []
    for step in steps:
        last = np.arcsinh((keep[-1] if keep else 0.0) / width)
        if delta * 0.99 <= step <= reach and np.arcsinh(step / width) - last > room:
            keep.append(step)
    ticks = (*(-step for step in reversed(keep)), 0.0, *keep)
    inside = tuple(float(f"{tick:.10g}") for tick in ticks if low <= tick <= high)
    return Scale(
        lambda x: np.arcsinh(np.asarray(x) / width),
        inside,
        f"near 0 the scale is stretched, so that differences of {delta:g} and of "
        f"{reach:.3g} can be seen together",
    )


def accuracy_scale(low: float, high: float, n: int | None) -> Scale:
    """Percent correct: linear over a narrow range; else logit, stretched towards 0 and 100."""
    if high - low <= 12 or n is None or low < 0 or high > 100:
        return Scale(np.asarray, _round_ticks(low, high, 6))
    edge = 50 / n  # half a test example, so that 0% and 100% have a place

    def logit(x: Any) -> Any:
        clipped = np.clip(np.asarray(x, dtype=float), edge, 100 - edge)
        return np.log(clipped / (100 - clipped))

    candidates = (1, 2, 5, 10, 20, 30, 50, 70, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9)
    span = logit(high) - logit(low)
    ticks: list[float] = []
    for tick in candidates:
        if low <= tick <= high and (not ticks or logit(tick) - logit(ticks[-1]) > span / 12):
            ticks.append(tick)
    return Scale(logit, tuple(ticks), "the scale is stretched towards 100%")


@cache
def _settings() -> dict[str, Any]:
    return {
        "svg.fonttype": "none",
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "path.simplify": False,
    }


def draw(name: str, height: float, paint: Callable[[Canvas], None]) -> str:
    """The SVG of a figure. name: prefix of all ids in it; height: CSS pixels; paint: draws on it.

    Deterministic: no date, ids from the name alone.
    """
    with mpl.rc_context({**_settings(), "svg.hashsalt": name}):
        canvas = Canvas(figsize=(WIDTH / 96, height / 96), dpi=96)
        paint(canvas)
        out = io.StringIO()
        FigureCanvasSVG(canvas).print_svg(out, metadata={"Date": None, "Creator": None})
    return clean(out.getvalue(), name)


class Texts(Artist):
    """Many texts as one artist, straight into the SVG: matplotlib measures each for a millisecond.

    Sizes are in points; the anchor is the text's left end, middle or right end, and its middle,
    top or baseline.
    """

    _SHIFT: ClassVar = {"center": 0.36, "top": 0.85, "bottom": -0.15, "baseline": 0.0}
    _ANCHOR: ClassVar = {"left": "start", "center": "middle", "right": "end"}

    def __init__(self) -> None:
        super().__init__()
        self.items: list[tuple[Any, ...]] = []

    def add(
        self,
        transform: Transform,
        x: float,
        y: float,
        text: str,
        ha: str = "left",
        va: str = "center",
        *,
        bold: bool = False,
        faint: bool = False,
        size: float = FONT,
        rotation: float = 0,
    ) -> None:
        if text:
            self.items.append((transform, x, y, text, ha, va, bold, faint, size, rotation))

    def draw(self, renderer: Any) -> None:
        for transform, x, y, text, ha, va, bold, faint, size, rotation in self.items:
            px, py = transform.transform((x, y))
            py = renderer.height - py
            shift = self._SHIFT[va] * size
            px, py = (px + shift, py) if rotation else (px, py + shift)
            attributes = {"x": f"{px:.1f}", "y": f"{py:.1f}", "style": f"fill: {INK}"}
            if ha != "left":
                attributes["text-anchor"] = self._ANCHOR[ha]
            if bold:
                # Headings may lie across a line: a rim in the page's colour keeps them legible.
                attributes["font-weight"] = "700"
                attributes["style"] += f"; stroke: {GROUND}; stroke-width: 3; paint-order: stroke"
            if faint:
                attributes["opacity"] = "0.7"
            if size != FONT:
                attributes["font-size"] = f"{size:g}"
            if rotation:
                attributes["transform"] = f"rotate({-rotation:g} {px:.1f} {py:.1f})"
            renderer.writer.element("text", text, attrib=attributes)


class Strokes(Artist):
    """Lines of one colour as a single path; with `dots`, round points of that width instead.

    A collection of matplotlib's writes an element, with style and clipping, for every one.
    """

    def __init__(
        self,
        points: Any,
        transform: Transform,
        color: str,
        width: float,
        alpha: float | None,
        dots: bool,
    ) -> None:
        super().__init__()
        self.points = np.asarray(points, dtype=float)  # (lines, 2, 2), dots (points, 2)
        self.data, self.color, self.width, self.dots = transform, color, width, dots
        self.set_alpha(alpha)

    def draw(self, renderer: Any) -> None:
        xy = self.data.transform(self.points.reshape(-1, 2))
        xy[:, 1] = renderer.height - xy[:, 1]
        if self.dots:
            d = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in xy.tolist())
        else:
            ends = xy.reshape(-1, 4).tolist()
            d = "".join(f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" for x0, y0, x1, y1 in ends)
        attributes = {
            "d": d,
            "fill": "none",
            "style": f"stroke: {self.color}",
            "stroke-width": f"{self.width:g}",
        }
        if self.dots:
            attributes["stroke-linecap"] = "round"
        if self.get_alpha() is not None:
            attributes["opacity"] = f"{self.get_alpha():g}"
        renderer.writer.element("path", attrib=attributes)


class Plot:
    """Axes with margins in CSS pixels, whose frame and texts are a handful of artists.

    Laying out by measuring, and matplotlib's own ticks, cost most of a figure's time.
    """

    def __init__(
        self, canvas: Canvas, left: float, top: float, right: float, bottom: float
    ) -> None:
        width, height = canvas.get_size_inches() * 96
        self.left, self.top, self.right, self.bottom = left, top, right, bottom
        self.width, self.height = width - left - right, height - top - bottom
        box = (left / width, bottom / height, self.width / width, self.height / height)
        self.ax = canvas.add_axes(box)
        self.ax.set_axis_off()
        self.texts = Texts()
        self.ax.add_artist(self.texts)
        self.texts.set_zorder(8)
        self.x_data = self.ax.get_xaxis_transform()  # x in data, y in fractions of the axes
        self.y_data = self.ax.get_yaxis_transform()  # the other way round

    def key(self, entries: Sequence[tuple[str, Style]]) -> None:
        """The legend: rows of a marker and its meaning at the figure's top; see key_height."""
        whole = self.ax.figure.transFigure
        width, height = self.ax.figure.get_size_inches() * 96
        for (text, style), (x, row) in zip(entries, _key_places(entries), strict=True):
            y = 1 - (12 + 18 * row) / height
            self.markers([(x / width, y)], style, transform=whole)
            self.texts.add(whole, (x + 10) / width, y, text)

    def limits(self, x0: float, x1: float, y0: float, y1: float) -> None:
        if x0 == x1:  # all at one point
            x0, x1 = x0 - 1, x1 + 1
        self.ax.set_xlim(x0, x1)
        self.ax.set_ylim(y0, y1)

    def at_left(self, pixels: float, y: float, text: str, ha: str = "right", **style: Any) -> None:
        """Text whose anchor lies `pixels` to the left of the axes, at y in data."""
        self.texts.add(self.y_data, -pixels / self.width, y, text, ha, **style)

    def at_right(self, pixels: float, y: float, text: str, ha: str = "right", **style: Any) -> None:
        """Text whose anchor lies `pixels` to the right of the axes, at y in data."""
        self.texts.add(self.y_data, 1 + pixels / self.width, y, text, ha, **style)

    def text(self, x: float, y: float, text: str, ha: str = "center", **style: Any) -> None:
        """Text at x and y in data."""
        self.texts.add(self.ax.transData, x, y, text, ha, **style)

    def above(self, x: float, text: str, **style: Any) -> None:
        """Text above the axes, at x in data."""
        self.texts.add(self.x_data, x, 1 + 14 / self.height, text, "center", **style)

    def lines(
        self,
        segments: Sequence[Any],
        colors: Any = INK,
        width: float = 0.8,
        z: float = 3,
        alpha: float | None = None,
        transform: Transform | None = None,
    ) -> None:
        """Line segments ((x, y), (x, y)), in data unless transform says otherwise.

        colors: one for all, or one for each.
        """
        each = [colors] * len(segments) if isinstance(colors, str) else colors
        for color in dict.fromkeys(each):
            chosen = [s for s, c in zip(segments, each, strict=True) if c == color]
            self._stroke(chosen, color, width, z, alpha, transform, dots=False)

    def dots(self, points: Any, color: str, width: float, alpha: float | None = None) -> None:
        """A round dot at each point (n, 2) in data."""
        self._stroke(points, color, width, 3, alpha, None, dots=True)

    def _stroke(
        self,
        points: Any,
        color: str,
        width: float,
        z: float,
        alpha: float | None,
        transform: Transform | None,
        dots: bool,
    ) -> None:
        stroke = Strokes(points, transform or self.ax.transData, color, width, alpha, dots)
        stroke.set_zorder(z)
        self.ax.add_artist(stroke)

    def areas(self, corners: Sequence[Any], colors: Sequence[str]) -> None:
        """Filled polygons, in data, that do not move the axes' limits."""
        self.ax.add_collection(
            PolyCollection(corners, facecolors=colors, linewidths=0), autolim=False
        )

    def markers(
        self, points: Sequence[tuple[float, float]], style: Style, size: float = 5, **more: Any
    ) -> None:
        """A marker at each point, in data; hollow ones hide the line behind them."""
        if not len(points):
            return
        x, y = np.asarray(points, dtype=float).T
        line = Line2D(
            x,
            y,
            marker=style.marker,
            color=style.color,
            markerfacecolor=GROUND if style.hollow else style.color,
            markersize=size,
            **{"linestyle": "none", "zorder": 5, "clip_on": False, **more},
        )
        self.ax.add_line(line)

    def x_axis(
        self, at: Sequence[float], labels: Sequence[str], label: str = "", **how: Any
    ) -> None:
        """The lower axis with its ticks; how: `ticks=False`, `rotation=90`."""
        pixel = 1 / self.height
        frame = [((0, 0), (1, 0))]
        self.lines(frame, transform=self.ax.transAxes)
        if how.get("ticks", True):
            ticks = [((x, 0), (x, -4 * pixel)) for x in at]
            self.lines(ticks, transform=self.x_data)
        rotation = how.get("rotation", 0)
        ha, va = ("right", "center") if rotation else ("center", "top")
        for x, text in zip(at, labels, strict=True):
            self.texts.add(self.x_data, x, -7 * pixel, text, ha, va, rotation=rotation)
        self.texts.add(
            self.ax.transAxes, 0.5, -(self.bottom - 4) * pixel, label, "center", "bottom"
        )

    def y_axis(self, at: Sequence[float], labels: Sequence[str], label: str = "") -> None:
        """The left axis with its ticks and faint lines across."""
        pixel = 1 / self.width
        self.lines([((0, 0), (0, 1))], transform=self.ax.transAxes)
        self.lines([((0, y), (-4 * pixel, y)) for y in at], transform=self.y_data)
        self.lines(
            [((0, y), (1, y)) for y in at], GREY, 0.6, z=0.5, alpha=0.3, transform=self.y_data
        )
        for y, text in zip(at, labels, strict=True):
            self.at_left(7, y, text)
        x = -(self.left - 10) * pixel
        self.texts.add(self.ax.transAxes, x, 0.5, label, "center", "center", rotation=90)


def text_width(text: str) -> float:
    """About the pixels that a text of FONT takes in a usual sans-serif font."""
    return 6.6 * len(text)


def shortened(text: str, pixels: float) -> str:
    """The text, or as much of its two ends as fits; of `a - b` both sides keep their ends."""
    most = max(int(pixels / text_width(" ")), 3)
    if len(text) <= most:
        return text
    first, minus, second = text.partition(" - ")
    if minus and most > 12:
        half = (most - 3) // 2
        room = max(half, most - 3 - len(second))  # what a short second side leaves
        first = shortened(first, room * text_width(" "))
        return f"{first} - {shortened(second, (most - 3 - len(first)) * text_width(' '))}"
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def _key_places(entries: Sequence[tuple[str, Style]]) -> list[tuple[float, int]]:
    """Where each entry of a key stands: pixels from the left, row."""
    places, x, row = [], 12.0, 0
    for text, _ in entries:
        advance = 32 + text_width(text)
        if x + advance > WIDTH and x > 12:
            x, row = 12.0, row + 1
        places.append((x, row))
        x += advance
    return places


def key_height(entries: Sequence[tuple[str, Style]]) -> float:
    """Pixels that a figure's key takes at its top."""
    return 12 + 18 * (1 + max((row for _, row in _key_places(entries)), default=0))
