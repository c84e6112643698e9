"""SVG by matplotlib that reads the same inline, as a file, dark and light.

Text stays text in the reader's own font. What is drawn in INK takes the colour of the text around
it; series have Okabe and Ito's colours, which people with colour blindness tell apart, and markers
of their own beside them. pyplot is never imported: it costs half a second.
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

from bench.statistics.families import Verdict

INK = "#010203"  # becomes currentColor
FAINT = "#010204"  # the same at a third of its strength

BLUE, ORANGE, GREEN, VERMILLION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, GREY = "#cc79a7", "#56b4e9", "#858585"

PX = 1 / 96
"""Inches in a CSS pixel."""

WIDTH = 640
"""Of every figure, in CSS pixels: readable on a phone, not too large on a desk."""

FONT = 9.0  # pt, 12 px


@dataclass(frozen=True)
class Style:
    """How one arm or verdict is drawn; `hollow` markers are not filled."""

    color: str
    marker: str
    hollow: bool = False

    @property
    def face(self) -> str:
        return "none" if self.hollow else self.color


_ARMS = {
    "float": Style(GREY, "o"),
    "float+k": Style(GREY, "o", hollow=True),
    "ptq": Style(BLUE, "s"),
    "ptq+k": Style(BLUE, "s", hollow=True),
    "qat": Style(VERMILLION, "D"),
    "qat-cal": Style(VERMILLION, "D", hollow=True),
}
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
        return [f"{tick:g}".replace("-", "\N{MINUS SIGN}") for tick in self.ticks]


def _round_ticks(low: float, high: float, most: int = 7) -> tuple[float, ...]:
    span = max(high - low, 1e-12)
    raw = span / most
    step = 10 ** np.floor(np.log10(raw))
    step *= next(factor for factor in (1, 2, 5, 10) if factor * step >= raw)
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return tuple(float(f"{k * step:.10g}") for k in np.arange(first, last + 1))


def difference_scale(low: float, high: float, delta: float | None) -> Scale:
    """Linear where all differences are of one size; else stretched around 0 (asinh)."""
    reach = max(abs(low), abs(high), 1e-12)
    if delta is None or reach <= 12 * delta:
        return Scale(np.asarray, _round_ticks(low, high))
    width = 2 * delta
    steps = [m * 10**e for e in range(-6, 9) for m in (1, 2, 5)]
    near = [step for step in steps if delta * 0.99 <= step <= reach]
    keep: list[float] = []
    for step in near:
        if (
            not keep
            or np.arcsinh(step / width) - np.arcsinh(keep[-1] / width)
            > 0.085 * np.arcsinh(reach / width) * 2
        ):
            keep.append(step)
    ticks = (*(-step for step in reversed(keep)), 0.0, *keep)
    inside = tuple(float(f"{tick:.10g}") for tick in ticks if low <= tick <= high)
    return Scale(
        lambda x: np.arcsinh(np.asarray(x) / width),
        inside,
        f"near 0 the scale is stretched, so that differences of {delta:g} and of "
        f"{reach:.0f} can be seen together",
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
        "font.family": ["DejaVu Sans"],
        "font.size": FONT,
        "text.color": INK,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.linewidth": 0.8,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "path.simplify": False,
    }


def draw(
    name: str,
    height: float,
    paint: Callable[[Canvas], None],
    width: float = WIDTH,
) -> str:
    """The SVG of a figure. name: prefix of all ids in it; height, width: CSS pixels; paint: draws.

    Deterministic: no date, ids from the name alone.
    """
    with mpl.rc_context({**_settings(), "svg.hashsalt": name}):
        canvas = Canvas(figsize=(width * PX, height * PX), dpi=96)
        FigureCanvasSVG(canvas)
        paint(canvas)
        out = io.StringIO()
        canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return _clean(out.getvalue(), name)


def axes(canvas: Canvas, left: float, top: float, right: float, bottom: float) -> Axes:
    """Axes with margins in CSS pixels (laying out by measuring text costs a tenth of a second)."""
    width, height = canvas.get_size_inches() / PX
    box = (
        left / width,
        bottom / height,
        (width - left - right) / width,
        (height - top - bottom) / height,
    )
    return canvas.add_axes(box)


def key(canvas: Canvas, entries: Sequence[tuple[str, Style]], top: float = 14) -> None:
    """A legend in rows at the top, `top` pixels from the edge to its first row's middle."""
    width, height = canvas.get_size_inches() / PX
    x, y = 12.0, top
    for text, style in entries:
        advance = 30 + 6.9 * len(text)
        if x + advance > width and x > 12:
            x, y = 12.0, y + 18
        canvas.lines.append(
            mpl.lines.Line2D(
                [x / width],
                [1 - y / height],
                marker=style.marker,
                color=style.color,
                markerfacecolor=style.face,
                markersize=5,
                linestyle="none",
                transform=canvas.transFigure,
                figure=canvas,
            )
        )
        canvas.text((x + 9) / width, 1 - y / height, text, va="center", ha="left")
        x += advance


def key_height(entries: Sequence[tuple[str, Style]], width: float = WIDTH) -> float:
    """Pixels that `key` takes."""
    x, rows = 12.0, 1
    for text, _ in entries:
        advance = 30 + 6.9 * len(text)
        if x + advance > width and x > 12:
            x, rows = 12.0, rows + 1
        x += advance
    return 10 + 18 * rows


_FONTS = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', "
    "'DejaVu Sans', Arial, sans-serif"
)


def _clean(svg: str, name: str) -> str:
    """Only what is needed: no prolog and metadata, colours that follow the page, unique ids."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.S)
    used = set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg))
    svg = re.sub(
        r' id="([^"]+)"',
        lambda m: f' id="{name}-{m.group(1)}"' if m.group(1) in used else "",
        svg,
    )
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = svg.replace(INK, "currentColor").replace(FAINT, "currentColor; opacity: 0.3")
    svg = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px", svg)
    svg = re.sub(r"<svg[^>]*?viewBox=\"([^\"]+)\"[^>]*>", _opening, svg, count=1)
    return svg.strip() + "\n"


def _opening(match: re.Match[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{match.group(1)}" font-family="{_FONTS}">'
    )


def standalone(svg: str, alt: str) -> str:
    """The figure as a file of its own, on its own ground, light or dark as the reader's system."""
    style = (
        "<style>svg{color:#1f2328;background:#fff}"
        "@media (prefers-color-scheme:dark){svg{color:#d9dde2;background:#14171b}}</style>"
    )
    title = f"<title>{_escape(alt)}</title>"
    at = svg.index(">") + 1
    box = re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', svg)
    assert box is not None
    width, height = (float(size) * 4 / 3 for size in box.groups())
    opening = svg[: at - 1] + f' width="{width:.0f}" height="{height:.0f}" role="img">'
    return opening + title + style + svg[at:]


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
