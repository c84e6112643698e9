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
from bench.report.text_width import text_width
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
    Verdict.TOO_FEW_GROUPS: Style(GREY, "x", hollow=True),
    Verdict.WITHHELD: Style(GREY, "x"),
}


def arm_styles(arms: Sequence[str]) -> dict[str, Style]:
    """A style per arm: hue by what is compared, hollow for the control of it."""
    if set(arms) <= set(_ARMS):
        return {arm: _ARMS[arm] for arm in arms}
    return {arm: _OTHERS[i % len(_OTHERS)] for i, arm in enumerate(arms)}


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
        self.ax.set_xlim(*_apart(x0, x1))
        self.ax.set_ylim(*_apart(y0, y1))

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

    def heading(self, text: str, pixels: float) -> None:
        """Bold text, so many pixels above the axes, from the figure's left."""
        self.texts.add(
            self.ax.transAxes, (8 - self.left) / self.width, 1 + pixels / self.height, text,
            bold=True,
        )  # fmt: skip

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

    def band(self, x0: float, x1: float, rows: Sequence[tuple[float, float]]) -> None:
        """A faint band from x0 to x1 behind everything, for each (y0, y1) of the rows."""
        corners = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for y0, y1 in rows]
        self.ax.add_collection(
            PolyCollection(corners, facecolors=GREY, alpha=0.14, linewidths=0, zorder=1),
            autolim=False,
        )

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
        """The lower axis with its ticks; how: `ticks=False`, `rotation=90`; `under`: pixels from
        the axis to its label's lower end, by default almost to the figure's."""
        pixel = 1 / self.height
        frame = [((0, 0), (1, 0))]
        self.lines(frame, transform=self.ax.transAxes)
        if how.get("ticks", True):
            ticks = [((x, 0), (x, -4 * pixel)) for x in at]
            self.lines(ticks, transform=self.x_data)
        rotation = how.get("rotation", 0)
        ha, va = ("right", "center") if rotation else ("center", "top")
        shown = labels if rotation else self._apart(at, labels)
        for x, text in zip(at, shown, strict=True):
            self.texts.add(self.x_data, x, -7 * pixel, text, ha, va, rotation=rotation)
        self.texts.add(
            self.ax.transAxes,
            0.5,
            -how.get("under", self.bottom - 4) * pixel,
            label,
            "center",
            "bottom",
        )

    def _apart(self, at: Sequence[float], labels: Sequence[str]) -> list[str]:
        """The labels, without those that would touch another: 0 stays, then those far out."""
        low, high = self.ax.get_xlim()
        middles = [self.width * (x - low) / (high - low) for x in at]
        halves = [text_width(text) / 2 + 3 for text in labels]
        order = sorted(range(len(at)), key=lambda i: (labels[i] != "0", -abs(at[i])))
        kept: list[int] = []
        for i in order:
            if all(abs(middles[i] - middles[j]) >= halves[i] + halves[j] for j in kept):
                kept.append(i)
        return [text if i in kept else "" for i, text in enumerate(labels)]

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


def _apart(start: float, end: float) -> tuple[float, float]:
    """Limits of an axis that has a length, also where all values are one."""
    largest = max(abs(start), abs(end))
    if abs(end - start) > 1e-12 * largest:
        return start, end
    return start - max(1, 1e-6 * largest), end + max(1, 1e-6 * largest)


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
