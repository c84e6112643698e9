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
from bench.plan.cells import RECIPE, Cell, cells, check_data
from bench.plan.schedule import AHEAD, DataKey, Schedule, Task, data_key, traced_ahead
from bench.plan.trajectories import Trajectory, trajectories
from bench.runner import environment
from bench.runner.worker import WORKER_ENVIRONMENT, Outcome, tasks
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

    def planned(self, wanted: Sequence[Cell], rows: Sequence[dict[str, Any]]) -> None:
        """Once, before anything runs: all cells of the study, the rows that are there already."""

    def added(self, wanted: Sequence[Cell]) -> None:
        """Cells that a look at the data called for; none: the run ends here."""

    def finished(self, rows: Sequence[dict[str, Any]]) -> None:
        """Rows that are on disk now."""


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
    work. Raises InputError if a dataset is not
    there or not as expected, if nothing answers at `address`, or if `out` holds results of other
    data or other looks; nothing is written then.
    """
    check_data(study)
    if address is not None:
        _check_answers(address)
    store = Store(out)
    about = _about(study, store)
    wanted = cells(study.at_first_look)
    load = _Loader(study, store)
    shown = ("arm", "budget", "accuracy")
    rows = store.rows(*shown)
    if load.trust_labels([*rows.doubted, *rows.unlabelled]):
        rows = store.rows(*shown)
    known = rows.table.select(["cell", "status", *shown]).to_pylist()
    results = {row["cell"]: row for row in known if row["status"] in RESULTS}
    missing = [cell for cell in wanted if cell.id not in results]
    watcher.planned(wanted, [results[cell.id] for cell in wanted if cell.id in results])
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
        while missing:
            driver.collect(trajectories(missing), data)
            missing = list(more()) if more is not None else []
            watcher.added(missing)
            data = load(missing)
            load.write_labels()
        store.compact()


class _Loader:
    """Reads data when cells first need them."""

    def __init__(self, study: Study, store: Store) -> None:
        self._sources = {datasets.label(source): source for source in study.datasets}
        chosen = [examples for examples in study.train_examples if examples is not None]
        self._most = max(chosen) if len(chosen) == len(study.train_examples) else None
        self._store = store
        self._loaded: dict[str, Dataset] = {}
        self._given: set[DataKey] = set()

    def __call__(self, needed: Sequence[Cell]) -> dict[DataKey, Dataset]:
        """What was not given before, by dataset and choice of training examples."""
        keys = {(c.dataset, c.recipe.train_examples): None for c in needed}
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


def _about(study: Study, store: Store) -> dict[str, Any]:
    """environment.json with this study's data. Raises InputError if it holds other results."""
    about = {"recipe": RECIPE, "data": {}, "environments": {}} | store.environment()
    if about["recipe"] != RECIPE:
        raise InputError(
            str(store.folder),
            f"results of recipe {about['recipe']}, made by another version of this program",
            f"allowed: a folder of recipe {RECIPE}, or a new one (--out)",
        )
    for source in study.datasets:
        label, content = datasets.label(source), datasets.identity(source)
        if about["data"].setdefault(label, content) != content:
            raise InputError(
                str(store.folder),
                f"results of other data that are also called {label!r}",
                "allowed: the same data, or another folder (--out)",
            )
    try:
        before = store.study()
    except InputError:  # damaged: written anew below
        before = None
    if before is not None and before.sequential != study.sequential and store.done():
        raise InputError(
            str(store.folder),
            "the looks at its data were fixed when its run started",
            "allowed: the same --until and --max-seeds (or none where there was none), or another "
            "folder (--out)",
        )
    revision = environment.git_revision()
    return about | ({"git": revision} if revision else {})


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
    # Ray's own handler aborts the process (`ray job stop` sends SIGTERM): no clean-up, exit 134.
    signal.signal(signal.SIGTERM, on_term)
    try:
        yield lambda: int(ray.cluster_resources().get("CPU", 1))
    finally:
        ray.shutdown()


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
        self._tasks = tasks(RETRIES)
        # Importing TensorFlow takes a worker longer than anything before the first step.
        self._warm = [self._tasks.warm_up.remote(pipeline) for _ in range(capacity())]
        self._schedule = Schedule()
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
        while self._schedule or self._flying:
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
        while self._schedule and len(self._flying) < AHEAD * cpus:
            task = self._schedule.next(cpus)
            # The forks travel as pieces of their own: a bare segment's task needs none of them.
            works = [
                [(replace(segment, forks=()), fork) for segment, fork in work.pieces]
                for work in task.works
            ]
            arguments = (self._pipeline, self._data[data_key(task.segment)], works, task.checkpoint)
            if task.leaves_checkpoint:
                after, outcome = self._tasks.leaving.remote(*arguments)
            else:
                after, outcome = None, self._tasks.ending.remote(*arguments)
            self._flying[outcome] = (task, after)

    def _land(self, ref: Any) -> list[dict[str, Any]]:
        """Rows of a task that ended; the schedule learns what became possible."""
        import ray

        task, after = self._flying.pop(ref)
        try:
            outcome: Outcome = ray.get(ref)
        except ray.exceptions.RayError as error:
            reason = f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"[:500]
            return [cell.failure("failed", reason) for cell in self._schedule.failed(task)]
        if outcome.environment is not None:
            self._remember(outcome.environment)
        self._schedule.landed(task, outcome.seconds, after)
        return outcome.rows

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
