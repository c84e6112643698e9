"""A pipeline in a process of its own: what crashes there has a signal, and ends no worker.

A worker works in its own process; when that has died, the tries that follow work here. The process
imports TensorFlow anew, which is why nothing starts here.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from bench.datasets import Dataset
from bench.pipelines.blame import explained
from bench.plan.trajectories import Fork, Segment
from bench.runner import temporary
from bench.runner.pipeline import Pipeline
from bench.study.resources import duration

CRASHES = frozenset(
    getattr(signal, name)
    for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP")
    if hasattr(signal, name)
)
"""Signals that a program brings upon itself: the same work would end the same way."""


_SEVERAL = {"run_fork"}
"""Functions that give several results, one after another; the others give one."""

_END = ("end", None)

_NOTHING = ""
"""Asked of a process that is to be ready for more."""


class Crash(Exception):
    """A process ended in the middle of its work. by_itself: by a signal that the same work would
    bring about again."""

    def __init__(self, how: str, by_itself: bool) -> None:
        super().__init__(how, by_itself)
        self.by_itself = by_itself

    def __str__(self) -> str:
        return str(self.args[0])


class TookTooLong(Crash):
    """A process was ended after its time."""


class WorkFailed(Exception):
    """An error of a pipeline's function, in a line: its traceback goes through no pipe."""


class Isolated:
    """The functions of a pipeline module, each call in a process that is started where there is
    none, with these variables in its environment beside this one's. They raise WorkFailed where the
    module's raise something, and Crash; where one takes longer than `limit` seconds, TookTooLong.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        environment: Mapping[str, str] | None = None,
        limit: float | None = None,
    ) -> None:
        self._pipeline, self._environment = pipeline, environment or {}
        self._limit = limit
        self._child: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> "Isolated":
        # What is killed cannot remove its temporary files.
        folder = self._stack.enter_context(temporary.folder(for_ray=False))
        self._environment = {**self._environment, "TMPDIR": str(folder)}
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.kill()
            self._ended()
        self._stack.close()

    def start(self) -> None:
        """Have its process ready. Raises Crash."""
        for _ in self._results(_NOTHING):
            pass

    def run_segment(self, data: Dataset, segment: Segment, before: Any) -> Any:
        (after,) = self._results("run_segment", data, segment, before)
        return after

    def run_fork(
        self, data: Dataset, segment: Segment, fork: Fork, checkpoint: Any
    ) -> Iterator[dict[str, Any]]:
        """Rows of the fork's cells. Where its process crashes, the row of the cell that was next
        names the signal, and the others go on in another process."""
        left = sorted(fork.cells, key=lambda cell: cell.extra or 0)
        while left:
            these = replace(fork, cells=tuple(left))
            try:
                for row in self._results("run_fork", data, segment, these, checkpoint):
                    left = [cell for cell in left if cell.id != row["cell"]]
                    yield row
                return
            except Crash as crash:
                yield left.pop(0).failure("failed", f"crashed: {crash}")

    def probe(self, data: Dataset, segment: Segment, fork: Fork) -> dict[str, Any]:
        found: dict[str, Any]
        (found,) = self._results("probe", data, segment, fork)
        return found

    def ask(self, function: str, *arguments: Any) -> Any:
        """What another function of the module returns."""
        (found,) = self._results(function, *arguments)
        return found

    def _results(self, function: str, *arguments: Any) -> Iterator[Any]:
        """What the function gives, one after another."""
        child = self._child = self._child or _started(self._pipeline, self._environment)
        assert child.stdin is not None
        assert child.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(self._limit or 0.0, end)
        timer.daemon = True
        if self._limit is not None:
            timer.start()
        try:
            pickle.dump((function, arguments), child.stdin)
            child.stdin.flush()
            while (answer := pickle.load(child.stdout)) != _END:
                kind, content = answer
                if kind == "failed":
                    raise WorkFailed(content)
                yield content
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            code = self._ended()
            if late.is_set():
                said = f"it did not end within {duration(self._limit or 0.0)}"
                raise TookTooLong(said, by_itself=False) from None
            raise _crash(code) from None
        finally:
            timer.cancel()

    def _ended(self) -> int:
        """Forget the process. Returns its exit status, as Popen gives it."""
        child, self._child = self._child, None
        assert child is not None
        with suppress(BrokenPipeError), child:  # closes its pipes and waits
            pass
        return child.returncode


def _crash(code: int) -> Crash:
    if code >= 0:
        return Crash(f"exit code {code}", by_itself=False)  # it may be this machine's fault
    number = signal.Signals(-code)
    return Crash(number.name, number in CRASHES)


def _started(pipeline: Pipeline, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # This package first: the folder where the command was given may hold another.
    path = [str(Path(__file__).parents[2]), *filter(None, sys.path)]
    child = subprocess.Popen(
        [sys.executable, "-c", f"from {__name__} import main; main()"],
        env=os.environ | environment | {"PYTHONPATH": os.pathsep.join(path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdin is not None
    pickle.dump(pipeline, child.stdin)
    return child


def _requests(file: BinaryIO) -> Iterator[tuple[str, Sequence[Any]]]:
    while True:
        try:
            yield pickle.load(file)
        except EOFError:
            return


def main() -> None:
    """Answer requests from standard input, a pipeline first, on standard output until it closes."""
    _die_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print is no answer
    pipeline: Pipeline = pickle.load(sys.stdin.buffer)
    body = pipeline.prepared()
    for function, arguments in _requests(sys.stdin.buffer):
        try:
            if function != _NOTHING:
                found = getattr(body, function)(*arguments)
                for each in found if function in _SEVERAL else (found,):
                    _answer(answers, ("found", each))
            _answer(answers, _END)
        except Exception as error:
            _answer(answers, ("failed", explained(error)))


def _answer(file: BinaryIO, answer: tuple[str, Any]) -> None:
    file.write(pickle.dumps(answer))
    file.flush()


def _die_with_parent() -> None:
    import ctypes

    if sys.platform == "linux":
        set_signal_at_parents_death = 1
        ctypes.CDLL(None).prctl(set_signal_at_parents_death, int(signal.SIGKILL))
