"""Text for a terminal: names from a file or a table never control it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console as _Console
from rich.segment import Segment

if TYPE_CHECKING:
    _Base = Any
else:
    _Base = _Console

_KEPT = "\t\n"
_PICTURES = {
    code: chr(0x2400 + code) if code < 0x20 else "\N{SYMBOL FOR DELETE}" if code == 0x7F else "�"
    for code in (*range(0x20), *range(0x7F, 0xA0))
    if chr(code) not in _KEPT
}
_NO_XML = dict.fromkeys((*range(55296, 57344), 65534, 65535), "�")


def visible(text: str) -> str:
    """The text with a sign for every control character but tab and newline, and for what XML does
    not allow."""
    return text.translate(_PICTURES | _NO_XML)


class Console(_Base):
    """A console of rich's on which the text that is printed controls nothing."""

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        # What rich itself sends to move the cursor is marked as such.
        kept = (
            each if each.control else Segment(visible(each.text), each.style) for each in buffer
        )
        return str(super()._render_buffer(kept))
