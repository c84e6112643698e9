"""What matplotlib's SVG becomes: small, coloured by the page, readable on its own."""

import re

from bench.console import visible

INK = "#010203"  # becomes currentColor
GROUND = "#fdfcfb"  # becomes the page's ground, for markers that hide the line behind them
BLUE = "#0072b2"

FONT = 9.3  # pt, 12.4 px

_FONTS = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', "
    "'DejaVu Sans', Arial, sans-serif"
)


def clean(svg: str, name: str) -> str:
    """Only what is needed: no prolog and metadata, colours that follow the page, unique ids."""
    svg = visible(svg[svg.index("<svg") :])
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.S)
    # matplotlib's style for `*` would hold for the whole page that the figure stands in.
    svg = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>\s*", "", svg, flags=re.S)
    used = set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg))
    svg = re.sub(
        r' id="([^"]+)"',
        lambda m: f' id="{name}-{m.group(1)}"' if m.group(1) in used else "",
        svg,
    )
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = svg.replace(INK, "currentColor").replace(GROUND, "var(--ground, #fff)")
    svg = svg.replace(BLUE, f"var(--blue, {BLUE})")  # too dark for a dark page
    svg = re.sub(r"<svg[^>]*?viewBox=\"([^\"]+)\"[^>]*>", _opening, svg, count=1)
    return svg.strip() + "\n"


def _opening(match: re.Match[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{match.group(1)}" font-family="{_FONTS}" font-size="{FONT:g}">'
    )


def standalone(svg: str, alt: str) -> str:
    """The figure as a file of its own, on its own ground, light or dark as the reader's system."""
    style = (
        "<style>svg{--ground:#fff;--blue:#0072b2;color:#1f2328;background:var(--ground)}"
        "@media (prefers-color-scheme:dark){"
        "svg{--ground:#14171b;--blue:#4aa3df;color:#d9dde2}}</style>"
    )
    title = f"<title>{_escape(visible(alt))}</title>"
    at = svg.index(">") + 1
    box = re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', svg)
    assert box is not None
    width, height = (float(size) * 4 / 3 for size in box.groups())
    opening = svg[: at - 1] + f' width="{width:.0f}" height="{height:.0f}" role="img">'
    return opening + title + style + svg[at:]


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
