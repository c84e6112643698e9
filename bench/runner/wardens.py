"""Looks at processes on their nodes, and kills them: a stopped one answers nobody else."""

import os
import signal
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

from bench.runner import processes
from bench.runner.board import Place

PATIENCE_S = 30.0
"""For a node to start a process that looks at another one there."""


def _state(pid: int, kill: bool) -> str | None:
    """The state of a worker's process as /proc has it, None if there is none; kill: it first."""
    if kill and processes.is_worker(pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return processes.state(pid)


class Wardens:
    """local: every process is on this machine."""

    def __init__(self, local: bool) -> None:
        self._local = local
        self._asked: dict[str, tuple[Any, float]] = {}  # node -> what it was asked, and when
        self._stopped: set[tuple[str, int]] = set()
        self.silent: Collection[str] = set()

    def kill(self, place: Place) -> None:
        self._ask(place, kill=True)

    def is_stopped(self, place: Place) -> bool:
        """Is it known that the process was stopped? Finds out, where it takes a while."""
        self._ask(place, kill=False)
        return (place.node, place.pid) in self._stopped

    def fallen_silent(self) -> Iterator[str]:
        """Nodes that have not answered in time, each once; takes in what others answered."""
        import ray

        for node, (ref, asked) in list(self._asked.items()):
            if ray.wait([ref], timeout=0)[0]:
                del self._asked[node]
                self.silent = {each for each in self.silent if each != node}
                with suppress(ray.exceptions.RayError):  # it has gone
                    pid, state = ray.get(ref)
                    if state in ("T", "t"):
                        self._stopped.add((node, pid))
            elif time.monotonic() - asked > PATIENCE_S and node not in self.silent:
                self.silent = {*self.silent, node}
                yield node

    def _ask(self, place: Place, kill: bool) -> None:
        if self._local:
            if _state(place.pid, kill) in ("T", "t"):
                self._stopped.add((place.node, place.pid))
            return
        if place.node in self._asked:
            return
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(place.node, soft=False)
        look = ray.remote(num_cpus=0, max_retries=0)(_looked_at)
        ref = look.options(scheduling_strategy=there).remote(place.pid, kill)
        self._asked[place.node] = ref, time.monotonic()


def _looked_at(pid: int, kill: bool) -> tuple[int, str | None]:
    return pid, _state(pid, kill)
