"""Sends tasks to Ray as the schedule says, a bounded number at a time, and writes what comes."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any, Protocol

from bench.datasets import Dataset
from bench.errors import InputError
from bench.plan.cells import Cell
from bench.plan.schedule import AHEAD, DataKey, Schedule, Task, data_key, traced_ahead
from bench.plan.trajectories import Trajectory
from bench.runner import environment, probes
from bench.runner.connection import RETRIES
from bench.runner.folder import Folder
from bench.runner.isolation import WorkFailed
from bench.runner.pipeline import Pipeline
from bench.runner.probes import Place, Probe
from bench.runner.worker import Outcome, Probed, Refusal, tasks

WRITE_EVERY_S = 0.5
"""Rows wait this long for others to share a file with: what a kill of the driver can lose."""


class Watcher(Protocol):
    """Whoever shows how a run goes on."""

    def planned(self, wanted: Sequence[Cell], rows: Sequence[dict[str, Any]], others: int) -> None:
        """Once, before anything runs: all cells of the study, the rows that are there already, and
        how many rows of other cells lie in the folder, which are left alone."""

    def waiting(self, cpus: int) -> None:
        """So many workers import TensorFlow and try models: some seconds in which to say more."""

    def added(self, wanted: Sequence[Cell]) -> None:
        """Cells that a look at the data called for; none: the run ends here."""

    def finished(self, rows: Sequence[dict[str, Any]]) -> None:
        """Rows that are on disk now."""

    def said(self, text: str) -> None:
        """What somebody should know at once."""


class Dispatcher:
    """The driver's side of a connected Ray."""

    def __init__(
        self, folder: Folder, watcher: Watcher, capacity: Callable[[], int], pipeline: Pipeline
    ) -> None:
        self._folder, self._watcher, self._capacity = folder, watcher, capacity
        import ray

        self._pipeline = ray.put(pipeline)  # with somebody's own `files` it may be large
        self._expected = environment.code()
        self._tasks = tasks(RETRIES)
        # Importing TensorFlow takes a worker longer than anything before the first step.
        self._warm = [self._tasks.warm_up.remote(self._pipeline) for _ in range(capacity())]
        self._schedule = Schedule()
        self._again: list[Task] = []  # that a node has refused
        self._refusing: dict[str, str] = {}  # node -> what it has instead
        self._data: dict[DataKey, Any] = {}
        self._few: dict[str, Any] = {}  # of each data set, what models are tried on
        self._probing: dict[Any, Probe] = {}
        self._tried: set[Place] = set()
        self._unsupported: dict[Place, str] = {}
        self._flying: dict[Any, tuple[Task, Any]] = {}
        self._trivial: dict[str, Any] = {}  # of each data set, what classifiers of raw inputs score
        self._rows: list[dict[str, Any]] = []  # not on disk yet
        self._written = time.monotonic()

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
            self._watcher.said(line)
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
        self._send()
        self._warm += [
            self._tasks.trace.remote(
                self._pipeline, self._data[data_key(each.segments[0])], each.segments
            )
            for each in traced_ahead(planned, self._capacity())
        ]
        self._send_baselines()
        while self._schedule or self._again or self._flying:
            self._send()
            for ref in self._landed(self._flying, self._patience()):
                self._rows += self._land(ref)
            if self._patience() == 0:
                self._write()
        self._write()
        self._land_baselines()

    def _send_baselines(self) -> None:
        """Once for each data set, on as many training examples as any cell uses."""
        of_label: dict[str, list[DataKey]] = {}
        for label, examples in self._data:
            of_label.setdefault(label, []).append((label, examples))
        for label, keys in of_label.items():
            if label not in self._trivial and not self._folder.has_baselines(label):
                most = max(keys, key=lambda key: inf if key[1] is None else key[1])
                function = self._on_a_like_node(self._tasks.baselines)
                self._trivial[label] = function.remote(self._data[most])

    def _land_baselines(self) -> None:
        import ray

        for label, ref in self._trivial.items():
            if self._folder.has_baselines(label):
                continue
            try:
                self._folder.remember_baselines(label, ray.get(ref))
            except ray.exceptions.RayError as error:
                self._watcher.said(f"{label}: no trivial baseline ({_reason(error)})")

    def _landed(self, flying: Mapping[Any, Any], patience: float | None) -> list[Any]:
        """What has ended of these: when one has, or after `patience` seconds, all that have."""
        import ray

        refs = list(flying)
        ray.wait(refs, timeout=patience)
        landed: list[Any] = ray.wait(refs, num_returns=len(refs), timeout=0)[0]
        return landed

    def _send_probe(self, probe: Probe) -> None:
        function = self._on_a_like_node(self._tasks.probe)
        few = self._few[probe.dataset]
        ref = function.remote(self._pipeline, self._expected, few, probe.pieces)
        self._probing[ref] = probe

    def _probed(self) -> list[tuple[Probe, Probed]]:
        import ray

        found = []
        while self._probing:
            for ref in self._landed(self._probing, None):
                probe = self._probing.pop(ref)
                try:
                    outcome: Probed | Refusal = ray.get(ref)
                except ray.exceptions.RayError as error:  # its cells will say why in their rows
                    self._watcher.said(f"{probe.model} could not be tried: {_reason(error)}")
                    continue
                if isinstance(outcome, Refusal):
                    self._refused(outcome)
                    self._send_probe(probe)
                    continue
                for arm, why in outcome.unknown.items():
                    self._watcher.said(f"{arm} of {probe.model} could not be tried: {why}")
                found.append((probe, outcome))
        return found

    def _send(self) -> None:
        cpus = max(1, self._capacity())
        while (self._again or self._schedule) and len(self._flying) < AHEAD * cpus:
            task = self._again.pop() if self._again else self._schedule.next(cpus)
            # The forks travel as pieces of their own: a bare segment's task needs none of them.
            works = [
                [(replace(segment, forks=()), fork) for segment, fork in work.pieces]
                for work in task.works
            ]
            data = self._data[data_key(task.segment)]
            arguments = (self._pipeline, self._expected, data, works, task.checkpoint)
            if task.leaves_checkpoint:
                after, outcome = self._on_a_like_node(self._tasks.leaving).remote(*arguments)
            else:
                after = None
                outcome = self._on_a_like_node(self._tasks.ending).remote(*arguments)
            self._flying[outcome] = (task, after)

    def _land(self, ref: Any) -> list[dict[str, Any]]:
        """Rows of a task that ended; the schedule learns what became possible."""
        import ray

        task, after = self._flying.pop(ref)
        try:
            outcome: Outcome | Refusal = ray.get(ref)
        except ray.exceptions.RayError as error:
            reason = _reason(error)
            return [cell.failure("failed", reason) for cell in self._schedule.failed(task)]
        if isinstance(outcome, Refusal):
            self._refused(outcome)
            self._again.append(task)
            return []
        if outcome.environment is not None:
            self._folder.remember(outcome.environment)
        self._schedule.landed(task, outcome.seconds, after)
        return outcome.rows

    def _on_a_like_node(self, function: Any) -> Any:
        """The remote function, kept from nodes that have refused."""
        if not self._refusing:
            return function
        names = ",".join(self._refusing)
        return function.options(label_selector={"ray.io/node-id": f"!in({names})"})

    def _refused(self, refusal: Refusal) -> None:
        """Raises InputError if no node is left."""
        import ray

        if refusal.node in self._refusing:  # it had several tasks at once
            return
        self._refusing[refusal.node] = refusal.found
        able = {n["NodeID"] for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU")}
        if not able - self._refusing.keys():
            found = "; ".join(f"{node[:8]} has {what}" for node, what in self._refusing.items())
            raise InputError(
                "--address",
                f"no node with {environment.described(self._expected)}: {found}",
                "allowed: the same package and TensorFlow on every node",
            )
        self._watcher.said(
            f"node {refusal.node[:8]} gets no cell: it has {refusal.found}, not "
            f"{environment.described(self._expected)}"
        )

    def _patience(self) -> float | None:
        """Seconds that rows may still wait for others to share a file; None: there are none."""
        if not self._rows:
            return None
        return max(0.0, self._written + WRITE_EVERY_S - time.monotonic())

    def _write(self) -> None:
        if self._rows:
            self._folder.append(self._rows)
            self._watcher.finished(self._rows)
            self._rows = []
            self._written = time.monotonic()


def _reason(error: Exception) -> str:
    """What a task ended with, in a line."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, WorkFailed):
        return str(cause)
    error = error if cause is None else cause
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[-1]}"[:500]
