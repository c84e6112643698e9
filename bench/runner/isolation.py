"""A pipeline in a process of its own: what crashes there has a signal, and ends no worker.

A worker works in its own process; when that has died, the tries that follow work here. The process
imports TensorFlow anew, which is why nothing starts here.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, BinaryIO

from bench.datasets import Dataset
from bench.pipelines.blame import explained
from bench.plan.trajectories import Fork, Segment

CRASHES = frozenset(
    getattr(signal, name)
    for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP")
    if hasattr(signal, name)
)
"""Signals that a program brings upon itself: the same work would end the same way."""


class Crash(Exception):
    """A process ended in the middle of its work. by_itself: not because somebody killed it."""

    def __init__(self, how: str, by_itself: bool) -> None:
        super().__init__(how, by_itself)
        self.by_itself = by_itself

    def __str__(self) -> str:
        return str(self.args[0])


class WorkFailed(Exception):
    """An error of a pipeline's function, in a line: its traceback goes through no pipe."""


class Isolated:
    """The functions of a pipeline module, each call in a process that is started where there is
    none. They raise WorkFailed where the module's raise something, and Crash."""

    def __init__(self, pipeline: str) -> None:
        self._pipeline = pipeline
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Isolated":
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.kill()
            self._ended()

    def run_segment(self, data: Dataset, segment: Segment, before: Any) -> Any:
        return self._call("run_segment", data, segment, before)

    def run_fork(
        self, data: Dataset, segment: Segment, fork: Fork, checkpoint: Any
    ) -> list[dict[str, Any]]:
        """Rows of the fork's cells; where its process crashes, each cell is tried by itself, and
        the row of one that crashes again names the signal."""
        try:
            rows: list[dict[str, Any]] = self._call("run_fork", data, segment, fork, checkpoint)
        except Crash as crash:
            if len(fork.cells) == 1:
                return [fork.cells[0].failure("failed", f"crashed: {crash}")]
            return [
                row
                for cell in fork.cells
                for row in self.run_fork(data, segment, replace(fork, cells=(cell,)), checkpoint)
            ]
        return rows

    def probe(self, data: Dataset, segment: Segment, fork: Fork) -> dict[str, Any]:
        return self._call("probe", data, segment, fork)  # type: ignore[no-any-return]

    def _call(self, function: str, *arguments: Any) -> Any:
        child = self._child = self._child or _started(self._pipeline)
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            pickle.dump((function, arguments), child.stdin)
            child.stdin.flush()
            error, result = pickle.load(child.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            raise _crash(self._ended()) from None
        if error is not None:
            raise WorkFailed(error)
        return result

    def _ended(self) -> int:
        """Forget the process. Returns its exit status, as Popen gives it."""
        child, self._child = self._child, None
        assert child is not None
        with child:  # closes its pipes and waits
            pass
        return child.returncode


def _crash(code: int) -> Crash:
    if code >= 0:
        return Crash(f"exit code {code}", by_itself=True)
    number = signal.Signals(-code)
    return Crash(number.name, number in CRASHES)


def _started(pipeline: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", f"from {__name__} import main; main({pipeline!r})"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _requests(file: BinaryIO) -> Iterator[tuple[str, Sequence[Any]]]:
    while True:
        try:
            yield pickle.load(file)
        except EOFError:
            return


def main(pipeline: str) -> None:
    """Answer requests from standard input on standard output until it closes."""
    _die_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print is no answer
    body = import_module(pipeline)
    body.prepare()
    for function, arguments in _requests(sys.stdin.buffer):
        try:
            answer: tuple[str | None, Any] = None, getattr(body, function)(*arguments)
        except Exception as error:
            answer = explained(error), None
        answers.write(pickle.dumps(answer))
        answers.flush()


def _die_with_parent() -> None:
    import ctypes

    if sys.platform == "linux":
        set_signal_at_parents_death = 1
        ctypes.CDLL(None).prctl(set_signal_at_parents_death, int(signal.SIGKILL))
