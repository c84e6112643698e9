"""What a cluster has and what a study asks of it, before the first cell: in a minute at most."""

import os
import resource
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.pipelines.data_checks import Check
from bench.plan.data import check_data
from bench.runner import environment, nodes
from bench.runner.connection import check_answers, connected
from bench.runner.driver import PIPELINE
from bench.store.files import shown
from bench.store.folder import Store
from bench.study import Study

PATIENCE_S = 45.0
"""For all nodes together."""

LEAST_FILES = 4096
"""Open files that Ray's processes need on a node of many cores."""

LEAST_DISK = 5 << 30
"""Bytes free, for Ray's objects and logs."""

SLOWER = 1.5
"""Than the fastest node, in a tiny step, is worth a word."""

SIZE = 384
"""Rows of the matrices that are multiplied as a step."""


def run(
    study: Study, out: Path, address: str | None, workers: int | None
) -> Iterator[tuple[str, Check]]:
    """All checks, each with what it is about, as they are made. Raises InputError where nothing
    answers at `address` or the data is not there."""
    sizes = check_data(study)
    for label, size in sizes.items():
        yield (
            "the study",
            Check(f"data {label}", True, f"{size.train} and {size.test} examples", ""),
        )
    with Store(out).lock():
        found = f"{shown(out)} takes files"
        yield "the study", Check("results", True, found, "")
    if address is not None:
        check_answers(address)
    with connected(address, workers, PIPELINE):
        yield "the cluster", _room(study)
        answers, silent = _asked()
        for node in silent:
            remedy = "is it overloaded, or another machine's firewall in the way?"
            yield (
                f"node {node[:8]}",
                Check("answer", False, f"none in {PATIENCE_S:.0f} s", remedy),
            )
        yield from _nodes(answers)
        if answers:
            yield "the cluster", _alike(answers)


def _room(study: Study) -> Check:
    there = nodes.alive()
    able = nodes.able(study.resources)
    found = f"{len(there)} nodes, {sum(n.get('CPU', 0) for n in there.values()):g} CPUs"
    gpus = sum(node.get("GPU", 0) for node in there.values())
    found += f", {gpus:g} GPUs" if gpus else ""
    if not able:
        return Check(
            "room",
            False,
            f"{found}; a task reserves {study.resources}: {nodes.lacking(study.resources)}",
            "a node that has it, or less of `cpus`, `gpus` or `memory`; else tasks wait for ever",
        )
    return Check("room", True, f"{found}: {sum(able.values())} tasks at once", "")


def _asked() -> tuple[dict[str, Mapping[str, Any]], list[str]]:
    """What each node that can run tasks answers, and those that do not answer in time."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ask = ray.remote(num_cpus=0, max_retries=0)(examined)
    wanted = [node for node, has in nodes.alive().items() if has.get("CPU")]
    asked = {
        ask.options(
            name="doctor", scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
        ).remote(): node
        for node in wanted
    }
    if not asked:
        return {}, []
    ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=PATIENCE_S)
    answers = {}
    for ref in ready:
        try:
            answers[asked[ref]] = ray.get(ref)
        except ray.exceptions.RayError:
            late.append(ref)
    return answers, [asked[ref] for ref in late]


def examined() -> dict[str, Any]:
    """What this process finds out about its node."""
    found = environment.of_this_process()
    return {
        "code": environment.code(),
        "versions": environment.key(found),
        "cpu": found["cpu"],
        "packages": found["packages"],
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "threads": os.environ.get("OMP_NUM_THREADS", "not set"),
        "disk": shutil.disk_usage("/tmp").free,
        "step_s": _step(),
    }


def _step() -> float:
    """Seconds of a tiny step on one thread: the shortest of some."""
    import numpy as np

    x = np.random.default_rng(0).random((SIZE, SIZE), dtype=np.float32)
    best = float("inf")
    with suppress(Exception):
        for _ in range(5):
            started = time.perf_counter()
            x @ x
            best = min(best, time.perf_counter() - started)
    return best


def _nodes(answers: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Check]]:
    expected = environment.code()
    fastest = min((each["step_s"] for each in answers.values()), default=0.0)
    for node, found in answers.items():
        about = f"node {node[:8]}"
        same = found["code"] == expected
        code = environment.described(found["code"])
        here = environment.described(expected)
        yield about, Check("code", same, code, f"it gets no cell: here is {here}")
        files = found["files"] >= LEAST_FILES
        yield about, Check("open files", files, f"{found['files']:,}", f"ulimit -n {LEAST_FILES}")
        disk = found["disk"] >= LEAST_DISK
        free = f"{found['disk'] / 2**30:.0f} GiB free in /tmp"
        yield about, Check("disk", disk, free, f"at least {LEAST_DISK >> 30} GiB")
        slow = found["step_s"] / fastest if fastest else 1.0
        step = f"a step of {1000 * found['step_s']:.1f} ms, {slow:.1f} times the fastest node's"
        yield about, Check("speed", slow <= SLOWER, f"{step}; {found['cpu']}", "is it shared?")


def _alike(answers: Mapping[str, Mapping[str, Any]]) -> Check:
    types = sorted({found["cpu"] for found in answers.values()})
    return Check(
        "CPU types",
        len(types) == 1,
        "; ".join(types),
        'a seed\'s arms stay on one; `require_same = "cpu"` leaves the others out',
    )
