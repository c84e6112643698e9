"""Which work runs next, and how much of it in one task: the driver on Ray asks here, and so does
the simulation.

With more trajectories than CPUs, work goes depth first: the first seeds' results are complete
early, few checkpoints are held. With as many CPUs as trajectories, segments go first, since all
else waits for them. Every segment and every fork is a task of its own, unless so many CPUs were
fed with so short tasks that the driver could not keep up; then tasks take more.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count, cycle, islice
from math import inf
from typing import Any

from bench.plan.cells import Cell
from bench.plan.trajectories import Fork, Segment, Trajectory
from bench.study.factors import FACTORS, Value

AHEAD = 2
"""Tasks in flight per CPU: one runs, one is ready on the node when it ends."""

TASKS_PER_S = 500
"""What a driver is asked to sustain: a task takes it about 1 ms."""

CELLS_PER_TASK = 200
"""At most: what a dead worker loses."""


@dataclass(frozen=True, slots=True)
class Work:
    """A part of one trajectory that runs in one piece: either one fork, or consecutive segments.

    place: the trajectory's number among all; first, last: its segments [first, last), of a fork the
    one that it starts from; fork: None for segments; bare: the segments without their forks, which
    are then works of their own; alone: it shares a task with nothing, since one that held it took
    too long; again: it trains anew what a lost checkpoint held, for the works that wait for that.
    """

    place: int
    trajectory: Trajectory
    first: int
    last: int
    fork: Fork | None = None
    bare: bool = True
    alone: bool = False
    again: bool = False

    @property
    def segments(self) -> tuple[Segment, ...]:
        return self.trajectory.segments[self.first : self.last]

    @property
    def pieces(self) -> list[tuple[Segment, Fork | None]]:
        """The trainings that it runs, in order: (segment, None) is float training, (segment, fork)
        what starts from that segment's end."""
        if self.fork is not None:
            return [(self.segments[0], self.fork)]
        found: list[tuple[Segment, Fork | None]] = []
        for segment in self.segments:
            found.append((segment, None))
            found += [(segment, fork) for fork in segment.forks if not self.bare]
        return found

    @property
    def ends(self) -> bool:
        """Is this the end of the trajectory, so that no later work needs its checkpoint?"""
        through = not self.bare and self.last == len(self.trajectory.segments)
        return self.fork is not None or through

    @property
    def cells(self) -> list[Cell]:
        """The cells that get no result if this work fails: its own, and those of everything that
        would have started from it."""
        if self.fork is not None:
            return list(self.fork.cells)
        later = self.trajectory.segments[self.first :]
        return [cell for segment in later for fork in segment.forks for cell in fork.cells]


@dataclass(frozen=True, slots=True)
class Task:
    """Works that one process runs one after another, all on one dataset.

    checkpoint: the state that each of the works starts from; None: from initialization.
    """

    works: tuple[Work, ...]
    checkpoint: Any = None

    @property
    def alone(self) -> bool:
        return self.works[0].alone

    @property
    def leaves_checkpoint(self) -> bool:
        return not self.works[-1].ends

    @property
    def segment(self) -> Segment:
        """The first segment: its dataset and model are those of the whole task."""
        return self.works[0].segments[0]


class Schedule:
    """The work that can run. Ask it what comes next, tell it how that went."""

    def __init__(self) -> None:
        self._segments: list[tuple[tuple[int, int], int, Work, Any]] = []
        self._forks: list[tuple[tuple[int, int], int, Work, Any]] = []
        self._ticket, self._place = count(), count()
        self._training = 0  # trajectories with segments that have not landed
        self._alone: set[int] = set()  # places of trajectories that share no task any more
        self._waiting: dict[tuple[int, int], list[Work]] = {}  # for segments trained anew
        self._seconds: dict[tuple[str, str], tuple[float, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._segments or self._forks)

    def add(self, trajectories: Sequence[Trajectory]) -> None:
        for trajectory in trajectories:
            (first, *_) = trajectory.segments
            if first.own:  # no training comes before it
                work = Work(next(self._place), trajectory, 0, 1, first.forks[0])
            else:
                self._training += 1
                work = Work(next(self._place), trajectory, 0, 1)
            self._offer(work, None)

    def next(self, cpus: int) -> Task:
        """The task to send now to one of `cpus`. Raises IndexError if there is none."""
        work, checkpoint = self._pop(cpus)
        if work.fork is not None:
            return Task((work,), checkpoint)
        room = _Room(cpus / TASKS_PER_S, CELLS_PER_TASK)
        works = [self._grown(work, room, cpus)]
        while works[-1].ends and self._joins(works[0], checkpoint, cpus):
            _, _, work, _ = heapq.heappop(self._segments)
            works.append(self._grown(work, room, cpus))
        return Task(tuple(works), checkpoint)

    def landed(self, task: Task, seconds: float, checkpoint: Any = None) -> None:
        """A task ended after `seconds` in its process and left `checkpoint`."""
        self._note(task, seconds)
        for work in task.works:
            if work.fork is not None:
                continue
            place, trajectory, last = work.place, work.trajectory, work.last
            if work.again:
                for waiting in self._waiting.pop((place, last)):
                    self._offer(waiting, checkpoint)
                continue
            if work.bare:
                for fork in work.segments[-1].forks:
                    self._offer(Work(place, trajectory, work.first, last, fork), checkpoint)
            if last < len(trajectory.segments):
                self._offer(Work(place, trajectory, last, last + 1), checkpoint)
            else:
                self._training -= 1

    def failed(self, task: Task, died: bool = False) -> list[Cell]:
        """Note that a task failed, or its process died, more often than is allowed, and return the
        cells that have no result because of it. Where several works shared the task there are none,
        nor where its process died of several cells: each of them runs again in a task of its own,
        so that only the one at fault fails."""
        (work, *others) = task.works
        several = work.fork is not None and len(work.fork.cells) > 1
        if died and several and not others and not work.alone:
            self._offer_each_cell(work, task.checkpoint)
            return []
        if not others and (work.fork is not None or work.bare):
            return self._given_up(work)
        self._split(task)
        return []

    def overdue(self, task: Task) -> list[Cell]:
        """Note that a task took too long: its works run once more, each alone, and so does each
        cell of a fork. Returns the cells that have no result because a work did so before."""
        if task.alone:
            return self._given_up(task.works[0])
        forks = [work for work in task.works if work.fork is not None]
        for work in forks:
            self._offer_each_cell(work, task.checkpoint)
        if not forks:
            self._split(task, alone=True)
        return []

    def _offer_each_cell(self, work: Work, checkpoint: Any) -> None:
        assert work.fork is not None
        for cell in work.fork.cells:
            fork = replace(work.fork, cells=(cell,))
            self._offer(replace(work, fork=fork, alone=True), checkpoint)

    def lost(self, task: Task) -> None:
        """Note that a task's checkpoint went with its node: its segments are trained anew, then
        the task's works run."""
        for work in task.works:
            needed = work.first if work.fork is None else work.last
            key = (work.place, needed)
            if key not in self._waiting:
                self._waiting[key] = []
                anew = Work(work.place, work.trajectory, 0, needed, again=True)
                self._offer(anew, None)
            self._waiting[key].append(work)

    def _given_up(self, work: Work) -> list[Cell]:
        if work.again:
            waiting = self._waiting.pop((work.place, work.last))
            return [cell for each in waiting for cell in self._given_up(each)]
        self._training -= work.fork is None
        return work.cells

    def _split(self, task: Task, alone: bool = False) -> None:
        for work in task.works:
            if work.again:
                self._offer(replace(work, alone=alone), None)
                continue
            self._alone.add(work.place)
            bare = Work(work.place, work.trajectory, work.first, work.first + 1, alone=alone)
            self._offer(bare, task.checkpoint)

    def _offer(self, work: Work, checkpoint: Any) -> None:
        ready = self._segments if work.fork is None else self._forks
        heapq.heappush(ready, ((work.place, work.first), next(self._ticket), work, checkpoint))

    def _pop(self, cpus: int) -> tuple[Work, Any]:
        """Depth first, or segments first where there are no more trajectories than CPUs."""
        ready = self._segments or self._forks
        if self._segments and self._forks and self._training > cpus:
            ready = self._forks if self._forks[0] < self._segments[0] else self._segments
        *_, work, checkpoint = heapq.heappop(ready)
        return work, checkpoint

    def _spare(self, cpus: int) -> bool:
        """Is there so much work that every CPU stays busy even if one task takes more than its
        share?"""
        return len(self._segments) + len(self._forks) >= AHEAD * cpus

    def _joins(self, work: Work, checkpoint: Any, cpus: int) -> bool:
        """Can the next segment share a task with `work`?"""
        if checkpoint is not None or not self._segments or not self._spare(cpus):
            return False
        *_, following, start = self._segments[0]
        if following.alone or following.again:
            return False
        return start is None and data_key(following.segments[0]) == data_key(work.segments[0])

    def _grown(self, work: Work, room: "_Room", cpus: int) -> Work:
        """The work, which is one bare segment, made larger as far as there is room in its task:
        by the segment's forks, then by the segments after it with theirs."""
        segment = work.segments[0]
        known = self._seconds.get((segment.dataset, segment.model))
        if work.alone or work.again or work.place in self._alone:
            return work
        if known is None or not self._spare(cpus):
            return work
        seconds_per_cell = known[0] / known[1]
        last = work.first
        for segment in work.trajectory.segments[work.first :]:
            cells = sum(len(fork.cells) for fork in segment.forks)
            seconds = cells * seconds_per_cell
            # The segment and its forks would be 1 + len(forks) tasks if they were kept apart.
            if not room.takes(seconds, cells, apart=seconds / (1 + len(segment.forks))):
                break
            last += 1
        if last == work.first:
            return work
        return Work(work.place, work.trajectory, work.first, last, bare=False)

    def _note(self, task: Task, seconds: float) -> None:
        pieces = [fork for work in task.works for _, fork in work.pieces]
        cells = sum(len(fork.cells) for fork in pieces if fork is not None)
        key = (task.segment.dataset, task.segment.model)
        before, seen = self._seconds.get(key, (0.0, 0.0))
        if seen > 2 * CELLS_PER_TASK:  # of late: the first tasks of a process trace its graphs
            before, seen = before / 2, seen / 2
        if seen + cells:
            self._seconds[key] = (before + seconds, seen + cells)


@dataclass
class _Room:
    """How much more work a task may hold: seconds, cells; empty: it holds none yet."""

    seconds: float
    cells: int
    empty: bool = True

    def takes(self, seconds: float, cells: int, apart: float) -> bool:
        """Reserve room for some work, if there is enough. Returns whether it was.

        seconds, cells: of the work; apart: seconds of each of the tasks that it would be otherwise.
        The first work may take more seconds than there are, if those tasks would be too short.
        """
        fits = seconds <= self.seconds or (self.empty and apart < self.seconds)
        if not fits or cells > self.cells:
            return False
        self.seconds -= seconds
        self.cells -= cells
        self.empty = False
        return True


def traced_ahead(planned: Sequence[Trajectory], cpus: int) -> list[Trajectory]:
    """What idle CPUs can prepare while the first trajectories train: one trajectory for each CPU
    that gets none, whose graphs its process then traces.

    Takes one trajectory of every kind (model, optimizer, data) in turn.
    """
    kinds = {}
    for trajectory in planned:
        first = trajectory.segments[0]
        if first.own:  # there are no graphs of ours in it
            return []
        kinds[first.model, first.recipe.get("optimizer"), data_key(first)] = trajectory
    return list(islice(cycle(kinds.values()), max(0, cpus - len(planned))))


DataKey = tuple[str, tuple[tuple[str, Value], ...]]
"""A dataset's label, and the levels of the factors that change its training examples."""


def data_key(of: Cell | Segment) -> DataKey:
    """A pipeline of somebody's own gets all, and chooses by itself."""
    if of.recipe.pipeline is not None:
        return of.dataset, ()
    return of.dataset, of.recipe.within({"data"}).levels


def fullness(key: DataKey) -> tuple[bool, float]:
    """The greater, the less was done to the data: are all but their number as they were, and how
    many training examples are used."""
    levels = dict(key[1])
    examples = levels.pop("train_examples", None)
    plain = all(level == FACTORS[name].default for name, level in levels.items())
    return plain, inf if not isinstance(examples, int) else examples
