"""How long a plan takes on any number of CPUs.

The driver's own schedule is run; instead of doing the work it is told how long each piece takes.
"""

import heapq
from collections import deque
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

from bench.plan.schedule import AHEAD, Schedule, Task, Work, traced_ahead
from bench.plan.trajectories import Fork, Segment, Trajectory

DRIVER_S = 0.001
"""Seconds of the driver for a task: to send it, and to take what it gave."""


class Times(Protocol):
    """What a plan's work takes on one CPU, in seconds."""

    def seconds(self, segment: Segment, fork: Fork | None) -> float:
        """A fork, or where it is None the segment itself, in a process that has its graphs."""

    def graphs(self, segment: Segment, fork: Fork | None) -> Mapping[Hashable, float]:
        """The graphs that this needs, each traced once in a process, and what that takes."""


@dataclass(frozen=True)
class Simulated:
    """makespan_s: from the first task's start to the last row; core_s: all CPUs' work, without what
    idle ones trace ahead; tasks: how many the driver sent."""

    makespan_s: float
    core_s: float
    tasks: int


def simulate(
    trajectories: Collection[Trajectory], cpus: int, times: Times, driver_s: float = DRIVER_S
) -> Simulated:
    """Run a plan's schedule on `cpus` equal CPUs without doing the work.

    Tasks start in the order in which they were sent, on the CPU that has been idle longest.
    """
    schedule = Schedule()
    schedule.add(list(trajectories))
    tickets = count()
    # Ends of tasks; None: of tracing ahead.
    events: list[tuple[float, int, int, Task | None, float]] = []
    idle, graphs = deque(range(cpus)), [set[Hashable]() for _ in range(cpus)]
    sent: deque[Task] = deque()
    landed: deque[tuple[Task, float]] = deque()
    now = driver_free = core_s = 0.0
    flying = tasks = 0
    for trajectory in traced_ahead(list(trajectories), cpus):
        cpu, needed = idle.pop(), _graphs(trajectory, times)
        graphs[cpu] |= needed.keys()
        heapq.heappush(events, (sum(needed.values()), next(tickets), cpu, None, 0.0))
    while True:
        # The driver is one process: whatever it does for a task waits for what it did before.
        while landed and driver_free <= now:
            task, seconds = landed.popleft()
            schedule.landed(task, seconds)
            flying -= 1
            driver_free = now + driver_s
        while schedule and flying < AHEAD * cpus:
            sent.append(schedule.next(cpus))
            flying += 1
            tasks += 1
        while idle and sent:
            cpu, task = idle.popleft(), sent.popleft()
            seconds = sum(_seconds(work, times, graphs[cpu]) for work in task.works)
            core_s += seconds
            heapq.heappush(events, (now + seconds, next(tickets), cpu, task, seconds))
        if events and (not landed or events[0][0] <= driver_free):
            now, _, cpu, ended, seconds = heapq.heappop(events)
            idle.append(cpu)
            if ended is not None:
                landed.append((ended, seconds))
        elif landed:
            now = max(now, driver_free)
        else:
            return Simulated(now, core_s, tasks)


def critical_path(trajectories: Collection[Trajectory], times: Times) -> float:
    """Seconds of the longest chain of work: no number of CPUs is faster than that from the first
    task's start. A fork waits for its checkpoint and for a process with its graphs, each traced
    once; both can come about at a time."""
    longest = 0.0
    for trajectory in trajectories:
        chain, graphs = 0.0, dict[Hashable, float]()
        for segment in trajectory.segments:
            chain += times.seconds(segment, None)
            graphs |= times.graphs(segment, None)
            there = sum(graphs.values()) + chain
            longest = max(longest, there)
            for fork in segment.forks:
                traced = sum((graphs | dict(times.graphs(segment, fork))).values())
                longest = max(longest, max(there, traced) + times.seconds(segment, fork))
    return longest


def _graphs(trajectory: Trajectory, times: Times) -> dict[Hashable, float]:
    needed = dict[Hashable, float]()
    for segment in trajectory.segments:
        for fork in (None, *segment.forks):
            needed |= times.graphs(segment, fork)
    return needed


def _seconds(work: Work, times: Times, traced: set[Any]) -> float:
    total = 0.0
    for segment, fork in work.pieces:
        total += times.seconds(segment, fork)
        for graph, seconds in times.graphs(segment, fork).items():
            if graph not in traced:
                traced.add(graph)
                total += seconds
    return total
