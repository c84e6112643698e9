"""What is known of a file before it is read."""

from dataclasses import dataclass

LARGEST = 512 << 20
"""Bytes. No file of a run comes near; a larger one is refused before it fills the memory."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file. name: relative to the folder, with /; size: bytes; modified: nanoseconds."""

    name: str
    size: int
    modified: int
