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
from bench.errors import InputError
from bench.pipelines.blame import explained
from bench.plan.trajectories import Fork, Segment
from bench.runner import board, environment
from bench.runner.isolation import Crash, Isolated, WorkFailed
from bench.runner.pipeline import Pipeline
from bench.store.schema import FILE
from bench.study.resources import Resources

WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    # Off by default on CPUs without AVX-512, where it halves the time of a step too.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_USE_LEGACY_KERAS": "1",  # TFMOT knows Keras 2 only
}


@dataclass(frozen=True)
class Job:
    """One try of a task. token: by which the board names it; apart: does it run in a process of its
    own, since one has died of it?"""

    token: str
    apart: bool


@dataclass(frozen=True)
class Outcome:
    """What a task sends to the driver: rows, the seconds that they took, the node that it ran on
    and its CPU type, and its process's environment the first time."""

    rows: list[dict[str, Any]]
    seconds: float
    node: str
    cpu: str
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
    """The answer of a node whose package or TensorFlow is not the driver's, or whose CPU type is
    not the one that the task is for. found: what it has, by the names of what was expected."""

    node: str
    found: Mapping[str, str]


@dataclass(frozen=True)
class Unfit:
    """The answer of the first task of somebody's pipeline, where no seed will mend what is wrong.
    where, found, allowed: as InputError's, which goes through no pipe."""

    where: str
    found: str
    allowed: str


@dataclass(frozen=True)
class Tasks:
    warm_up: Any
    probe: Any
    trace: Any
    baselines: Any
    leaving: Any  # leaves a checkpoint
    ending: Any


def tasks(resources: Resources) -> Tasks:
    """The remote functions. Ray tries none again: see `flights`."""
    import ray

    settings: dict[str, Any] = {
        "num_cpus": resources.cpus,
        "num_gpus": resources.gpus,
        "max_retries": 0,
        "max_calls": 0,  # with GPUs Ray would start a process for every task
    }
    if resources.memory is not None:
        settings["memory"] = resources.memory
    remote = ray.remote(**settings)
    return Tasks(
        remote(_warm_up),
        remote(_probe),
        remote(_trace),
        remote(_baselines),
        ray.remote(**settings, num_returns=2)(_run),
        remote(_run_to_the_end),
    )


_Piece = tuple[Segment, Fork | None]


def _warm_up(job: Job, pipeline: Pipeline) -> None:
    with _body(pipeline, job):
        pass


def _trace(job: Job, pipeline: Pipeline, data: Dataset, segments: Sequence[Segment]) -> None:
    if job.apart:  # what it would prepare is another process's
        return
    with _body(pipeline, job) as body, suppress(Exception):  # a cell that meets it says so
        body.trace(data, segments)


def _baselines(job: Job, data: Dataset) -> dict[str, float]:
    from bench.pipelines.baselines import baselines

    with board.shown(job.token) as prepared:
        prepared()
        return baselines(data)


def _probe(
    job: Job,
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
    with _body(pipeline, job) as body:
        for segment, fork in pieces:
            arm = fork.cells[0].tried_as
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
    job: Job,
    pipeline: Pipeline,
    expected: Mapping[str, str],
    data: Dataset,
    works: Sequence[Sequence[_Piece]],
    checkpoint: Any,
) -> tuple[Any, Outcome | Refusal | Unfit]:
    """Run works one after another, each from `checkpoint`. Returns where the last one ended; or
    refuses where this node is not as expected."""
    if refusal := _refusal(expected):
        return None, refusal
    rows: list[dict[str, Any]] = []
    with _body(pipeline, job) as body:
        started = time.perf_counter()
        for pieces in works:
            after = checkpoint
            for segment, fork in pieces:
                try:
                    if fork is None:
                        after = body.run_segment(data, segment, after)
                    else:
                        found = body.run_fork(data, segment, fork, after)
                        rows += (_carried(row, pipeline.keep_models) for row in found)
                except WorkFailed:
                    raise
                except InputError as error:
                    if fork is None or not fork.twice:
                        raise WorkFailed(explained(error)) from None
                    return None, Unfit(error.where, error.found, error.allowed)
                except Crash as crash:
                    raise WorkFailed(f"crashed: {crash}") from None
                except Exception as error:
                    raise WorkFailed(explained(error)) from None
    where = _where()
    return after, Outcome(
        [row | where for row in rows],
        time.perf_counter() - started,
        _node(),
        environment.cpu(),
        _first_time(),
    )


def _carried(row: dict[str, Any], whole: bool) -> dict[str, Any]:
    """A row as it travels: its TFLite file stays behind unless it is asked for."""
    return row if whole else {name: value for name, value in row.items() if name != FILE}


def _run_to_the_end(*arguments: Any) -> Outcome | Refusal | Unfit:
    return _run(*arguments)[1]


def _refusal(expected: Mapping[str, str]) -> Refusal | None:
    here = environment.code() | {"cpu": environment.cpu()}
    found = {what: here[what] for what in expected}
    if found == expected:
        return None
    return Refusal(_node(), found)


@contextmanager
def _body(pipeline: Pipeline, job: Job) -> Iterator[Any]:
    """The pipeline for this task, in this process or, `job.apart`, in one of its own."""
    _use_session_folder()
    _use_assigned_gpus()
    with board.shown(job.token) as prepared:
        if job.apart:
            with Isolated(pipeline) as apart:
                apart.start()
                prepared()
                yield apart
        else:
            body = pipeline.prepared()
            prepared()
            yield body


def _use_assigned_gpus() -> None:
    """Hide GPUs that this task has not reserved; TensorFlow looks when it first computes."""
    import ray

    if not ray.get_gpu_ids():
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def _use_session_folder() -> None:
    """Have TensorFlow put its temporary files into Ray's folder, which goes when Ray ends: a
    process that is killed cannot remove its own."""
    from ray._private.worker import global_worker

    path = global_worker.node.get_session_dir_path()
    if os.path.isdir(path):
        tempfile.tempdir = os.environ["TMPDIR"] = path


def _node() -> str:
    import ray

    node: str = ray.get_runtime_context().get_node_id()
    return node


@cache
def _where() -> dict[str, Any]:
    """The columns of a row that say what it ran on."""
    found = environment.of_this_process()
    return {
        "node": _node()[:8],
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
