"""A program of somebody's own, run for one cell: its words, its output, what it leaves.

No shell reads the words. It runs in a folder that holds what travels with the user's file, and
leaves its result in a folder of its own.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import InputError
from bench.plugins import Own, running

LEFT = ("predictions.npy", "scores.npy", "model.tflite", "metrics.json")
"""What a program may leave, one of them."""

LONGEST_LOG = 256 << 10
"""Bytes of a log that are kept, of its end."""

LAST_LINES = 3
"""Of the log, that stand in a row's error."""

LARGEST = 1 << 30
"""Bytes of a result that is read."""


class Failed(Exception):
    """A program that gave no result. log: what it printed."""

    def __init__(self, said: str, log: str) -> None:
        super().__init__(said, log)
        self.log = log

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, eq=False)
class Left:
    """file: what it is called; content: as returned.read takes it."""

    file: str
    content: Any


_folders: dict[str, "tempfile.TemporaryDirectory[str]"] = {}


def run(own: Own, words: Sequence[str], given: Mapping[str, Any]) -> tuple[Left, str]:
    """Run the command for one cell. given: what its braces stand for, beside `out` and `python`.

    Returns what it left, and what it printed. Raises Failed; InputError where there is no such
    program.
    """
    out = tempfile.mkdtemp(prefix="own-out-")
    try:
        shown = {**given, "out": out, "python": sys.executable}
        spoken = [word.format_map(shown) for word in words]
        with tempfile.TemporaryFile() as printed:
            code = _ended(own, spoken, printed)
            log = _end_of(printed)
        if code:
            raise Failed(f"{_how(code)}{_last(log)}", log)
        return _left(own, Path(out), log), log
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _ended(own: Own, words: Sequence[str], printed: Any) -> int:
    """Run a program to its end. Returns its exit status, as Popen gives it."""
    try:
        child = subprocess.Popen(
            words,
            cwd=_folder(own),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"{own.name}, command",
            f"{words[0]!r} cannot be run on node {os.uname().nodename} "
            f"({getattr(error, 'strerror', None) or error})",
            "allowed: a program that every node has; {python} is this environment's Python",
        ) from None
    try:
        return child.wait()
    finally:
        with suppress(ProcessLookupError):  # what it has started and left
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _folder(own: Own) -> str:
    """One in this process, with all that travels."""
    if own.content not in _folders:
        folder = tempfile.TemporaryDirectory(prefix="own-")
        running.unpacked(own, Path(folder.name))
        _folders[own.content] = folder
    return _folders[own.content].name


_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """In the child: end when this process does, however that ends."""
    set_signal_at_parents_death = 1
    if _libc is not None:
        _libc.prctl(set_signal_at_parents_death, int(signal.SIGKILL))


def _end_of(printed: Any) -> str:
    size = printed.seek(0, os.SEEK_END)
    printed.seek(max(0, size - LONGEST_LOG))
    text: str = printed.read().decode("utf-8", "replace")
    if size > LONGEST_LOG:
        text = f"[{size - LONGEST_LOG:,} bytes before this were not kept]\n{text}"
    return text


def _how(code: int) -> str:
    if code > 0:
        return f"exit code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"


def _last(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()][-LAST_LINES:]
    return f": {' / '.join(lines)}"[:400] if lines else ", and it printed nothing"


def _left(own: Own, out: Path, log: str) -> Left:
    there = [name for name in LEFT if (out / name).is_file()]
    if len(there) != 1:
        others = sorted(path.name for path in out.iterdir() if path.name not in LEFT)[:5]
        beside = f", beside {', '.join(others)}" if others and there else ""
        found = ", ".join(there) or ", ".join(others) or "nothing"
        raise Failed(
            f"{own.name}, command: it left {found}{beside} in {{out}}; allowed: one of "
            f"{', '.join(LEFT)}",
            log,
        )
    (name,) = there
    path = out / name
    if path.stat().st_size > LARGEST:
        raise Failed(f"{own.name}, command: {name} has {path.stat().st_size:,} bytes", log)
    try:
        if name.endswith(".npy"):
            return Left(name, np.load(path, allow_pickle=False))
        if name.endswith(".json"):
            found = json.loads(path.read_text("utf-8"))
            if not isinstance(found, dict):
                raise ValueError("no object of names and numbers")
            return Left(name, found)
    except (OSError, ValueError, EOFError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise Failed(f"{own.name}, command: {name} cannot be read ({said})", log) from None
    return Left(name, path.read_bytes())
