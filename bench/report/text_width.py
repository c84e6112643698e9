"""How wide a text will be: SVG has no line breaks, and the reader's font is not known here."""

from bench.report.svg import FONT

_EM = FONT * 96 / 72
_WIDTHS = {
    **dict.fromkeys(" .,:;'|!/ijlI()[]\N{NO-BREAK SPACE}", 0.39),
    **dict.fromkeys("frt-", 0.43),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ", 0.71),
    **dict.fromkeys("mwMW+=<>%@\N{MINUS SIGN}\N{PLUS-MINUS SIGN}\N{HORIZONTAL ELLIPSIS}", 0.95),
}
"""Of DejaVu Sans, the widest of the fonts that a figure asks for, in em; all others: 0.64."""


def text_width(text: str) -> float:
    """About the CSS pixels that a text of FONT takes at most."""
    return _EM * sum(_WIDTHS.get(character, 0.64) for character in text)


def shortened(text: str, pixels: float) -> str:
    """The text, or as much of its two ends as fits; of `a - b` both sides keep their ends, and of
    `a 1, b 2` each part its own end, which tells rows apart."""
    if text_width(text) <= pixels:
        return text
    each = text_width(text) / len(text)
    most = max(int(pixels / each), 3)
    if len(text) <= most:
        return text
    first, minus, second = text.partition(" - ")
    if minus and most > 12:
        half = (most - 3) // 2
        room = max(half, most - 3 - len(second))  # what a short second side leaves
        first = _cut(first, room)
        return f"{first} - {_cut(second, most - 3 - len(first))}"
    parts = text.split(", ")
    if not minus and len(parts) > 1:
        for fewer in range(most, _FEWEST * len(parts) - 1, -1):
            made = ", ".join(_ends_of(parts, fewer - 2 * (len(parts) - 1)))
            if text_width(made) <= pixels:
                return made
    return _cut(text, most)


_FEWEST = 8
"""Characters that each part of a setting keeps at least."""


def _ends_of(parts: list[str], most: int) -> list[str]:
    """The parts, those that are too long for so many characters together without their heads."""
    room, left = 0, most
    for n, length in enumerate(sorted(map(len, parts))):
        room = left // (len(parts) - n)
        if length > room:
            break
        left -= length
    return [p if len(p) <= room else f"\N{HORIZONTAL ELLIPSIS}{p[1 - room :]}" for p in parts]


def _cut(text: str, most: int) -> str:
    """At most so many characters of it, from both ends."""
    if len(text) <= most:
        return text
    most = max(most, 3)
    head = (most - 1) // 2
    return f"{text[:head]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - (most - 1 - head) :]}"
