"""A study and a result folder -> rows: what is missing is run on Ray.

Tasks only, and one driver that collects and writes. A checkpoint goes from task to task through
Ray's object store; rows come back to the driver and are on disk before the next are waited for.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from bench import datasets, models
from bench.datasets import Dataset
from bench.datasets.changed.training import changed
from bench.errors import InputError
from bench.metrics import own as own_metrics
from bench.plan.cells import Cell
from bench.plan.data import check_data
from bench.plan.schedule import DataKey, data_key
from bench.plan.trajectories import trajectories
from bench.plugins import whole
from bench.runner.connection import check_answers, connected
from bench.runner.cpus import CpuTypes
from bench.runner.dispatch import Dispatcher
from bench.runner.folder import Folder, held
from bench.runner.pipeline import Pipeline
from bench.runner.watcher import Watcher
from bench.study import Study

PIPELINE = "bench.pipelines.cell"
"""The module that does the work in every worker: prepare(), probe(), trace(), run_segment(),
run_fork()."""

OWN_PIPELINE = "bench.pipelines.own"
"""The same of a whole pipeline of somebody's own: run_fork() alone."""


def run(
    study: Study,
    out: Path,
    watcher: Watcher,
    address: str | None = None,
    workers: int | None = None,
    more: Callable[[], Sequence[Cell]] | None = None,
    pipeline: str | None = None,
    keep_models: bool = False,
) -> None:
    """Run what is missing of a study in the result folder `out`.

    address: of a Ray cluster, or None for a Ray of this run's own on loopback; workers: CPUs of
    that one, by default all; more: of a sequential study, the cells that the data so far call for,
    asked again when these have rows, until there are none; pipeline: the module that does the
    work, by default PIPELINE, of somebody's whole pipeline OWN_PIPELINE; keep_models: shall the
    TFLite files be kept in the folder too? Raises InputError if a dataset is not there or not as
    expected, if `out` cannot be written or holds results that this study may not be added to, if
    nothing answers at `address`, if no node there has this package and TensorFlow, or if a model or
    pipeline is of no use; nothing is written then.
    """
    check_data(study)
    module = pipeline or (PIPELINE if study.pipeline is None else OWN_PIPELINE)
    if address is not None:
        check_answers(address)
    elif study.cpus > (there := workers or os.cpu_count() or 1):
        raise InputError(
            "cpus",
            f"found {study.cpus}, and the workers have {there} together",
            f"allowed: 1 to {there}, or a cluster (--address)",
        )
    with held(study, out) as folder, ExitStack() as stack:
        wanted = {cell.id: cell for cell in folder.places}
        results = folder.results()
        missing = [cell for cell in wanted.values() if cell.id not in results]
        watcher.planned(
            list(wanted.values()),
            [results[cell] for cell in wanted if cell in results],
            folder.others(wanted),
        )
        if keep_models and (without := folder.without_model()):
            watcher.said(
                f"{without} cells are there already without their file, which was not kept when "
                "they ran: another folder (--out) has all of them"
            )
        if not missing and more is not None:
            missing = list(more())
            folder.add(missing)
            watcher.added(missing)
        if missing:
            types = CpuTypes(folder.cpu_types(), same=study.require_same == "cpu")
            load = _Loader(study, folder)

            def begin() -> None:
                folder.start()
                load.write_labels()

            stack.enter_context(connected(address, workers, module))
            own, measures = models.own(study.models), own_metrics.named(study.metrics)
            mine = whole.named(study.models)
            work = Pipeline(module, own, keep_models, measures, mine, study.diagnosed)
            dispatcher = Dispatcher(
                folder,
                watcher,
                work,
                study.resources,
                study.timeout,
                local=address is None,
                types=types,
            )
        while missing:
            data = load(missing)  # while the workers import TensorFlow
            if study.pipeline is None:
                dispatcher.probe(missing, data)
                watcher.waiting(dispatcher.capacity())
                missing = dispatcher.possible(missing, study.arms)
                folder.start()
                load.write_labels()
            else:
                watcher.waiting(dispatcher.capacity())
                dispatcher.begin = begin
            folder.log("runs", cells=len(missing), tasks_at_once=dispatcher.capacity())
            try:
                dispatcher.collect(trajectories(missing), data)
            except BaseException as error:
                folder.log("ended", by=type(error).__name__)
                with suppress(InputError):
                    folder.write_log()
                raise
            missing = list(more()) if more is not None else []
            folder.add(missing)
            watcher.added(missing)
        folder.start()
        folder.compact()
        folder.log("done")
        folder.write_log()


class _Loader:
    """Reads data when cells first need them."""

    def __init__(self, study: Study, folder: Folder) -> None:
        self._sources = {datasets.label(source): source for source in study.datasets}
        levels = study.levels("train_examples")
        chosen = [examples for examples in levels if examples is not None]
        all_of_them = study.pipeline is not None or len(chosen) < len(levels)
        self._most = None if all_of_them else max(chosen)
        self._folder, self._reading = folder, study.reading
        self._task = study.objective.task
        self._loaded: dict[str, Dataset] = {}
        self._given: set[DataKey] = set()

    def __call__(self, needed: Sequence[Cell]) -> dict[DataKey, Dataset]:
        """What was not given before, by dataset and what is done to its training examples."""
        keys = {data_key(cell): None for cell in needed}
        fresh = [key for key in keys if key not in self._given]
        self._given.update(fresh)
        for name, _ in fresh:
            if name not in self._loaded:
                source = self._sources[name]
                self._loaded[name] = datasets.load(source, self._most, self._reading, self._task)
        return {key: changed(self._loaded[key[0]], dict(key[1])) for key in fresh}

    def write_labels(self) -> None:
        for label, data in self._loaded.items():
            if len(data.y_test):  # a pipeline that gives metrics by name needs none
                self._folder.write_labels(label, data)
