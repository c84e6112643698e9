"""Cells -> rows on Ray: the only module that knows it.

Tasks only, and one driver that collects and writes. A checkpoint goes from task to task through
Ray's object store; rows come back to the driver and are on disk before the next are waited for.
"""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from bench import datasets
from bench.datasets import Dataset
from bench.errors import InputError
from bench.plan.cells import Cell, check_data
from bench.plan.schedule import AHEAD, DataKey, Schedule, Task, data_key, traced_ahead
from bench.plan.trajectories import Trajectory, trajectories
from bench.runner import environment, folder, sockets
from bench.runner.worker import WORKER_ENVIRONMENT, Outcome, Refusal, tasks
from bench.store.folder import Store
from bench.store.schema import RESULTS
from bench.study import Study

RETRIES = 2
"""How often a task runs again whose worker or node died."""

WRITE_EVERY_S = 0.5
"""Rows wait this long for others to share a file with: what a kill of the driver can lose."""

PIPELINE = "bench.pipelines.cell"
"""The module that does the work in every worker: prepare(), trace(), run_segment(), run_fork()."""


class Watcher(Protocol):
    """Whoever shows how a run goes on."""

    def planned(self, wanted: Sequence[Cell], rows: Sequence[dict[str, Any]], others: int) -> None:
        """Once, before anything runs: all cells of the study, the rows that are there already, and
        how many rows of other cells lie in the folder, which are left alone."""

    def added(self, wanted: Sequence[Cell]) -> None:
        """Cells that a look at the data called for; none: the run ends here."""

    def finished(self, rows: Sequence[dict[str, Any]]) -> None:
        """Rows that are on disk now."""

    def said(self, text: str) -> None:
        """What somebody should know at once."""


def run(
    study: Study,
    out: Path,
    watcher: Watcher,
    address: str | None = None,
    workers: int | None = None,
    more: Callable[[], Sequence[Cell]] | None = None,
    pipeline: str = PIPELINE,
) -> None:
    """Run what is missing of a study in the result folder `out`.

    address: of a Ray cluster, or None for a Ray of this run's own on loopback; workers: CPUs of
    that one, by default all; more: of a sequential study, the cells that the data so far call for,
    asked again when these have rows, until there are none; pipeline: the module that does the
    work. Raises InputError if a dataset is not there or not as expected, if nothing answers at
    `address`, if no node there has this package and TensorFlow, or if `out` holds results that this
    study may not be added to; nothing is written then.
    """
    check_data(study)
    if address is not None:
        _check_answers(address)
    store = Store(out)
    load = _Loader(study, store)
    shown = ("arm", "budget", "accuracy")
    rows = store.rows(*shown)
    if load.trust_labels([*rows.doubted, *rows.unlabelled]):
        rows = store.rows(*shown)
    about = folder.about(study, store)
    known = {row["cell"]: row for row in rows.table.select(["cell", "status", *shown]).to_pylist()}
    wanted = folder.planned(study, store)
    results = {cell: row for cell, row in known.items() if row["status"] in RESULTS}
    missing = [cell for cell in wanted.values() if cell.id not in results]
    watcher.planned(
        list(wanted.values()),
        [results[cell] for cell in wanted if cell in results],
        len(known.keys() - wanted.keys()),
    )
    if not missing and more is not None:
        missing = list(more())
        watcher.added(missing)
    with ExitStack() as stack:
        data: dict[DataKey, Dataset] = {}
        if missing:
            capacity = stack.enter_context(_ray(address, workers, pipeline))
            driver = _Driver(store, about, watcher, capacity, pipeline)
            data = load(missing)  # while the workers import TensorFlow
        stack.enter_context(store.lock())
        store.write_study(study)
        store.write_environment(about)
        load.write_labels()
        places = folder.places(study, store)
        store.write_plan([cell.columns for cell in places])
        while missing:
            driver.collect(trajectories(missing), data)
            missing = list(more()) if more is not None else []
            if missing:
                places += missing
                store.write_plan([cell.columns for cell in places])
            watcher.added(missing)
            data = load(missing)
            load.write_labels()
        store.compact()


class _Loader:
    """Reads data when cells first need them."""

    def __init__(self, study: Study, store: Store) -> None:
        self._sources = {datasets.label(source): source for source in study.datasets}
        chosen = [examples for examples in study.levels("train_examples") if examples is not None]
        self._most = max(chosen) if len(chosen) == len(study.levels("train_examples")) else None
        self._store = store
        self._loaded: dict[str, Dataset] = {}
        self._given: set[DataKey] = set()

    def __call__(self, needed: Sequence[Cell]) -> dict[DataKey, Dataset]:
        """What was not given before, by dataset and choice of training examples."""
        keys = {(c.dataset, c.recipe["train_examples"]): None for c in needed}
        fresh = [key for key in keys if key not in self._given]
        self._given.update(fresh)
        for name, _ in fresh:
            if name not in self._loaded:
                self._loaded[name] = datasets.load(self._sources[name], self._most)
        return {(name, examples): self._loaded[name].first(examples) for name, examples in fresh}

    def trust_labels(self, names: Sequence[str]) -> bool:
        """Have rows checked against the data's own labels where labels.parquet is lost, damaged or
        contradicted by most rows. Returns whether any of these datasets is the study's."""
        ours = [name for name in names if name in self._sources]
        for name in ours:
            self._loaded[name] = datasets.load(self._sources[name], self._most)
            self._store.trust_labels(name, self._loaded[name].y_test)
        return bool(ours)

    def write_labels(self) -> None:
        for name, data in self._loaded.items():
            self._store.write_labels(name, data.y_test, data.classes, data.paths)


def _check_answers(address: str) -> None:
    """Raises InputError if nothing listens at a host:port; Ray itself tries for 14 minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():  # `auto`, or something that Ray explains
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            "--address", f"no Ray answers at {address!r} ({error})", "allowed: a running cluster"
        ) from None


@contextmanager
def _ray(address: str | None, workers: int | None, pipeline: str) -> Iterator[Callable[[], int]]:
    """A connected Ray. Yields a function that tells how many CPUs it has now."""
    own = address is None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray retries tasks killed for memory for ever otherwise.
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))
    # A metric per task would grow the driver with every cell.
    os.environ.setdefault("RAY_enable_metrics_collection", "0")
    if own:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # all on 127.0.0.1
        # Workers start with Ray, and a runtime_env would make it start others; they import
        # TensorFlow while they register.
        os.environ.update(WORKER_ENVIRONMENT)
        os.environ |= {"RAY_preload_python_modules": pipeline}
    else:
        # One try of 40 s, not 20, for what was there and is gone.
        os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "1")
    import ray

    on_term = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address="local" if own else address,
            num_cpus=workers if own else None,
            include_dashboard=False if own else None,
            log_to_driver=False,
            logging_level="error",
            runtime_env=None if own else {"env_vars": WORKER_ENVIRONMENT},
        )
    except (ConnectionError, RuntimeError, ray.exceptions.AuthenticationError) as error:
        if own:
            raise
        reason = str(error).strip().splitlines()[-1]
        raise InputError(
            "--address", f"no Ray answers at {address!r} ({reason})", "allowed: a running cluster"
        ) from None
    if own:
        _check_loopback()
    # Ray's own handler aborts the process (`ray job stop` sends SIGTERM): no clean-up, exit 134.
    signal.signal(signal.SIGTERM, on_term)
    try:
        yield lambda: int(ray.cluster_resources().get("CPU", 1))
    finally:
        ray.shutdown()


def _check_loopback() -> None:
    """Raises RuntimeError, after Ray's end, if a process of it listens beyond this machine."""
    import ray

    open_ones = sockets.beyond_loopback()
    if open_ones:
        ray.shutdown()
        raise RuntimeError(
            f"Ray listens on {', '.join(open_ones)}, not on loopback alone: it was stopped. "
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER must be 0, or unset, before Ray is imported"
        )


class _Driver:
    """Sends what the schedule says, a bounded number at a time, and writes what comes."""

    def __init__(
        self,
        store: Store,
        about: dict[str, Any],
        watcher: Watcher,
        capacity: Callable[[], int],
        pipeline: str,
    ) -> None:
        self._store, self._about = store, about
        self._watcher, self._capacity = watcher, capacity
        self._pipeline = pipeline
        self._expected = environment.code()
        self._tasks = tasks(RETRIES)
        # Importing TensorFlow takes a worker longer than anything before the first step.
        self._warm = [self._tasks.warm_up.remote(pipeline) for _ in range(capacity())]
        self._schedule = Schedule()
        self._again: list[Task] = []  # that a node has refused
        self._refusing: dict[str, str] = {}  # node -> what it has instead
        self._data: dict[DataKey, Any] = {}
        self._flying: dict[Any, tuple[Task, Any]] = {}
        self._rows: list[dict[str, Any]] = []  # not on disk yet
        self._written = time.monotonic()

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
        while self._schedule or self._again or self._flying:
            self._send()
            flying = list(self._flying)
            ray.wait(flying, timeout=self._patience())
            # Whatever else has landed comes along.
            landed, _ = ray.wait(flying, num_returns=len(flying), timeout=0)
            for ref in landed:
                self._rows += self._land(ref)
            if self._patience() == 0:
                self._write()
        self._write()

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
            reason = f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"[:500]
            return [cell.failure("failed", reason) for cell in self._schedule.failed(task)]
        if isinstance(outcome, Refusal):
            self._refused(outcome)
            self._again.append(task)
            return []
        if outcome.environment is not None:
            self._remember(outcome.environment)
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

        self._refusing[refusal.node] = refusal.found
        alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        able = {n["NodeID"] for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU")}
        if not (able or alive) - self._refusing.keys():
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

    def _remember(self, found: dict[str, Any]) -> None:
        key = environment.key(found)
        if key not in self._about["environments"]:
            self._about["environments"][key] = found
            self._store.write_environment(self._about)

    def _patience(self) -> float | None:
        """Seconds that rows may still wait for others to share a file; None: there are none."""
        if not self._rows:
            return None
        return max(0.0, self._written + WRITE_EVERY_S - time.monotonic())

    def _write(self) -> None:
        if self._rows:
            self._store.append(self._rows)
            self._watcher.finished(self._rows)
            self._rows = []
            self._written = time.monotonic()
