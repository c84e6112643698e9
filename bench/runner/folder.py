"""What a run finds in its result folder, whether it may add to it, and what it adds."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import datasets
from bench.datasets import Dataset
from bench.errors import InputError
from bench.plan.cells import Cell, cells
from bench.runner import environment
from bench.store.folder import Store
from bench.store.lock import writing
from bench.store.schema import EVALUATED, FILE, LOG, RESULTS
from bench.study import Study
from bench.study.factors import FACTORS

LOGGED = 1000
"""Events that wait for others, to be written together."""

SHOWN = ("dataset", "model", *FACTORS, "own_factors", "arm", "budget", "accuracy", "metrics")
"""Columns of a row that progress is made of."""

USED = (*SHOWN, "seed", "cpu")
"""And those by which a run goes on."""


class Folder:
    """The result folder of a run that holds it. Every method that writes raises InputError if that
    is not possible, or if the folder is no more."""

    def __init__(self, study: Study, store: Store, lock: Any) -> None:
        self._study, self._store, self._lock = study, store, lock
        rows = store.rows(*USED)
        self._trusted = self._trust_labels({*rows.doubted, *rows.unlabelled})
        if self._trusted:
            rows = store.rows(*USED)
        shown = rows.table.select(["cell", "status", *USED]).to_pylist()
        self._known = {row["cell"]: row for row in shown}
        self._about = about(study, store, len(self.results()))
        self.places = places(study, store)
        self._started = False
        self._logged: list[str] = []
        self._run = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")

    def _trust_labels(self, doubted: set[str]) -> dict[str, Dataset]:
        """Have rows checked against the data's own labels where labels.parquet is lost, damaged or
        contradicted by most rows. Returns those data sets."""
        sources = {datasets.label(source): source for source in self._study.datasets}
        reading, task = self._study.reading, self._study.objective.task
        found = {
            name: datasets.load(source, options=reading, task=task)
            for name, source in sources.items()
            if name in doubted
        }
        for name, data in found.items():
            self._store.trust_labels(name, data.y_test)
        return found

    def results(self) -> dict[str, dict[str, Any]]:
        """The rows of cells that had a result at the start, by cell: with all that is asked for."""
        return {cell: row for cell, row in self._known.items() if self._is_result(row)}

    def cpu_types(self) -> dict[tuple[str, str, int], str]:
        """The CPU type on which each data set, model and seed has its results. Raises InputError
        where the study wants one type for all, and there are several."""
        rows = [row for row in self.results().values() if row["cpu"] is not None]
        types = sorted({row["cpu"] for row in rows})
        if self._study.require_same == "cpu" and len(types) > 1:
            raise InputError(
                "require_same",
                f"results on {len(types)} CPU types are in {self._store} ({'; '.join(types)})",
                "allowed: without it, or another folder (--out)",
            )
        return {(row["dataset"], row["model"], row["seed"]): row["cpu"] for row in rows}

    def _is_result(self, row: Mapping[str, Any]) -> bool:
        """Has the cell a result, with every metric of the study, where it was evaluated?"""
        if row["status"] not in EVALUATED:
            return row["status"] in RESULTS
        measured = {name for name, _ in row["metrics"] or ()}
        if row["accuracy"] is not None:
            measured.add("accuracy")
        return measured.issuperset(self._study.metrics)

    def others(self, wanted: Collection[str]) -> int:
        """How many rows there are of cells that are not wanted."""
        return len(self._known.keys() - set(wanted))

    def start(self) -> None:
        """Write what the rows need beside them: the study, the plan, what identifies the data."""
        if not self._started:
            with self._writing():
                self._store.write_study(self._study)
                self._store.write_metrics(self._study.declared_metrics())
                self._store.write_environment(self._about)
                self._write_plan()
            self._started = True
            for label, data in self._trusted.items():
                self.write_labels(label, data)

    def add(self, more: Sequence[Cell]) -> None:
        """Add cells to the plan."""
        self.places += more
        if more and self._started:
            with self._writing():
                self._write_plan()

    def log(self, what: str, **fields: Any) -> None:
        """Note an event in the run's log: what, when, and its fields. It comes to the disk with
        others."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._logged.append(json.dumps({"at": at, "what": what, **fields}))
        if len(self._logged) > LOGGED:
            self.write_log()

    def write_log(self) -> None:
        """Write what was logged since the last time."""
        if self._started and self._logged:
            lines, self._logged = self._logged, []
            with self._writing():
                self._store.append_log(self._run, "".join(f"{line}\n" for line in lines))

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Make rows durable, and before them the TFLite files and logs that they carry, which are
        then taken out of them: a row that is there has its file there."""
        with self._writing():
            for row in rows:
                file, log = row.pop(FILE, None), row.pop(LOG, None)
                if file is not None:
                    self._store.write_model(row["cell"], file)
                if log is not None:
                    self._store.write_log(row["cell"], log)
            self._store.append(rows)

    def without_model(self) -> int:
        """How many evaluated cells of the plan have no TFLite file here."""
        kept, planned = self._store.models(), {cell.id for cell in self.places}
        return sum(
            row["status"] in EVALUATED and cell in planned and cell not in kept
            for cell, row in self._known.items()
        )

    def remember(self, found: dict[str, Any]) -> None:
        """Note a worker's environment, once."""
        key = environment.key(found)
        if key not in self._about["environments"]:
            self._about["environments"][key] = found
            with self._writing():
                self._store.write_environment(self._about)

    def has_baselines(self, label: str) -> bool:
        return label in self._about["baselines"]

    def remember_baselines(self, label: str, found: Mapping[str, float]) -> None:
        """Keep what classifiers of a data set's raw inputs score."""
        self._about["baselines"][label] = dict(found)
        with self._writing():
            self._store.write_environment(self._about)

    def write_labels(self, label: str, data: Dataset) -> None:
        with self._writing():
            self._store.write_labels(label, data.y_test, data.classes, data.paths, data.groups)
            before = deepcopy(self._about)
            if data.notes:
                self._about.setdefault("taken", {})[label] = list(data.notes)
            if data.groups is not None and data.trained_groups is not None:
                trained = len(data.trained_groups & set(data.groups))
                self._about.setdefault("groups", {})[label] = trained
            if self._about != before:
                self._store.write_environment(self._about)

    @property
    def waiting(self) -> int:
        """Files that are on this machine alone, since the storage has not taken them."""
        return self._lock.waiting

    def compact(self) -> None:
        with self._writing():
            self._store.compact()

    def _write_plan(self) -> None:
        self._store.write_plan([cell.columns for cell in self.places])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with writing(str(self._store)):
            self._lock.check()
            yield


@contextmanager
def held(study: Study, out: Path) -> Iterator[Folder]:
    """The result folder of a study, for this run alone. Raises InputError if another run has it, if
    it cannot be written, or if the study may not be added to what is there."""
    store = Store(out)
    with store.lock() as lock:
        yield Folder(study, store, lock)


def places(study: Study, store: Store) -> list[Cell]:
    """The cells of all places of the study.

    In a study with looks these are the cells of the first look and those that later looks have
    called for, so that a failed one of these runs again too.
    """
    first = cells(study.at_first_look)
    if study.sequential is None:
        return first
    plan = _plan_before(store)
    if plan is None or not plan.num_rows:
        return first
    known, most = set(plan["cell"].to_pylist()), max(plan["seed"].to_pylist())
    seeds = len(study.seeds) + max(most - max(study.seeds), 0)
    asked = known - {cell.id for cell in first}
    return first + [cell for cell in cells(study.with_seeds(seeds)) if cell.id in asked]


def about(study: Study, store: Store, there: int) -> dict[str, Any]:
    """environment.json with this study's data. Raises InputError if the study may not be added to
    what is there: `there` cells with a result."""
    found = store.environment()
    if "recipe" in found:  # of a version that did not identify data by content
        found.pop("recipe")
        found["data"] = {}
    found = {"data": {}, "environments": {}, "baselines": {}, "declared": []} | found
    before = _study_before(store)
    contents = {datasets.label(s): datasets.identity(s, study.reading) for s in study.datasets}
    _check_same_data(store, found["data"], contents)
    if before is not None and there:
        _check_title(store, before, study)
        _check_looks(store, before, study)
    found["data"] |= contents
    _note_declared(found, before if there else None, study, there)
    revision = environment.git_revision()
    return found | ({"git": revision} if revision else {})


def _plan_before(store: Store) -> Any:
    """None too where it is damaged: the run writes it anew."""
    try:
        return store.plan()
    except InputError:
        return None


def _study_before(store: Store) -> Study | None:
    """None too where it is damaged: the run writes it anew."""
    try:
        return store.study()
    except InputError:
        return None


def _check_same_data(store: Store, known: dict[str, str], contents: dict[str, str]) -> None:
    for label, content in contents.items():
        if known and known.get(label) != content:
            found = (
                f"results of other data that are also called {label!r}"
                if label in known
                else f"results of {', '.join(map(repr, sorted(known)))}, not of {label!r}"
            )
            raise InputError(str(store), found, "allowed: the same data, or another folder (--out)")


def _check_title(store: Store, before: Study, study: Study) -> None:
    if before.title != study.title:
        raise InputError(
            str(store),
            f"results of the study {before.title!r}, not of {study.title!r}",
            "allowed: the same title, or another folder (--out)",
        )


def _check_looks(store: Store, before: Study, study: Study) -> None:
    """What the first look has fixed stays: looks, level, margin and primary family."""
    if before.sequential is None and study.sequential is None:
        return
    names = (
        *("sequential", "alpha", "delta", "primary", "primary_over", "baseline"),
        *("decides", "direction"),
    )
    changed = [
        f"{name} {_shown(getattr(before, name))} -> {_shown(getattr(study, name))}"
        for name in names
        if getattr(before, name) != getattr(study, name)
    ]
    if changed:
        raise InputError(
            str(store),
            f"the looks at its data, and what they test, were fixed when its run started; changed: "
            f"{'; '.join(changed)}",
            "allowed: the same (--until, --max-seeds, alpha, delta, primary), or another folder "
            "(--out)",
        )


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if hasattr(value, "model_dump"):
        return ", ".join(f"{k}={v}" for k, v in value.model_dump(exclude_none=True).items())
    return str(value)


def _note_declared(found: dict[str, Any], before: Study | None, study: Study, there: int) -> None:
    """Keep what was declared, and when: a change after results were there is said in the report."""
    history = found["declared"]
    if not history and before is not None:
        history.append(_declaration(before) | {"at": None, "cells": 0})
    now = _declaration(study)
    last = {name: history[-1].get(name) for name in now} if history else None
    if last != now:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        history.append(now | {"at": at, "cells": there})


def _declaration(study: Study) -> dict[str, Any]:
    return {
        "alpha": study.alpha,
        "delta": study.delta,
        "primary": [*study.primary_contrasts, *map(str, study.primary_effects)],
        "primary_over": list(study.primary_over),
        **({"decides": study.decides, "direction": study.direction} if study.decides else {}),
    }
