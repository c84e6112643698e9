"""A result folder, for a run to append to and an analysis to read.

    cells/*.parquet     one row per evaluated model; a new file per batch of rows
    labels.parquet      the test examples' labels, once per dataset
    plan.parquet        the cells that the study asks for
    models/*.tflite     the files that were evaluated, by cell, where a run keeps them
    looks.parquet       which seeds each look at the data of a sequential study saw
    study.toml          the study as run
    metrics.json        unit, direction and smallest difference that matters of each metric
    logs/*.txt          what somebody's own programs printed, of each cell
    environment.json    versions, CPUs, kernels; what identifies the data
    contrasts.parquet, report.html, report.md    what analyze makes of them

Every file is whole or not there, whenever a run is killed (files.py); what was damaged all the same
is found on reading (tables.py, validity.py). A folder of an older version stays readable.
"""

import errno
import tomllib
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench import datasets, metrics
from bench.errors import InputError
from bench.metrics import Metric
from bench.store import cells as rows_of
from bench.store import files, side_files
from bench.store import labels as labels_of
from bench.store.buffers import array, as_text, empty, fits
from bench.store.cells import CELL_SCHEMA, DEFAULTS, Rows
from bench.store.labels import LABEL_SCHEMA, Groups, Labels
from bench.store.remote import address
from bench.store.results import Results
from bench.store.schema import CONTRASTS, LOOKS, PLAN, RESULTS
from bench.store.spill import Spill
from bench.store.tables import DamagedError, decode, encode, from_rows, schema_of
from bench.study import Study, validate
from bench.study.factors import FACTORS

CONTRAST_SCHEMA = schema_of(CONTRASTS)
PLAN_SCHEMA = schema_of(PLAN)
LOOK_SCHEMA = schema_of(LOOKS)

LARGEST_TEXT = 16 << 20
"""Bytes of study.toml and environment.json that are read at most."""

STUDY_FIELDS = frozenset(
    {"title", "datasets", "models", "seeds", "budgets", "extra", "arms", "alpha", "delta"}
)
"""What every version has written to study.toml: one that lacks some was cut short."""

LOGS = "logs"
"""The folder of what programs of somebody's own printed, a file for each cell."""

STUDY_START = "# The study as run. Its last line is: # end\n"
STUDY_END = "# end\n"

MADE_ANEW = "`run` with the same study writes it anew"

ACCURACY = metrics.get("accuracy")
"""What folders of older versions have, which have no metrics.json."""


class Store:
    """A result folder. Nothing is created before the first write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = files.of(folder)
        self._trusted: dict[str, np.ndarray] = {}

    @property
    def _base(self) -> Path:
        """Where relative paths in study.toml start: of a folder in storage, at the root."""
        return Path("/") if address(self.folder) else self.folder

    def __str__(self) -> str:
        return files.shown(self.folder)

    def has(self, name: str) -> bool:
        return self._files.has(name)

    def keep_only(self, folder: str, suffix: str, names: Collection[str]) -> None:
        """Delete the files of a folder with this suffix that have none of these names."""
        for entry in self._files.entries(folder, suffix):
            if entry.name.partition("/")[2] not in names:
                self._files.delete(entry.name)

    def lock(self) -> AbstractContextManager[Any]:
        """Hold the folder for one run, and remove what killed ones left half written. Raises
        InputError if another run holds it, or if it cannot be made or written."""
        return self._files.lock()

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Make rows durable: a new file in cells/. Raises ValueError for a key that is no column
        of schema.CELLS."""
        rows_of.write(self._files, from_rows(rows, CELL_SCHEMA))

    def write_model(self, cell: str, file: bytes) -> None:
        """models/CELL.tflite"""
        self._files.write(f"models/{cell}.tflite", file)

    def models(self) -> set[str]:
        """The cells whose TFLite files are kept."""
        entries = self._files.entries("models", ".tflite")
        return {Path(entry.name).stem for entry in entries}

    def rows(self, *columns: str, spill: Spill | None = None) -> Rows:
        """All valid rows, each cell once, with these columns and those of validity.IDENTITY.

        Rows are checked against the labels that were trusted or written here, else against
        labels.parquet, as far as that can be read. spill: where predictions go, see there.
        """
        try:
            labels = self.labels()
        except InputError:
            labels = {}
        known = {**labels, **self._trusted}
        return rows_of.gather(self._files, columns, known, self._trusted, spill)

    def cells(self) -> tuple[pa.Table, tuple[str, ...]]:
        """All valid rows, each cell once, and the names of files that cannot be read."""
        rows = self.rows(*CELL_SCHEMA.names)
        return rows.table, tuple(rows.unread)

    def statuses(self, *columns: str) -> list[dict[str, Any]]:
        """Of all valid rows, each cell once: `cell`, `status` and these columns."""
        table = self.rows(*columns).table
        rows: list[dict[str, Any]] = table.select(["cell", "status", *columns]).to_pylist()
        return rows

    def done(self) -> set[str]:
        """Identities of the cells that have a result; a failure is none and runs again."""
        return {row["cell"] for row in self.statuses() if row["status"] in RESULTS}

    def compact(self) -> None:
        """Gather rows in few files, sorted (see store.cells.compact)."""
        try:
            labels = self.labels()
        except InputError:
            labels = {}
        rows_of.compact(self._files, {**labels, **self._trusted})

    def labels(self) -> Labels:
        """labels.parquet: dataset -> int32 (examples,). Raises InputError."""
        return self.labels_and_groups()[0]

    def labels_and_groups(self) -> tuple[Labels, Groups]:
        """labels.parquet, and what examples belong together. Raises InputError."""
        try:
            table = self._labels(labels_of.READ)
            return labels_of.by_dataset(table), labels_of.groups_of(table)
        except DamagedError as error:
            where = self._files.where("labels.parquet")
            raise InputError(where, f"damaged: {error}", MADE_ANEW) from None

    def _labels(self, schema: pa.Schema) -> pa.Table:
        required = set(schema.names) - labels_of.OPTIONAL
        return self._table("labels.parquet", schema, MADE_ANEW, required)

    def trust_labels(self, dataset: str, labels: np.ndarray) -> None:
        """Check rows against these labels, read from the data, in place of labels.parquet's."""
        self._trusted[dataset] = labels.astype(np.float64 if labels.dtype.kind == "f" else np.int32)

    def write_labels(
        self,
        dataset: str,
        labels: np.ndarray,
        classes: Sequence[str],
        paths: Sequence[str],
        groups: Sequence[str] | None = None,
    ) -> None:
        """Put a dataset's test labels, read from the data, into labels.parquet: in place of others
        of that dataset, or of a file that is damaged. The same again changes nothing."""
        self.trust_labels(dataset, labels)
        rows = labels_of.table_of(dataset, labels, classes, paths, groups)
        try:
            known = self._labels(LABEL_SCHEMA)
            labels_of.by_dataset(known)
        except (InputError, DamagedError):
            known = empty(LABEL_SCHEMA)
        together = labels_of.replaced(known, rows)
        if together is not None:
            self._files.write("labels.parquet", encode(together))

    def plan(self) -> pa.Table | None:
        """plan.parquet: PLAN_SCHEMA; None where there is none. Raises InputError if damaged."""
        return self._table_or_none("plan.parquet", PLAN_SCHEMA, MADE_ANEW, ("cell",))

    def write_plan(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """plan.parquet: rows of schema.PLAN, in place of those that were there."""
        self._files.write("plan.parquet", encode(from_rows(rows, PLAN_SCHEMA)))

    def looks(self) -> pa.Table | None:
        """looks.parquet: LOOK_SCHEMA; None where there is none. Raises InputError if it is damaged:
        what was looked at cannot be found out again."""
        remedy = "allowed: the file that `run` wrote, from a copy, or another folder (--out)"
        return self._table_or_none(
            "looks.parquet", LOOK_SCHEMA, remedy, ("contrast", "look", "seeds")
        )

    def write_looks(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """looks.parquet: rows of schema.LOOKS, in place of those that were there."""
        self._files.write("looks.parquet", encode(from_rows(rows, LOOK_SCHEMA)))

    def write_layers(self, content: bytes) -> None:
        """layers.parquet, as layers.encoded makes it."""
        self._files.write("layers.parquet", content)

    def write_contrasts(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """contrasts.parquet: rows of schema.CONTRASTS."""
        # Of somebody's own table a factor may have a name of ours and other levels.
        fields = [
            field
            if field.name not in FACTORS or fits([row.get(field.name) for row in rows], field.type)
            else pa.field(field.name, pa.string())
            for field in CONTRAST_SCHEMA
        ]
        # Factors of its own come behind, as text.
        standard = set(CONTRAST_SCHEMA.names)
        own = list(dict.fromkeys(name for row in rows for name in row if name not in standard))
        columns = [array([row.get(f.name) for row in rows], f.type) for f in fields]
        columns += [array([as_text(row.get(name)) for row in rows], pa.string()) for name in own]
        fields += [pa.field(name, pa.string()) for name in own]
        table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
        self._files.write("contrasts.parquet", encode(table))

    def pilot_sds(self, contrasts: Collection[str], metric: str = "accuracy") -> tuple[float, ...]:
        """The smallest, median and largest SD over seeds, in its unit, of these contrasts by a
        metric; empty where there is no contrasts.parquet or all SDs in it are zero. Raises
        InputError if it is damaged."""
        names = ("kind", "contrast", "metric", "population", "sd")
        schema = pa.schema([CONTRAST_SCHEMA.field(name) for name in names])
        table = self._table_or_none("contrasts.parquet", schema, "`analyze` writes it anew", names)
        if table is None:
            return ()
        sds = sorted(
            row["sd"]
            for row in table.to_pylist()
            if (row["kind"], row["metric"], row["population"]) == ("contrast", metric, "seeds")
            and row["contrast"] in contrasts
            and row["sd"]
        )
        return tuple(dict.fromkeys((sds[0], sds[len(sds) // 2], sds[-1]))) if sds else ()

    def write_log(self, cell: str, text: str) -> None:
        """logs/CELL.txt: what a program of somebody's own printed."""
        self.write_text(f"{LOGS}/{cell}.txt", text)

    def append_log(self, run: str, lines: str) -> None:
        """Add lines to the log of a run, which is named by when it began."""
        self._files.append(f"runs/{run}.jsonl", lines.encode())

    def write_text(self, name: str, text: str) -> None:
        self._files.write(name, text.encode())

    def write_study(self, study: Study) -> None:
        """study.toml, between two lines by which a reader sees that nothing was cut off."""
        self.write_text("study.toml", STUDY_START + study.to_toml(self._base) + STUDY_END)

    def study(self) -> Study | None:
        """The study as run, None if there is none yet. Raises InputError if it is no study, or one
        that was cut short: its defaults would be another study's."""
        where = self._files.where("study.toml")
        try:
            text = self._files.read("study.toml", LARGEST_TEXT).decode("utf-8")
            fields = tomllib.loads(text)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise _unfit(where, error, MADE_ANEW) from None
        if not fields:
            raise InputError(where, "empty", MADE_ANEW)
        missing = sorted(STUDY_FIELDS - fields.keys())
        if text.startswith(STUDY_START) and not text.rstrip().endswith(STUDY_END.rstrip()):
            missing.append("last line")
        if missing:
            raise InputError(where, f"cut short: no {', '.join(missing)}", MADE_ANEW)
        try:
            return validate(fields, where)
        except InputError as error:
            raise InputError(where, error.found, MADE_ANEW) from None

    def write_metrics(self, chosen: Sequence[Metric]) -> None:
        """metrics.json, in place of what was there. chosen: the first one is primary."""
        self.write_text("metrics.json", side_files.of_metrics(chosen))

    def metrics(self) -> tuple[Metric, ...]:
        """metrics.json; accuracy where there is none, as in older folders. Raises InputError."""
        if not self._files.has("metrics.json"):
            return (ACCURACY,)
        try:
            return side_files.metrics(self._files.read("metrics.json", LARGEST_TEXT))
        except (OSError, ValueError) as error:
            raise _unfit(self._files.where("metrics.json"), error, MADE_ANEW) from None

    def environment(self) -> dict[str, Any]:
        """environment.json, empty if there is none yet or it is damaged: `environment_note`."""
        return self._environment()[0]

    def environment_note(self) -> str | None:
        """What is wrong with environment.json, None where nothing is."""
        return self._environment()[1]

    def _environment(self) -> tuple[dict[str, Any], str | None]:
        try:
            content = self._files.read("environment.json", LARGEST_TEXT)
        except FileNotFoundError:
            return {}, None
        except (OSError, ValueError) as error:
            return {}, f"environment.json is damaged and was left out: {error}"
        return side_files.environment(content)

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        self.write_text("environment.json", side_files.of_environment(environment))

    def _table_or_none(
        self, name: str, schema: pa.Schema, remedy: str, required: Collection[str]
    ) -> pa.Table | None:
        return self._table(name, schema, remedy, required) if self._files.has(name) else None

    def _table(
        self, name: str, schema: pa.Schema, remedy: str, required: Collection[str] | None = None
    ) -> pa.Table:
        """A Parquet file beside cells/. required: columns it must have, by default all. Raises
        InputError that names it and says what to do."""
        where = self._files.where(name)
        try:
            content = self._files.read(name)
            return decode(
                content,
                schema,
                required=schema.names if required is None else required,
                defaults=DEFAULTS,
            )
        except FileNotFoundError:
            raise InputError(where, "not there", remedy) from None
        except (OSError, DamagedError) as error:
            raise _unfit(where, error, remedy) from None


def _unfit(where: str, error: Exception, remedy: str) -> InputError:
    """Of a file that cannot be used: what the storage did not give may well be whole."""
    if isinstance(error, OSError) and error.errno != errno.EFBIG:
        return InputError(where, f"not readable: {error}", "allowed: what the storage gives")
    return InputError(where, f"damaged: {error}", remedy)


def read(folder: Path, *, spill: bool = False) -> Results:
    """Read a result folder. Raises InputError naming the file that is missing or damaged.

    spill: keep predictions outside of the memory, where `Results.spill` has them.
    """
    store = Store(folder)
    study = store.study()
    if study is None:
        raise InputError(
            str(store), "no study.toml in it", "allowed: a result folder that `run` wrote"
        )
    kept = Spill() if spill else None
    rows = store.rows(*CELL_SCHEMA.names, spill=kept)
    needed = {datasets.label(source) for source in study.datasets}
    where = files.shown(folder, "labels.parquet")
    for dataset in rows.doubted:
        if dataset in needed:
            raise InputError(where, f"most rows of {dataset!r} contradict it", MADE_ANEW)
    if rows.table.num_rows == 0:
        raise InputError(
            files.shown(folder, "cells"), rows_of.why_nothing(rows), "allowed: at least one row"
        )
    by_example = rows.table["n"].null_count < rows.table.num_rows
    labels, groups = store.labels_and_groups() if by_example else ({}, {})
    for dataset in rows.unlabelled:
        if dataset in needed:
            raise InputError(where, f"no labels of {dataset!r}", MADE_ANEW)
    environment, note = store.environment(), store.environment_note()
    return Results(
        study=study,
        cells=rows.table,
        labels=labels,
        environment=environment,
        ignored=tuple(rows.unread),
        rejected=rows.rejected,
        reasons=rows.unread,
        notes=() if note is None else (note,),
        plan=store.plan(),
        looks=store.looks(),
        groups=groups,
        metrics=study.declared_metrics(store.metrics()),
        spill=kept,
    )
