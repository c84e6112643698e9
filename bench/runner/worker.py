"""What a worker's process does: tasks that import the pipeline, run works and say where."""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from bench.datasets import Dataset
from bench.pipelines.blame import explained
from bench.plan.trajectories import Fork, Segment
from bench.runner import environment
from bench.runner.isolation import Crash, Isolated, WorkFailed
from bench.runner.pipeline import Pipeline

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
class Probed:
    """What a task found out about a model, before anything trains.

    unusable: why nothing can be done with it, or None; unsupported: arm -> why not; unknown: arm ->
    what kept it from being found out; batch_norms: BatchNormalization layers.
    """

    unusable: str | None
    unsupported: dict[str, str]
    unknown: dict[str, str]
    batch_norms: int


@dataclass(frozen=True)
class Refusal:
    """The answer of a node whose package or TensorFlow is not the driver's. found: what it has."""

    node: str
    found: str


@dataclass(frozen=True)
class Tasks:
    warm_up: Any
    probe: Any
    trace: Any
    baselines: Any
    leaving: Any  # leaves a checkpoint
    ending: Any


def tasks(retries: int) -> Tasks:
    """The remote functions. One CPU each; a dead worker's task runs again on another."""
    import ray

    once, again = ({"num_cpus": 1, "max_retries": times} for times in (0, retries))
    return Tasks(
        ray.remote(**once)(_warm_up),
        ray.remote(**again)(_probe),
        ray.remote(**once)(_trace),
        ray.remote(**again)(_baselines),
        ray.remote(**again, num_returns=2)(_run),
        ray.remote(**again)(_run_to_the_end),
    )


_Piece = tuple[Segment, Fork | None]


def _warm_up(pipeline: Pipeline) -> None:
    pipeline.prepared()


def _trace(pipeline: Pipeline, data: Dataset, segments: Sequence[Segment]) -> None:
    _use_session_folder()
    body = pipeline.prepared()
    with suppress(Exception):  # a cell that meets it says so in its row
        body.trace(data, segments)


def _baselines(data: Dataset) -> dict[str, float]:
    from bench.pipelines.baselines import baselines

    return baselines(data)


def _probe(
    pipeline: Pipeline,
    expected: Mapping[str, str],
    data: Dataset,
    pieces: Sequence[tuple[Segment, Fork]],
) -> Probed | Refusal:
    """Try each of these forks, which have one cell each, with untrained weights on a few examples:
    build, quantize, convert, run."""
    if refusal := _refusal(expected):
        return refusal
    unsupported, unknown, batch_norms = {}, {}, 0
    with _body(pipeline) as body:
        for segment, fork in pieces:
            arm = fork.cells[0].arm
            try:
                found = body.probe(data, segment, fork)
            except Crash as crash:
                said = f"its conversion or evaluation ends the process: {crash}"
                (unsupported if crash.by_itself else unknown)[arm] = said
                continue
            batch_norms = found["batch_norms"]
            if found["unusable"]:
                on = f" on node {_where()['node']}" if found.get("missing") else ""
                return Probed(found["unusable"] + on, {}, {}, batch_norms)
            if found["unsupported"]:
                unsupported[arm] = found["unsupported"]
    return Probed(None, unsupported, unknown, batch_norms)


def _run(
    pipeline: Pipeline,
    expected: Mapping[str, str],
    data: Dataset,
    works: Sequence[Sequence[_Piece]],
    checkpoint: Any,
) -> tuple[Any, Outcome | Refusal]:
    """Run works one after another, each from `checkpoint`. Returns where the last one ended; or
    refuses where this node has other code than the driver."""
    if refusal := _refusal(expected):
        return None, refusal
    started = time.perf_counter()
    rows: list[dict[str, Any]] = []
    with _body(pipeline) as body:
        for pieces in works:
            after = checkpoint
            for segment, fork in pieces:
                try:
                    if fork is None:
                        after = body.run_segment(data, segment, after)
                    else:
                        rows += body.run_fork(data, segment, fork, after)
                except WorkFailed:
                    raise
                except Crash as crash:
                    raise WorkFailed(f"crashed: {crash}") from None
                except Exception as error:
                    raise WorkFailed(explained(error)) from None
    where = _where()
    return after, Outcome(
        [row | where for row in rows], time.perf_counter() - started, _first_time()
    )


def _run_to_the_end(*arguments: Any) -> Outcome | Refusal:
    return _run(*arguments)[1]


def _refusal(expected: Mapping[str, str]) -> Refusal | None:
    import ray

    found = environment.code()
    if found == expected:
        return None
    return Refusal(ray.get_runtime_context().get_node_id(), environment.described(found))


@contextmanager
def _body(pipeline: Pipeline) -> Iterator[Any]:
    """The pipeline for this task. It runs in this process, unless a process has died of the task
    before: then in one of its own."""
    from ray._private.worker import global_worker

    _use_session_folder()
    if global_worker.core_worker.get_current_task_attempt_number():
        with Isolated(pipeline) as apart:
            yield apart
    else:
        yield pipeline.prepared()


def _use_session_folder() -> None:
    """Have TensorFlow put its temporary files into Ray's folder, which goes when Ray ends: a
    process that is killed cannot remove its own."""
    from ray._private.worker import global_worker

    path = global_worker.node.get_session_dir_path()
    if os.path.isdir(path):
        tempfile.tempdir = os.environ["TMPDIR"] = path


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
