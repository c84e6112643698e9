"""A result folder: the only module that reads and writes the Parquet files of a run.

    cells/*.parquet     one row per evaluated model; a new file per batch of rows
    labels.parquet      the test examples' labels, once per dataset
    study.toml          the study as run
    environment.json    versions, CPUs, kernels; what identifies the data
    contrasts.parquet, report.html, report.md    what analyze makes of them

Every file is written under a temporary name and renamed, so that a kill at any moment leaves
whole files only; what is not whole all the same (a full disk) is ignored and counted.
"""

import io
import json
import os
import tomllib
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import InputError
from bench.store.schema import CELLS, CONTRASTS, PLAN, RESULTS
from bench.study import Study, validate
from bench.study.factors import Column


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """The Arrow schema of a table of schema.py, each column's meaning in its metadata."""
    return pa.schema(
        [pa.field(c.name, _arrow_type(c.type), metadata={"meaning": c.meaning}) for c in columns]
    )


def _arrow_type(name: str) -> pa.DataType:
    return pa.timestamp("us", "UTC") if name.startswith("timestamp") else pa.type_for_alias(name)


CELL_SCHEMA = arrow_schema(CELLS)
CONTRAST_SCHEMA = arrow_schema(CONTRASTS)
PLAN_SCHEMA = arrow_schema(PLAN)
LABEL_SCHEMA = pa.schema(
    [
        pa.field("dataset", pa.string()),
        pa.field("example", pa.int32(), metadata={"meaning": "position in the test set"}),
        pa.field("label", pa.int32()),
        pa.field("class_name", pa.dictionary(pa.int32(), pa.string())),
        pa.field("path", pa.string(), metadata={"meaning": "file name in the source, or null"}),
    ]
)


COMPACT_BYTES = 4 << 20
"""What a file of many rows holds, uncompressed: some 4,000 cells of 797 test examples, or 400 of
10,000."""


@dataclass(frozen=True)
class Results:
    """A result folder as read.

    cells: CELL_SCHEMA, each cell once; labels: dataset -> int32 (examples,);
    environment: environment.json; ignored: names of files that are not whole.
    """

    study: Study
    cells: pa.Table
    labels: Mapping[str, np.ndarray]
    environment: Mapping[str, Any]
    ignored: tuple[str, ...]
    plan: pa.Table | None = None


class Store:
    """A result folder, for a run to append to. Nothing is created before the first write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Make rows durable: a new file in cells/."""
        table = pa.Table.from_pylist(list(rows), schema=CELL_SCHEMA)
        self._write_table(Path("cells") / f"{uuid.uuid4().hex}.parquet", table)

    def cells(self) -> tuple[pa.Table, tuple[str, ...]]:
        """All cells, each once (a result wins over a failure, then the later row), and the names
        of files that are not whole."""
        return _gathered(self._files(), CELL_SCHEMA)

    def statuses(self, *columns: str) -> list[dict[str, Any]]:
        """Of all cells, each once: `cell`, `status` and these columns."""
        names = dict.fromkeys((*_ONCE, *columns))
        table, _ = _gathered(self._files(), pa.schema([CELL_SCHEMA.field(name) for name in names]))
        rows: list[dict[str, Any]] = table.select(["cell", "status", *columns]).to_pylist()
        return rows

    def done(self) -> set[str]:
        """Identities of the cells that have a result; a failure is none and runs again."""
        return {row["cell"] for row in self.statuses() if row["status"] in RESULTS}

    def compact(self) -> None:
        """Gather rows in few files, sorted. A kill in between doubles rows, which reading undoes.

        A file is gathered with others up to COMPACT_BYTES, so that memory stays bounded.
        """
        group: list[Path] = []
        total = 0
        for path in sorted(self._files(), key=lambda path: path.stat().st_mtime_ns):
            size = _uncompressed(path)
            if total + size > COMPACT_BYTES:
                self._merge(group)
                group, total = [], 0
            group.append(path)
            total += size
        self._merge(group)

    def _files(self) -> list[Path]:
        return sorted((self.folder / "cells").glob("*.parquet"))

    def _merge(self, files: Sequence[Path]) -> None:
        table, ignored = _gathered(files, CELL_SCHEMA)
        if len(files) - len(ignored) < 2:
            return
        order = [(name, "ascending") for name in ("seed", "dataset", "model", "budget", "extra")]
        table = table.sort_by([*order, ("arm", "ascending"), ("cell", "ascending")])
        self._write_table(Path("cells") / f"{uuid.uuid4().hex}.parquet", table)
        for path in files:
            if path.name not in ignored:
                path.unlink()

    def write_labels(
        self, dataset: str, labels: np.ndarray, classes: Sequence[str], paths: Sequence[str]
    ) -> None:
        """Add a dataset's test labels; the same again changes nothing."""
        path = self.folder / "labels.parquet"
        known = _read_table(path) if path.is_file() else LABEL_SCHEMA.empty_table()
        if dataset in known["dataset"].unique().to_pylist():
            return
        n = len(labels)
        columns = [
            pa.array([dataset] * n, pa.string()),
            pa.array(np.arange(n, dtype=np.int32)),
            pa.array(labels.astype(np.int32)),
            pa.DictionaryArray.from_arrays(pa.array(labels.astype(np.int32)), list(classes)),
            pa.array(list(paths), pa.string()) if paths else pa.nulls(n, pa.string()),
        ]
        added = pa.Table.from_arrays(columns, schema=LABEL_SCHEMA)
        together = pa.concat_tables([known, added]).unify_dictionaries()
        self._write_table(Path("labels.parquet"), together)

    def write_plan(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._write_table(
            Path("plan.parquet"), pa.Table.from_pylist(list(rows), schema=PLAN_SCHEMA)
        )

    def plan_rows(self) -> list[dict[str, Any]]:
        path = self.folder / "plan.parquet"
        return _read_table(path).to_pylist() if path.is_file() else []

    def write_contrasts(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """contrasts.parquet: rows of schema.CONTRASTS."""
        fields = list(CONTRAST_SCHEMA)
        # Factors of somebody's own table come behind, as text.
        standard = set(CONTRAST_SCHEMA.names)
        own = [name for row in rows[:1] for name in row if name not in standard]
        fields += [pa.field(name, pa.string()) for name in own]
        columns = [_array([row.get(f.name) for row in rows], f.type) for f in fields]
        table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
        self._write_table(Path("contrasts.parquet"), table)

    def pilot_sds(self, contrasts: Collection[str]) -> tuple[float, ...]:
        """The smallest, median and largest SD over seeds, in pp, of these contrasts' accuracies;
        empty where there is no contrasts.parquet or all SDs in it are zero."""
        path = self.folder / "contrasts.parquet"
        if not path.is_file():
            return ()
        table = pq.read_table(path, columns=["kind", "contrast", "unit", "population", "sd"])
        sds = sorted(
            row["sd"]
            for row in table.to_pylist()
            if (row["kind"], row["unit"], row["population"]) == ("contrast", "pp", "seeds")
            and row["contrast"] in contrasts
            and row["sd"]
        )
        return tuple(dict.fromkeys((sds[0], sds[len(sds) // 2], sds[-1]))) if sds else ()

    def write_text(self, name: str, text: str) -> None:
        self._write(Path(name), text.encode())

    def study(self) -> Study | None:
        """The study as run, None if there is none yet. Raises InputError if it is no study."""
        path = self.folder / "study.toml"
        if not path.is_file():
            return None
        try:
            fields = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(str(path), str(error), "allowed: the TOML that `run` wrote") from None
        return validate(fields, str(path))

    def environment(self) -> dict[str, Any]:
        """environment.json, empty if there is none yet."""
        path = self.folder / "environment.json"
        return json.loads(path.read_text("utf-8")) if path.is_file() else {}

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        self.write_text(
            "environment.json", json.dumps(environment, indent=2, sort_keys=True) + "\n"
        )

    def _write_table(self, name: Path, table: pa.Table) -> None:
        # In memory first: an exception inside an open stream would leave half a file behind.
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        self._write(name, buffer.getvalue())

    def _write(self, name: Path, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        temporary.write_bytes(content)
        os.replace(temporary, path)


def _array(values: Sequence[Any], type: pa.DataType) -> pa.Array:
    """`pa.array(values, type)` for strings and numbers, which would import pandas (see below)."""
    known = np.array([value is not None for value in values], dtype=bool)
    validity = pa.py_buffer(np.packbits(known, bitorder="little"))
    if pa.types.is_string(type):
        encoded = [b"" if value is None else str(value).encode() for value in values]
        offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
        buffers = [validity, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    else:
        filled = [0 if value is None else value for value in values]
        buffers = [
            validity,
            pa.py_buffer(np.array(filled, dtype=str(type).replace("double", "f8"))),
        ]
    return pa.Array.from_buffers(type, len(values), buffers)


def _read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    # pq.read_table would import pyarrow.dataset, and that pandas: more than a second.
    with pq.ParquetFile(path) as file:
        return file.read(columns)


def _gathered(files: Sequence[Path], schema: pa.Schema) -> tuple[pa.Table, tuple[str, ...]]:
    """The schema's columns of all rows in these files, each cell once, and the names of files
    that are not whole."""
    tables, ignored = [], []
    for path in files:
        try:
            table = _read_table(path, schema.names)
            # Casting imports pyarrow.compute: a third of a second.
            tables.append(table if table.schema.equals(schema) else table.cast(schema))
        except (pa.ArrowInvalid, OSError, ValueError):
            ignored.append(path.name)
    table = pa.concat_tables(tables) if tables else schema.empty_table()
    return _each_cell_once(table), tuple(ignored)


_ONCE = ("cell", "status", "finished_at")
"""The columns that decide which of two rows of a cell counts."""


def _uncompressed(path: Path) -> int:
    """Bytes of a Parquet file's columns; 0 where it is not whole."""
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError):
        return 0
    return sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))


def _each_cell_once(table: pa.Table) -> pa.Table:
    cells = table["cell"].to_pylist()
    if len(set(cells)) == len(cells):
        return table
    results = [status in RESULTS for status in table["status"].to_pylist()]
    times = table["finished_at"].cast(pa.int64()).to_pylist()
    best: dict[str, int] = {}
    for row, cell in enumerate(cells):
        at = best.setdefault(cell, row)
        if (results[row], times[row]) > (results[at], times[at]):
            best[cell] = row
    return table.take(sorted(best.values()))


def read(folder: Path) -> Results:
    """Read a result folder. Raises InputError naming the file that is missing or malformed."""
    store = Store(folder)
    study = store.study()
    if study is None:
        raise InputError(
            str(folder), "no study.toml in it", "allowed: a result folder that `run` wrote"
        )
    cells, ignored = store.cells()
    if cells.num_rows == 0:
        torn = f", unreadable: {', '.join(ignored)}" if ignored else ""
        raise InputError(
            str(folder / "cells"), f"no finished cell{torn}", "allowed: at least one row of results"
        )
    try:
        labels = _read_table(folder / "labels.parquet", ["dataset", "label"])
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(
            str(folder / "labels.parquet"), str(error), "allowed: the file that `run` wrote"
        ) from None
    names = np.array(labels["dataset"].to_pylist(), dtype=object)
    values = np.array(labels["label"].to_pylist(), dtype=np.int32)
    by_dataset = {name: values[names == name] for name in dict.fromkeys(names)}
    plan = folder / "plan.parquet"
    return Results(
        study,
        cells,
        by_dataset,
        store.environment(),
        ignored,
        _read_table(plan) if plan.is_file() else None,
    )
