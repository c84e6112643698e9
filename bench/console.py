"""Text for a terminal: names from a file or a table never control it."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console as _Console
from rich.segment import Segment

if TYPE_CHECKING:
    _Base = Any
else:
    _Base = _Console

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def visible(text: str) -> str:
    """The text with a sign for every control character but tab and newline, and for what XML does
    not allow."""
    return _CONTROLS.sub(_picture, text)


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"


class Console(_Base):
    """A console of rich's on which the text that is printed controls nothing."""

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        # What rich itself sends to move the cursor is marked as such.
        kept = (
            each if each.control else Segment(visible(each.text), each.style) for each in buffer
        )
        return str(super()._render_buffer(kept))
