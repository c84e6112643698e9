"""The processes that this one has started, and theirs, from /proc; empty where there is none."""

import os
import signal
import time
from collections.abc import Callable
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


def started_with(variable: str, value: str) -> set[Process]:
    """Other processes of this user that have this in their environment, whoever is their parent."""
    entry = f"{variable}={value}".encode()
    found = set()
    for pid, (_, started) in _all().items():
        with suppress(OSError):  # another user's, or it has ended meanwhile
            if pid != os.getpid() and entry in (PROC / str(pid) / "environ").read_bytes():
                found.add((pid, started))
    return found


def end(those: Callable[[], set[Process]], patience_s: float) -> None:
    """Wait until there are none of these; kill what there is after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while (left := those()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid, _ in left:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


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
