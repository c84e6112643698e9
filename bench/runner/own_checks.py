"""Checks of a study of somebody's whole pipeline, before hours are spent: its first seed at its
smallest budget, in a process of its own."""

from collections.abc import Iterator
from math import ceil
from typing import Any

from bench import datasets
from bench.errors import InputError
from bench.pipelines.data_checks import Check, checks
from bench.plan.cells import Cell, cells
from bench.plan.data import check_data
from bench.plan.trajectories import trajectories
from bench.plugins import whole
from bench.runner.isolation import Crash, Isolated, TookTooLong, WorkFailed
from bench.runner.limits import FIRST_S
from bench.runner.pipeline import Pipeline
from bench.runner.worker import WORKER_ENVIRONMENT
from bench.study import Study

MODULE = "bench.pipelines.own_check"

NAMES = {"order": "arms in reverse order", "again": "one seed twice"}

MEND = "mend it: no seed would give a result"


def run(study: Study, workers: int) -> Iterator[tuple[str, Check]]:
    """All checks, each with what it is about, as they are made. workers: CPUs that the time of the
    study is estimated for."""
    assert study.pipeline is not None
    name, file = study.models[0], study.pipeline.file
    try:
        check_data(study)
        data = datasets.load(study.datasets[0], None, study.reading, study.objective.task)
    except InputError as error:
        yield (
            error.where,
            Check("data", False, error.found, error.allowed.removeprefix("allowed: ")),
        )
        return
    if len(data.x_train):
        for check in checks(data, None):
            yield data.name, check
    else:
        n, classes = len(data.y_test), len(data.classes)
        said = f"{n:,} test examples" if n else "no labels: arms give metrics by name"
        yield file, Check("labels", True, f"{said}, {classes} classes" if classes else said)
    planned = trajectories(cells(study.with_seeds(1)))
    least = min(trajectory.segments[0].budget for trajectory in planned)
    first = [t for t in planned if t.segments[0].budget == least]
    is_command = study.pipeline.kind == "command"
    ok, seconds, memory = True, 0.0, 0
    work, limit = Pipeline(MODULE, whole=whole.named([name])), study.timeout or FIRST_S
    with Isolated(work, WORKER_ENVIRONMENT, limit) as apart:
        for trajectory in first if is_command else first[:1]:
            segment = trajectory.segments[0]
            (fork,) = segment.forks
            asked: list[tuple[str, tuple[Any, ...]]] = []
            if not is_command:
                asked.append(("start", (data, segment, fork)))
            asked += [("arm", (data, segment, cell)) for cell in fork.cells]
            if not is_command:
                asked.append(("order", (data, segment, fork.cells)))
            asked.append(("again", (data, segment, fork)))
            for function, arguments in asked:
                check, ended = _asked(apart, function, *arguments)
                yield file, check
                ok = ok and check.ok
                if ended or (function == "start" and not check.ok):
                    return
            if ok:
                seconds, memory = apart.ask("measured")
    if ok:
        tasks = len(planned) * len(study.seeds) / (len(first) if is_command else 1)
        yield "the study", _cost(study, seconds, memory, ceil(tasks), workers)


def _asked(apart: Isolated, function: str, *arguments: Any) -> tuple[Check, bool]:
    """What a check found, and whether it ended the process that later ones need."""
    last = arguments[-1]
    what = f"{function} {last.arm}" if isinstance(last, Cell) else NAMES.get(function, function)
    try:
        check: Check = apart.ask(function, *arguments)
        return check, False
    except TookTooLong as late:
        return Check(what, False, str(late), "an endless loop? else a larger `timeout`"), True
    except Crash as crash:
        return Check(what, False, f"its process ended: {crash}", MEND), True
    except WorkFailed as error:
        return Check(what, False, str(error), MEND), False


def _cost(study: Study, seconds: float, memory: int, tasks: int, workers: int) -> Check:
    whole_s = tasks * seconds / workers
    found = f"{tasks:,} times {seconds:.2g} s, about {_duration(whole_s)} on {workers} CPUs"
    if len(study.budgets) > 1:
        found += (
            f", all at the smallest budget's pace, {min(study.budgets)}: larger ones take longer"
        )
    return Check("time and memory", True, f"{found}; {memory / 2**20:,.0f} MiB for each worker")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
