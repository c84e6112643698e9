"""One task of somebody's own pipeline: its start and the arms that fork from it, or one command.

Nothing here imports TensorFlow: their code does, or does not. Knows no Ray.
"""

import copy
import inspect
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.datasets import Dataset
from bench.errors import InputError
from bench.pipelines import command, returned, seeded
from bench.pipelines.blame import explained
from bench.pipelines.returned import Answer
from bench.plan.cells import Cell
from bench.plan.trajectories import Fork, Segment
from bench.plugins import Own, blamed, whole
from bench.store.schema import FILE, LOG
from bench.study import own_pipeline

Row = dict[str, Any]


def prepare() -> None:
    """Call before somebody's code: one thread, so that sums have one order."""
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")


@dataclass(frozen=True)
class Done:
    """What an arm gave, and the seconds that it took; log: of a command, what it printed."""

    answer: Answer
    seconds: float
    log: str | None = None


def run_fork(data: Dataset, segment: Segment, fork: Fork, checkpoint: None = None) -> Iterator[Row]:
    """Run the arms of a seed and budget: a row for each cell, as soon as it is there.

    A cell that fails gets a row that says so; it takes no other cell with it. Where fork.twice the
    arms run in reverse order too. Raises InputError then for what no seed will mend: an arm that
    returns what cannot be read, results that are unequal, or no result at all.
    """
    own = own_of(segment)
    if fork.cells[0].recipe.pipeline == "command":
        (cell,) = fork.cells
        yield _of_command(own, data, cell)
        return
    started = time.perf_counter()
    try:
        task = Task(own, data, fork)
    except Exception as error:
        if fork.twice:
            with blamed(own, "start()"):
                raise
        yield from (cell.failure("failed", explained(error)) for cell in fork.cells)
        return
    spent = time.perf_counter() - started  # of the first cell: the others share it
    done: dict[str, Done] = {}
    last: Exception | None = None
    for cell in fork.cells:
        try:
            done[cell.id] = task.run(cell)
            yield _row(own, data, cell, done[cell.id], spent)
            spent = 0.0
        except InputError as error:
            if fork.twice:
                raise
            yield cell.failure("failed", str(error))
        except Exception as error:
            last = error
            yield cell.failure("failed", explained(error))
    if fork.twice and not done and last is not None:
        with blamed(own, "every arm"):
            raise last
    if fork.twice:
        check_order(task, [cell for cell in fork.cells if cell.id in done], done)


def check_order(task: "Task", cells: Sequence[Cell], done: dict[str, Done]) -> None:
    """Run the arms again in reverse order. Raises InputError where one gives something else."""
    for cell in reversed(cells):
        unlike = done[cell.id].answer.differs(task.run(cell).answer)
        if unlike:
            raise InputError(
                task.where(cell),
                f"gives something else when the arms run in reverse order (seed {cell.seed}): "
                f"{unlike}",
                "allowed: arms that depend on seed and start alone: seed what draws numbers, and "
                "change nothing that arms share",
            )


class Task:
    """The arms of one seed and budget, which fork from one start. Raises what start raises."""

    def __init__(self, own: Own, data: Dataset, fork: Fork) -> None:
        (first, *_) = fork.cells
        self._own, self._data, self._recipe = own, data, fork.recipe
        self._cell = first
        self._arms = own_pipeline.arms_of(own)
        self.has_start = "start" in own.names
        self.copies = True
        self.started: Any = None
        self._begin()

    def _begin(self) -> None:
        seeded.seed(self._cell.seed)
        if self.has_start:
            given = self._given(self._cell, dict(self._recipe.levels))
            self.started = self._own.call(self._own.module.start, **_asked(
                self._own.module.start, given))  # fmt: skip
        self._set_back = seeded.kept(self._cell.seed)

    def _given(self, cell: Cell, levels: dict[str, Any]) -> dict[str, Any]:
        given = {"seed": cell.seed, "budget": cell.budget, "dataset": cell.dataset, **levels}
        if own_pipeline.DATA in self._own.names:
            d = self._data
            given[own_pipeline.DATA] = (d.x_train, d.y_train), (d.x_test, d.y_test)
        return given

    def run(self, cell: Cell) -> Done:
        """What an arm returns, from a copy of what start left. Raises what it raises, InputError
        for what cannot be read."""
        function = self._arms[cell.arm]
        given = self._given(cell, dict(cell.recipe.levels))
        given |= {"arm": cell.arm, **({} if cell.extra is None else {"extra": cell.extra})}
        first = [self._copied()] if self.has_start else []
        self._set_back()
        started = time.perf_counter()
        value = self._own.call(function, *first, **_asked(function, given, len(first)))
        seconds = time.perf_counter() - started
        n = len(self._data.y_test) or None
        folder = Path(self._own.run_in)
        return Done(returned.read(value, self.where(cell), folder, n), seconds)

    def _copied(self) -> Any:
        """A deep copy of what start returned; where that is not possible, start runs again."""
        if self.copies:
            try:
                return copy.deepcopy(self.started)
            except Exception:  # whatever a foreign object raises that cannot be copied
                self.copies = False
                return self.started  # which no arm has had yet
        self._begin()
        return self.started

    def where(self, cell: Cell) -> str:
        """The function, for messages."""
        return where(self._own, cell.arm)


def where(own: Own, arm: str) -> str:
    """An arm's function, for messages."""
    name = f"{own_pipeline.PREFIX}{arm}"
    return f"{own.name}, {name}()" if name in own.names else f"{own.name}, arms[{arm!r}]"


def _asked(function: Callable[..., Any], given: dict[str, Any], behind: int = 0) -> dict[str, Any]:
    """Of what is given, what a function asks for behind so many parameters."""
    names = list(inspect.signature(function).parameters)[behind:]
    return {name: given[name] for name in names if name in given}


def own_of(segment: Segment) -> Own:
    return whole.get(segment.model)


def judged(own: Own, data: Dataset, cell: Cell, done: Done) -> Row:
    """The columns of a row that say what an arm's answer is worth. Raises InputError."""
    place, objective = where(own, cell.arm), cell.recipe.objective
    return returned.row(done.answer, place, data, objective, cell.seed, cell.budget)


def _row(own: Own, data: Dataset, cell: Cell, done: Done, spent: float) -> Row:
    started = time.perf_counter()
    found = judged(own, data, cell, done)
    row = {
        **cell.columns,
        **found,
        "train_s": spent + done.seconds,
        "convert_s": 0.0,
        "eval_s": time.perf_counter() - started,
        "finished_at": datetime.now(UTC),
    }
    if done.answer.kind == "file":
        row |= {FILE: done.answer.value}
    return row if done.log is None else row | {LOG: done.log}


def _of_command(own: Own, data: Dataset, cell: Cell) -> Row:
    try:
        done = run_command(own, data, cell)
        return _row(own, data, cell, done, 0.0)
    except command.Failed as failed:
        return cell.failure("failed", str(failed)) | {LOG: failed.log}
    except InputError as error:
        return cell.failure("failed", str(error))


def run_command(own: Own, data: Dataset, cell: Cell) -> Done:
    """What the command of a cell left. Raises command.Failed, InputError."""
    words, _ = own_pipeline.command_of(own)
    given = {"seed": cell.seed, "budget": cell.budget, "dataset": cell.dataset, "arm": cell.arm}
    given |= {"extra": cell.extra, **dict(cell.recipe.levels)}
    started = time.perf_counter()
    value, log = command.run(own, words, given)
    seconds = time.perf_counter() - started
    n = len(data.y_test) or None
    try:
        answer = returned.read(value.content, f"{own.name}, command, {value.file}", Path(), n)
        return Done(answer, seconds, log)
    except InputError as error:
        raise command.Failed(str(error), log) from None
