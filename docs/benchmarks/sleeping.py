"""A pipeline that sleeps for as long as a run's work took. See cluster_shape.py.

MEASURED names the result folder whose times are taken, FACTOR shortens them.
"""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from empty import probe, row

from bench.datasets import Dataset
from bench.plan import cells as plan
from bench.plan.times import MEASURED, Estimated, Measured
from bench.plan.trajectories import Fork, Segment
from bench.store.folder import Store
from bench.study import load

__all__ = ["prepare", "probe", "run_fork", "run_segment", "trace"]

_traced: set[Any] = set()


@cache
def measured() -> Measured:
    rows = Store(Path(os.environ["MEASURED"])).statuses(*MEASURED, "train_s", "convert_s", "eval_s")
    return Measured(rows, Estimated(plan.check_data(load("digits"))))


def prepare() -> None:
    measured()


def trace(data: Dataset, segments: Sequence[Segment]) -> None:
    pieces = [(segment, fork) for segment in segments for fork in (None, *segment.forks)]
    _sleep(sum(_tracing(segment, fork) for segment, fork in pieces))


def _tracing(segment: Segment, fork: Fork | None) -> float:
    """Seconds for the graphs that this process does not have yet."""
    seconds = 0.0
    for graph, tracing in measured().graphs(segment, fork).items():
        seconds += 0.0 if graph in _traced else tracing
        _traced.add(graph)
    return seconds


def _sleep(seconds: float) -> None:
    time.sleep(seconds * float(os.environ["FACTOR"]))


def run_segment(data: Dataset, segment: Segment, before: float | None) -> float:
    """Returns when the trajectory started, on this machine's clock."""
    started = time.time() if before is None else before
    _sleep(_tracing(segment, None) + measured().seconds(segment, None))
    return started


def run_fork(data: Dataset, segment: Segment, fork: Fork, started: float) -> list[dict[str, Any]]:
    _sleep(_tracing(segment, fork) + measured().seconds(segment, fork))
    when = {"train_s": time.time() - started, "finished_at": datetime.now(UTC)}
    return [row(data, cell) | when for cell in fork.cells]
