"""Sends tasks to Ray as the schedule says, a bounded number at a time, and writes what comes."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.datasets import Dataset
from bench.errors import InputError, Unfinished
from bench.plan.cells import Cell
from bench.plan.schedule import (
    DataKey,
    Schedule,
    Task,
    data_key,
    fullness,
    traced_ahead,
)
from bench.plan.trajectories import Trajectory
from bench.runner import environment, probes
from bench.runner.cpus import CpuTypes
from bench.runner.flights import Failed, Flights, InputLost, Overdue
from bench.runner.folder import Folder
from bench.runner.limits import Limits
from bench.runner.pipeline import Pipeline
from bench.runner.probes import Place, Probe
from bench.runner.room import Room
from bench.runner.watcher import Watcher
from bench.runner.worker import Job, Outcome, Probed, Refusal, Unfit, tasks
from bench.study.resources import Resources, duration

WRITE_EVERY_S = 0.5
"""Rows wait this long for others to share a file with: what a kill of the driver can lose."""


@dataclass(frozen=True)
class _Side:
    """A task that no row waits for."""


@dataclass(frozen=True)
class _Baselines:
    label: str


@dataclass
class _Sent:
    """A task on its way. after: where its checkpoint comes to; cpu: the type that it is for, None:
    any."""

    task: Task
    after: list[Any]
    cpu: str | None = None


class Dispatcher:
    """The driver's side of a connected Ray."""

    def __init__(
        self,
        folder: Folder,
        watcher: Watcher,
        pipeline: Pipeline,
        resources: Resources,
        timeout: float | None,
        local: bool,
        types: CpuTypes,
    ) -> None:
        self._folder, self._watcher, self._types = folder, watcher, types
        import ray

        self._pipeline = ray.put(pipeline)  # with somebody's own `files` it may be large
        self._expected = environment.code()
        self._tasks = tasks(resources)
        self._limits = Limits(timeout)
        self._flights = Flights(local, lambda cpu: self._room.able(cpu), self._say, folder.log)
        self._room = Room(resources, local, types, lambda: self._flights.away, self._say)
        # Importing TensorFlow takes a worker longer than anything before the first step.
        for _ in range(self.capacity()):
            self._send_aside(self._tasks.warm_up, "warm-up")
        self._schedule = Schedule()
        self._again: list[Task] = []  # that a node has refused
        self._data: dict[DataKey, Any] = {}
        self._few: dict[str, Any] = {}  # of each data set, what models are tried on
        self._tried: set[Place] = set()
        self._unsupported: dict[Place, str] = {}
        self._trivial: set[str] = set()  # data sets whose classifiers of raw inputs are on the way
        self._probed_now: list[tuple[Probe, Probed]] = []
        self._rows: list[dict[str, Any]] = []  # not on disk yet
        self._environments: list[dict[str, Any]] = []  # likewise
        self._written = time.monotonic()
        self.begin: Callable[[], None] | None = None
        """What is to be written before the first row."""

    def _say(self, text: str) -> None:
        self._watcher.said(text)
        self._folder.log("said", text=text)

    def capacity(self) -> int:
        """How many tasks the nodes that are there take at once."""
        return self._room.capacity()

    def probe(self, wanted: Iterable[Cell], data: Mapping[DataKey, Dataset]) -> None:
        """Start to try what these cells need and was not tried before, on some of the data."""
        import ray

        for (label, _), each in data.items():
            if label not in self._few:
                self._few[label] = ray.put(probes.few(each))
        fresh = [cell for cell in wanted if probes.place(cell) not in self._tried]
        self._tried.update(map(probes.place, fresh))
        for each in probes.probes(fresh):
            self._send_probe(each)

    def possible(self, wanted: Sequence[Cell], arms: Collection[str]) -> list[Cell]:
        """Those of the cells that can be computed; the others get their rows.

        arms: all of the study. Waits for what was tried. Raises InputError if a model is of no use.
        """
        probed = self._probed()
        probes.check_momentum(probed, wanted)
        found = probes.unsupported(probed, arms)
        for line in probes.described(found):
            self._say(line)
        self._unsupported |= found
        possible = []
        for cell in wanted:
            why = self._unsupported.get(probes.place(cell))
            if why is None:
                possible.append(cell)
            else:
                here = {"package": self._expected["package"]}
                self._rows.append(cell.failure("unsupported", why) | here)
        return possible

    def collect(self, planned: Sequence[Trajectory], data: Mapping[DataKey, Dataset]) -> None:
        """Run all cells of these trajectories. Returns when each has a row.

        data: what they need that no trajectory before them did.
        """
        import ray

        self._data |= {key: ray.put(each) for key, each in data.items()}
        self._schedule.add(planned)
        self._room.settle()
        self._send()
        for each in traced_ahead(planned, self.capacity()):
            data_of = self._data[data_key(each.segments[0])]
            self._send_aside(self._tasks.trace, "tracing ahead", data_of, each.segments)
        if not any(each.segments[0].own for each in planned):
            self._send_baselines()
        while self._schedule or self._again or self._flights.of(_Sent, _Baselines):
            self._send()
            self._wait(self._patience())
            if self._patience() == 0:
                self._write()
        self._write()

    def _wait(self, patience: float | None) -> None:
        """Take in what ends within `patience` seconds. Raises Unfinished where no node is left."""
        for about, ended in self._flights.landed(patience):
            if isinstance(about, _Sent):
                self._rows += self._land(about, ended)
            elif isinstance(about, Probe):
                self._land_probe(about, ended)
            elif isinstance(about, _Baselines):
                self._land_baselines(about.label, ended)
        self._watcher.waits(self._waits())

    def _waits(self) -> str | None:
        if waiting := self._folder.waiting:
            return f"{waiting} files wait on this machine: the storage does not take them"
        try:
            return self._room.waits() or self._flights.waits()
        except Unfinished:
            self._write()
            raise

    def _send_aside(self, function: Any, name: str, *arguments: Any) -> None:
        def launch(job: Job) -> Any:
            return self._placed(function, name).remote(job, self._pipeline, *arguments)

        self._flights.send(_Side(), name, launch, self._limits.least)

    def _send_baselines(self) -> None:
        """Once for each data set, on as many training examples as any cell uses."""
        of_label: dict[str, list[DataKey]] = {}
        for key in self._data:
            of_label.setdefault(key[0], []).append(key)
        for label, keys in of_label.items():
            if label not in self._trivial and not self._folder.has_baselines(label):
                self._trivial.add(label)
                self._send_baselines_of(label, self._data[max(keys, key=fullness)])

    def _send_baselines_of(self, label: str, data: Any) -> None:
        name = f"{label} baselines"

        def launch(job: Job) -> Any:
            return self._placed(self._tasks.baselines, name).remote(job, data)

        self._flights.send(_Baselines(label), name, launch, self._limits.least)

    def _land_baselines(self, label: str, ended: Any) -> None:
        if isinstance(ended, dict):
            self._folder.remember_baselines(label, ended)
        else:
            self._say(f"{label}: no trivial baseline ({_why(ended)})")

    def _send_probe(self, probe: Probe) -> None:
        few, name = self._few[probe.dataset], f"{probe.dataset} {probe.model} probe"

        def launch(job: Job) -> Any:
            function = self._placed(self._tasks.probe, name)
            return function.remote(job, self._pipeline, self._expected, few, probe.pieces)

        self._flights.send(probe, name, launch, self._limits.least)

    def _land_probe(self, probe: Probe, ended: Any) -> None:
        if isinstance(ended, Refusal):
            self._room.refused(ended, self._expected)
            self._send_probe(probe)
        elif isinstance(ended, Probed):
            for arm, why in ended.unknown.items():
                self._say(f"{arm} of {probe.model} could not be tried: {why}")
            self._probed_now.append((probe, ended))
        elif isinstance(ended, Overdue):
            raise probes.unusable(
                probe.model,
                f"trying it on {probes.EXAMPLES} examples did not end within {_why(ended)}",
            )
        else:  # its cells will say why in their rows
            self._say(f"{probe.model} could not be tried: {_why(ended)}")

    def _probed(self) -> list[tuple[Probe, Probed]]:
        while self._flights.of(Probe):
            self._wait(None)
        found, self._probed_now = self._probed_now, []
        return found

    def _send(self) -> None:
        slots, most = max(1, self.capacity()), self._room.at_most()
        flying = len(self._flights.of(_Sent))
        while (self._again or self._schedule) and flying < most:
            task = self._again.pop() if self._again else self._schedule.next(slots)
            for part in self._types.apart(task):
                self._send_task(part)
                flying += 1

    def _send_task(self, task: Task) -> None:
        # The forks travel as pieces of their own: a bare segment's task needs none of them.
        works = [
            [(replace(segment, forks=()), fork) for segment, fork in work.pieces]
            for work in task.works
        ]
        data = self._data[data_key(task.segment)]
        arguments = (data, works, task.checkpoint)
        name, sent = _name(task), _Sent(task, [])

        def launch(job: Job) -> Any:
            cpu = sent.cpu = self._room.type_for(task, self._flying())
            expected = self._expected | ({} if cpu is None else {"cpu": cpu})
            function = self._tasks.leaving if task.leaves_checkpoint else self._tasks.ending
            placed = self._placed(function, name, cpu)
            returned = placed.remote(job, self._pipeline, expected, *arguments)
            if not task.leaves_checkpoint:
                return returned
            after, outcome = returned
            sent.after[:] = [after]
            return outcome

        self._flights.send(sent, name, launch, self._limits.of(task))

    def _flying(self) -> Counter[str | None]:
        """How many tasks are on their way, by the CPU type that they are for."""
        return Counter(flight.about.cpu for flight in self._flights.of(_Sent))

    def _land(self, sent: _Sent, ended: Any) -> list[dict[str, Any]]:
        """Rows of a task that ended; the schedule learns what became possible."""
        task = sent.task
        if isinstance(ended, InputLost):
            self._schedule.lost(task)
            return []
        if isinstance(ended, Failed):
            without = self._schedule.failed(task, ended.died)
            return [cell.failure("failed", ended.reason) for cell in without]
        if isinstance(ended, Overdue):
            return [
                cell.failure("timeout", f"killed after {_why(ended)}, twice")
                for cell in self._schedule.overdue(task)
            ]
        if isinstance(ended, Refusal):
            self._room.refused(ended, self._expected)
            self._again.append(task)
            return []
        if isinstance(ended, Unfit):
            raise InputError(ended.where, ended.found, ended.allowed)
        outcome: Outcome = ended
        if outcome.environment is not None:
            self._environments.append(outcome.environment)
        self._room.worked(outcome.node, outcome.cpu)
        self._types.stay(task.works, outcome.cpu)
        self._limits.note(task, outcome.seconds)
        self._schedule.landed(task, outcome.seconds, *sent.after)
        return outcome.rows

    def _placed(self, function: Any, name: str, cpu: str | None = None) -> Any:
        """The remote function under this name, kept from nodes that have refused or are away;
        cpu: the type of those that it is for."""
        avoided = self._room.avoided(cpu)
        if not avoided:
            return function.options(name=name)
        return function.options(
            name=name, label_selector={"ray.io/node-id": f"!in({','.join(avoided)})"}
        )

    def _patience(self) -> float | None:
        """Seconds that rows may still wait for others to share a file; None: there are none."""
        if not self._rows or self._unchecked():
            return None
        return max(0.0, self._written + WRITE_EVERY_S - time.monotonic())

    def _unchecked(self) -> bool:
        """Is the first task of somebody's pipeline, which runs its arms twice, on its way? Until it
        is known that they are sound nothing is written."""
        return any(
            work.fork is not None and work.fork.twice
            for flight in self._flights.of(_Sent)
            for work in flight.about.task.works
        )

    def _write(self) -> None:
        if self._rows or self._environments:
            if self.begin is not None:
                self.begin()
                self.begin = None
            for each in self._environments:
                self._folder.remember(each)
            self._environments = []
        if self._rows:
            self._folder.append(self._rows)
            counts = Counter(row["status"] for row in self._rows)
            self._folder.log("rows", **counts)
            self._watcher.finished(self._rows)
            self._rows = []
            self._written = time.monotonic()


def _why(ended: Any) -> str:
    return duration(ended.limit) if isinstance(ended, Overdue) else str(ended.reason)


def _name(task: Task) -> str:
    """How Ray calls a task: few distinct names, since its driver keeps each."""
    segment, fork = task.segment, task.works[0].fork
    kind = "float" if fork is None else fork.cells[0].arm if len(fork.cells) == 1 else fork.training
    return f"{segment.dataset} {segment.model} {kind}"
