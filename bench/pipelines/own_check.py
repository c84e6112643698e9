"""Checks of somebody's own pipeline before hours are spent: what runs its code.

Asked one after another in one process, so that what ends the process names itself.
"""

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.datasets import Dataset
from bench.errors import InputError
from bench.pipelines import own as pipeline
from bench.pipelines.blame import explained
from bench.pipelines.data_checks import Check
from bench.plan.cells import Cell
from bench.plan.trajectories import Fork, Segment

START, ORDER, AGAIN = "start", "arms in reverse order", "one seed twice"

MEND = "mend it: no seed would give a result"


@dataclass
class _Seen:
    """What this process has seen: the task, what its arms gave, and the seconds that seeds took."""

    task: pipeline.Task | None = None
    done: dict[str, pipeline.Done] = field(default_factory=dict)
    seconds: float = 0.0


_seen = _Seen()


def prepare() -> None:
    pipeline.prepare()


def start(data: Dataset, segment: Segment, fork: Fork) -> Check:
    """Run start of one seed and budget."""
    began = time.perf_counter()
    try:
        _seen.task = pipeline.Task(pipeline.own_of(segment), data, fork)
    except Exception as error:
        return Check(START, False, explained(error), MEND)
    seconds = time.perf_counter() - began
    what = f"{type(_seen.task.started).__name__}, " if _seen.task.has_start else "none, "
    return Check(START, True, f"{what}{seconds:.2g} s")


def arm(data: Dataset, segment: Segment, cell: Cell) -> Check:
    """Run one arm, and judge what it returns."""
    what = f"arm {cell.arm}" + (f", extra {cell.extra}" if cell.extra else "")
    own = pipeline.own_of(segment)
    try:
        done = _run(data, segment, cell)
        row = pipeline.judged(own, data, cell, done)
    except InputError as error:
        return Check(what, False, f"{error.where}: {error.found}", _plain(error.allowed))
    except Exception as error:
        return Check(what, False, explained(error), MEND)
    _seen.done[cell.id] = done
    said = [done.answer.shown, *_measures(row), f"{done.seconds:.2g} s"]
    if row["status"] != "ok":
        return Check(what, False, ", ".join([*said, str(row["error"])]), "is it trained at all?")
    return Check(what, True, ", ".join(said))


def _run(data: Dataset, segment: Segment, cell: Cell) -> pipeline.Done:
    if cell.recipe.pipeline == "command":
        return pipeline.run_command(pipeline.own_of(segment), data, cell)
    assert _seen.task is not None
    return _seen.task.run(cell)


def _measures(row: dict[str, Any]) -> list[str]:
    found = [f"{name} {value:.4g}" for name, value in row["metrics"].items()]
    if row.get("number_format"):
        found.insert(0, f"{row['number_format']}")
    return found


def order(data: Dataset, segment: Segment, cells: Sequence[Cell]) -> Check:
    """Run the arms in reverse order: each must give the same."""
    assert _seen.task is not None
    try:
        pipeline.check_order(_seen.task, [c for c in cells if c.id in _seen.done], _seen.done)
    except InputError as error:
        return Check(ORDER, False, f"{error.where} {error.found}", _plain(error.allowed))
    except Exception as error:
        return Check(ORDER, False, explained(error), MEND)
    copied = "each from a copy of what start returned"
    if not _seen.task.copies:
        copied = "what start returned cannot be copied: it runs again for each arm"
    return Check(ORDER, True, f"equal, {copied}" if _seen.task.has_start else "equal")


def again(data: Dataset, segment: Segment, fork: Fork) -> Check:
    """Run the whole seed a second time: it must give the same. This time imports take none."""
    began = time.perf_counter()
    own = pipeline.own_of(segment)
    try:
        if fork.cells[0].recipe.pipeline != "command":
            _seen.task = pipeline.Task(own, data, fork)
        for cell in fork.cells:
            if cell.id in _seen.done:
                unlike = _seen.done[cell.id].answer.differs(_run(data, segment, cell).answer)
                if unlike:
                    found = f"{pipeline.where(own, cell.arm)}, seed {cell.seed}: {unlike}"
                    return Check(AGAIN, False, found, "seed what draws numbers, by `seed`")
    except Exception as error:
        return Check(AGAIN, False, explained(error), MEND)
    _seen.seconds += time.perf_counter() - began
    return Check(AGAIN, True, "the same bits")


def measured() -> tuple[float, int]:
    """Seconds of what ran a second time, and the largest memory of this process and of programs
    that it has run, in bytes."""
    largest = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return _seen.seconds, largest * 1024


def _plain(allowed: str) -> str:
    return allowed.removeprefix("allowed: ")
