"""The processes that this one has started, and theirs, from /proc; empty where there is none."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")

Process = tuple[int, str]
"""A process id and when it started, in clock ticks: the id alone is given again one day."""


def descendants() -> set[Process]:
    """Children of this process, their children and so on."""
    found = _all()
    mine = {os.getpid()}
    while more := {pid for pid, (parent, _) in found.items() if parent in mine} - mine:
        mine |= more
    return {(pid, found[pid][1]) for pid in mine - {os.getpid()}}


def end(those: set[Process], patience_s: float) -> None:
    """Wait until these have ended; kill what has not after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while (left := those & _living()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid, _ in left:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _living() -> set[Process]:
    return {(pid, started) for pid, (_, started) in _all().items()}


def _all() -> dict[int, tuple[int, str]]:
    """Process id -> its parent's id and when it started; without those that have ended."""
    found = {}
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                # The name, in parentheses, may hold anything.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] not in "ZX":
                    found[int(entry.name)] = (int(fields[1]), fields[19])
    return found
