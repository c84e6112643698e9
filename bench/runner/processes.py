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


_AGENTS = {b"ray::DashboardAgent", b"ray::RuntimeEnvAgent"}

_LONGEST_S = 10.0
"""That is waited for killed processes."""


def descendants() -> set[Process]:
    """Children of this process, their children and so on."""
    found = _all()
    mine = {os.getpid()}
    while more := {pid for pid, (parent, _) in found.items() if parent in mine} - mine:
        mine |= more
    return {(pid, found[pid][1]) for pid in mine - {os.getpid()}}


def using(folder: Path) -> set[Process]:
    """Other processes of this user that have a file below this folder open, or its path in their
    environment, whoever is their parent. (Who gives itself a title may overwrite the latter.)"""
    path = os.fsencode(folder)
    found = set()
    for pid, (_, started) in _all().items():
        with suppress(OSError):  # another user's, or it has ended meanwhile
            about = PROC / str(pid)
            if pid != os.getpid() and (
                path in (about / "environ").read_bytes()
                or any(_target(entry).startswith(path + b"/") for entry in (about / "fd").iterdir())
            ):
                found.add((pid, started))
    return found


def state(pid: int) -> str | None:
    """The letter by which /proc names what a process does (T: stopped); None if there is none."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def is_worker(pid: int) -> bool:
    """Is it a worker of Ray's? A node's agents, whose end is the node's, are none."""
    try:
        title = (PROC / str(pid) / "cmdline").read_bytes().strip(b"\0")
    except OSError:
        return False
    return title.startswith(b"ray::") and title not in _AGENTS


def _target(link: Path) -> bytes:
    try:
        return os.readlink(os.fsencode(link))
    except OSError:
        return b""


def end(those: Callable[[], set[Process]], patience_s: float) -> None:
    """Wait until there are none of these. After `patience_s` they are killed, and those that come
    meanwhile; a killed process may still take a moment to give its memory back."""
    started = time.monotonic()
    while (left := those()) and (waited := time.monotonic() - started) < patience_s + _LONGEST_S:
        for pid, _ in left if waited > patience_s else ():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


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
