"""What a data set may take at most: whatever a file claims, reading it ends in bounded memory."""

import contextlib
import os
from pathlib import Path

from bench.errors import InputError

MOST_PIXELS = 1 << 24
"""Of one image, 4096 x 4096: read in its header, before anything is decoded."""

MOST_BLOB = 64 << 20
"""Bytes of one encoded example."""

MOST_CLASSES = 1 << 16
"""What a prediction of two bytes can name."""

ROW_BYTES = 200
"""What an example takes beside its pixels: label, group, file name."""

_CGROUP = Path("/sys/fs/cgroup/memory.max")


def affordable() -> int:
    """Bytes that a data set may take: a quarter of this machine's (or container's) memory. The
    arrays are there twice, here and in Ray's object store, and the workers need the rest."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        memory = min(memory, int(_CGROUP.read_text()))
    return memory // 4


def check_size(where: str, examples: int, each: int, what: str) -> None:
    """Raises InputError naming `where` if so many examples of `each` bytes do not fit."""
    needed, most = examples * (each + ROW_BYTES), affordable()
    if needed > most:
        raise InputError(
            where,
            f"{examples:,} examples of {what} take {needed / 1e9:.1f} GB",
            f"allowed: data that fit into a quarter of the memory, here {most / 1e9:.1f} GB; "
            "larger data cannot be streamed",
        )
