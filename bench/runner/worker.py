"""What a worker's process does: tasks that import the pipeline, run works and say where."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from bench.datasets import Dataset
from bench.plan.trajectories import Fork, Segment
from bench.runner import environment

WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    # Off by default on CPUs without AVX-512, where it halves the time of a step too.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_USE_LEGACY_KERAS": "1",  # TFMOT knows Keras 2 only
}


@dataclass(frozen=True)
class Outcome:
    """What a task sends to the driver: rows, the seconds that they took, and its process's
    environment the first time."""

    rows: list[dict[str, Any]]
    seconds: float
    environment: dict[str, Any] | None


@dataclass(frozen=True)
class Refusal:
    """A node's answer where it has other code than the driver: what it has."""

    node: str
    found: str


@dataclass(frozen=True)
class Tasks:
    warm_up: Any
    trace: Any
    leaving: Any  # leaves a checkpoint
    ending: Any


def tasks(retries: int) -> Tasks:
    """The remote functions. One CPU each; a dead worker's task runs again on another."""
    import ray

    one_cpu = {"num_cpus": 1, "max_retries": retries}
    return Tasks(
        ray.remote(**one_cpu)(_warm_up),
        ray.remote(**one_cpu)(_trace),
        ray.remote(**one_cpu, num_returns=2)(_run),
        ray.remote(**one_cpu)(_run_to_the_end),
    )


_Piece = tuple[Segment, Fork | None]


def _warm_up(pipeline: str) -> None:
    import_module(pipeline).prepare()


def _trace(pipeline: str, data: Dataset, segments: Sequence[Segment]) -> None:
    body = import_module(pipeline)
    body.prepare()
    with suppress(Exception):  # a cell that meets it says so in its row
        body.trace(data, segments)


def _run(
    pipeline: str,
    expected: Mapping[str, str],
    data: Dataset,
    works: Sequence[Sequence[_Piece]],
    checkpoint: Any,
) -> tuple[Any, Outcome | Refusal]:
    """Run works one after another, each from `checkpoint`. Returns where the last one ended; or
    refuses where this node has other code than the driver."""
    found = environment.code()
    if found != expected:
        import ray

        node = ray.get_runtime_context().get_node_id()
        return None, Refusal(node, environment.described(found))
    body = import_module(pipeline)
    body.prepare()
    started = time.perf_counter()
    rows: list[dict[str, Any]] = []
    for pieces in works:
        after = checkpoint
        for segment, fork in pieces:
            if fork is None:
                after = body.run_segment(data, segment, after)
            else:
                rows += body.run_fork(data, segment, fork, after)
    where = _where()
    return after, Outcome(
        [row | where for row in rows], time.perf_counter() - started, _first_time()
    )


def _run_to_the_end(*arguments: Any) -> Outcome | Refusal:
    return _run(*arguments)[1]


@cache
def _where() -> dict[str, Any]:
    """The columns of a row that say what it ran on."""
    import ray

    found = environment.of_this_process()
    return {
        "node": ray.get_runtime_context().get_node_id()[:8],
        "cpu": found["cpu"],
        "versions": environment.key(found),
        "package": environment.code()["package"],
    }


_told: set[str] = set()


def _first_time() -> dict[str, Any] | None:
    """This process's environment the first time it is asked for, then None."""
    found = environment.of_this_process()
    key = environment.key(found)
    if key in _told:
        return None
    _told.add(key)
    return found
