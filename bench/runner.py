"""Cells -> rows on Ray: the only module that knows it.

Tasks only, and one driver that collects and writes. A checkpoint goes from task to task through
Ray's object store; rows come back to the driver and are on disk before the next are waited for.
"""

import fcntl
import heapq
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from bench import datasets, environment
from bench.datasets import Dataset
from bench.errors import InputError
from bench.plan import RECIPE, Cell, Fork, Segment, Trajectory, cells, check_data, trajectories
from bench.store import Store
from bench.study import Study

RETRIES = 2
"""How often a task runs again whose worker or node died."""

AHEAD = 2
"""Tasks in flight per CPU: one runs, one is ready on the node when it ends."""

WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    # Off by default on CPUs without AVX-512, where it halves the time of a step too.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_USE_LEGACY_KERAS": "1",  # TFMOT knows Keras 2 only
}


_DataKey = tuple[str, int | None]
"""A dataset's label and the training examples that are used of it; None: all."""


class Watcher(Protocol):
    """Whoever shows how a run goes on."""

    def planned(self, wanted: Sequence[Cell], rows: Sequence[dict[str, Any]]) -> None:
        """Once, before anything runs: all cells of the study, the rows that are there already."""

    def added(self, wanted: Sequence[Cell]) -> None:
        """Cells that a look at the data called for; none: the run ends here."""

    def finished(self, rows: Sequence[dict[str, Any]]) -> None:
        """Rows that are on disk now."""


@dataclass(frozen=True)
class Outcome:
    """What a task sends to the driver: rows, and its process's environment the first time."""

    rows: list[dict[str, Any]]
    environment: dict[str, Any] | None


def run(
    study: Study,
    out: Path,
    watcher: Watcher,
    address: str | None = None,
    workers: int | None = None,
    more: Callable[[], Sequence[Cell]] | None = None,
) -> None:
    """Run what is missing of a study in the result folder `out`.

    address: of a Ray cluster, or None for a Ray of this run's own on loopback; workers: CPUs of
    that one, by default all; more: of a sequential study, the cells that the data so far call for,
    asked again when these have rows, until there are none. Raises InputError if a dataset is not
    there or not as expected, if nothing answers at `address`, or if `out` holds results of other
    data or other looks; nothing is written then.
    """
    check_data(study)
    if address is not None:
        _check_answers(address)
    store = Store(out)
    about = _about(study, store)
    wanted = cells(study.at_first_look)
    done = store.done()
    missing = [cell for cell in wanted if cell.id not in done]
    ids = {cell.id for cell in wanted}
    there = [row for row in store.cells()[0].to_pylist() if row["cell"] in ids & done]
    watcher.planned(wanted, there)
    if not missing and more is not None:
        missing = list(more())
        watcher.added(missing)
    with ExitStack() as stack:
        load = _Loader(study, store)
        data: dict[_DataKey, Dataset] = {}
        if missing:
            driver = _Driver(store, about, watcher, stack.enter_context(_ray(address, workers)))
            data = load(missing)  # while the workers import TensorFlow
        stack.enter_context(_locked(out))
        store.write_text("study.toml", study.to_toml())
        store.write_environment(about)
        while missing:
            load.write_labels()
            driver.collect(trajectories(missing), data)
            missing = list(more()) if more is not None else []
            watcher.added(missing)
            data = load(missing)
        store.compact()


class _Loader:
    """Reads data when cells first need them."""

    def __init__(self, study: Study, store: Store) -> None:
        self._sources = {datasets.label(source): source for source in study.datasets}
        self._store = store
        self._loaded: dict[str, Dataset] = {}
        self._given: set[_DataKey] = set()

    def __call__(self, needed: Sequence[Cell]) -> dict[_DataKey, Dataset]:
        """What was not given before, by dataset and choice of training examples."""
        keys = {(c.dataset, c.recipe.train_examples): None for c in needed}
        fresh = [key for key in keys if key not in self._given]
        self._given.update(fresh)
        for name, _ in fresh:
            if name not in self._loaded:
                self._loaded[name] = datasets.load(self._sources[name])
        return {(name, examples): self._loaded[name].first(examples) for name, examples in fresh}

    def write_labels(self) -> None:
        for name, data in self._loaded.items():
            self._store.write_labels(name, data.y_test, data.classes, data.paths)


def _about(study: Study, store: Store) -> dict[str, Any]:
    """environment.json with this study's data. Raises InputError if it holds other results."""
    about = store.environment() or {"recipe": RECIPE, "data": {}, "environments": {}}
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
    before = store.study()
    if before is not None and before.sequential != study.sequential and store.done():
        raise InputError(
            str(store.folder),
            "the looks at its data were fixed when its run started",
            "allowed: the same --until and --max-seeds (or none where there was none), or another "
            "folder (--out)",
        )
    revision = environment.git_revision()
    return about | ({"git": revision} if revision else {})


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the folder for one run. The lock goes with the process, however that ends."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                str(out), "another run is writing there", "allowed: one run per folder at a time"
            ) from None
        yield


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
def _ray(address: str | None, workers: int | None) -> Iterator[Callable[[], int]]:
    """A connected Ray. Yields a function that tells how many CPUs it has now."""
    own = address is None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray retries tasks killed for memory for ever otherwise.
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))
    # A metric per task would grow the driver with every cell.
    os.environ.setdefault("RAY_enable_metrics_collection", "0")
    if own:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # all on 127.0.0.1
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
            runtime_env={"env_vars": WORKER_ENVIRONMENT},
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


@dataclass(frozen=True)
class _Work:
    """A task that can run now: a segment, or one of its forks."""

    place: int  # of the trajectory in the plan
    trajectory: Trajectory
    segment: int
    fork: Fork | None

    @property
    def cells(self) -> list[Cell]:
        """The cells that have no result if this work fails."""
        if self.fork is not None:
            return list(self.fork.cells)
        later = self.trajectory.segments[self.segment :]
        return [cell for segment in later for fork in segment.forks for cell in fork.cells]


class _Driver:
    """Sends work whose checkpoint is there, a bounded number at a time, and writes what comes."""

    def __init__(
        self, store: Store, about: dict[str, Any], watcher: Watcher, capacity: Callable[[], int]
    ) -> None:
        self._store, self._about = store, about
        self._watcher, self._capacity = watcher, capacity
        self._tasks = _tasks()
        # Importing TensorFlow takes a worker longer than anything before the first step.
        self._warm = [self._tasks.warm_up.remote() for _ in range(capacity())]
        self._ready: list[tuple[tuple[int, int, int], int, _Work, Any]] = []
        self._ticket = count()
        self._data: dict[_DataKey, Any] = {}
        self._flying: dict[Any, tuple[_Work, Any]] = {}

    def collect(self, planned: Sequence[Trajectory], data: Mapping[_DataKey, Dataset]) -> None:
        """Run all cells of these trajectories. Returns when each has a row.

        data: what they need that no trajectory before them did.
        """
        import ray

        self._data |= {key: ray.put(each) for key, each in data.items()}
        for place, trajectory in enumerate(planned):
            self._offer(_Work(place, trajectory, 0, None), None)
        while self._ready or self._flying:
            self._send()
            flying = list(self._flying)
            landed, _ = ray.wait(flying)
            # Whatever else has landed goes into the same file.
            landed, _ = ray.wait(flying, num_returns=len(flying), timeout=0)
            self._write([row for ref in landed for row in self._land(ref)])

    def _offer(self, work: _Work, checkpoint: Any) -> None:
        # Depth first: the first seeds' results are complete early, few checkpoints are held.
        place = (work.place, work.segment, 0 if work.fork is None else 1)
        heapq.heappush(self._ready, (place, next(self._ticket), work, checkpoint))

    def _send(self) -> None:
        limit = AHEAD * max(1, self._capacity())
        while self._ready and len(self._flying) < limit:
            _, _, work, checkpoint = heapq.heappop(self._ready)
            segment = work.trajectory.segments[work.segment]
            ref = self._data[segment.dataset, segment.recipe.train_examples]
            # The forks travel with their own task: a checkpoint's task needs none of them.
            bare = replace(segment, forks=())
            if work.fork is None:
                after, outcome = self._tasks.segment.remote(ref, bare, checkpoint)
            else:
                after, outcome = None, self._tasks.fork.remote(ref, bare, work.fork, checkpoint)
            self._flying[outcome] = (work, after)

    def _land(self, ref: Any) -> list[dict[str, Any]]:
        """Rows of a task that ended; offers what its checkpoint makes possible."""
        import ray

        work, after = self._flying.pop(ref)
        try:
            outcome: Outcome = ray.get(ref)
        except ray.exceptions.RayError as error:
            reason = f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"[:500]
            return [cell.failure("failed", reason) for cell in work.cells]
        if outcome.environment is not None:
            self._remember(outcome.environment)
        if work.fork is None:
            for fork in work.trajectory.segments[work.segment].forks:
                self._offer(replace(work, fork=fork), after)
            if work.segment + 1 < len(work.trajectory.segments):
                self._offer(replace(work, segment=work.segment + 1), after)
        return outcome.rows

    def _remember(self, found: dict[str, Any]) -> None:
        key = environment.key(found)
        if key not in self._about["environments"]:
            self._about["environments"][key] = found
            self._store.write_environment(self._about)

    def _write(self, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._store.append(rows)
            self._watcher.finished(rows)


@dataclass(frozen=True)
class _Tasks:
    warm_up: Any
    segment: Any
    fork: Any


def _tasks() -> _Tasks:
    """The remote functions. One CPU each; a dead worker's task runs again on another."""
    import ray

    one_cpu = {"num_cpus": 1, "max_retries": RETRIES}
    return _Tasks(
        ray.remote(**one_cpu)(_warm_up),
        ray.remote(**one_cpu, num_returns=2)(_segment),
        ray.remote(**one_cpu)(_fork),
    )


_told: set[str] = set()


def _warm_up() -> None:
    from bench.pipelines import cell

    cell.hold_to_one_thread()


def _segment(data: Dataset, segment: Segment, before: Any) -> tuple[Any, Outcome]:
    from bench.pipelines import cell

    cell.hold_to_one_thread()
    return cell.run_segment(data, segment, before), Outcome([], _first_time())


def _fork(data: Dataset, segment: Segment, fork: Fork, checkpoint: Any) -> Outcome:
    import ray

    from bench.pipelines import cell

    cell.hold_to_one_thread()
    found = environment.of_this_process()
    where = {
        "node": ray.get_runtime_context().get_node_id()[:8],
        "cpu": found["cpu"],
        "versions": environment.key(found),
    }
    rows = cell.run_fork(data, segment, fork, checkpoint)
    return Outcome([row | where for row in rows], _first_time())


def _first_time() -> dict[str, Any] | None:
    """This process's environment the first time it is asked for, then None."""
    found = environment.of_this_process()
    key = environment.key(found)
    if key in _told:
        return None
    _told.add(key)
    return found
