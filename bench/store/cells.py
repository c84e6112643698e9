"""The rows of cells/*.parquet: one reader for `run`, `analyze` and compaction alike.

A file that does not parse is named and left out. A row that contradicts itself or the labels is
named and counts as not there, so that its cell is computed again.
"""

import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from bench.store.buffers import empty, picked
from bench.store.files import AnyFiles
from bench.store.labels import Labels
from bench.store.schema import CELLS, RESULTS
from bench.store.spill import COLUMN, Spill
from bench.store.tables import DamagedError, batches, columns_of, encode, schema_of, uncompressed
from bench.store.validity import IDENTITY, Check, Rejected, check
from bench.study.factors import FACTORS
from bench.study.units import NAMES as UNITS

CELL_SCHEMA = schema_of(CELLS)

DEFAULTS: Mapping[str, Any] = {
    **{name: factor.default for name, factor in FACTORS.items()},
    **dict.fromkeys(UNITS, "epochs"),
}
"""What a factor, or a unit, was before there was a column of it."""

COMPACT_BYTES = 4 << 20
"""What a file of many rows holds, uncompressed: some 4,000 cells of 797 test examples, or 400 of
10,000."""


@dataclass(frozen=True)
class Rows:
    """What cells/ holds.

    table: each cell once (a result wins over a failure, then the later row); unread: file -> why
    it cannot be read; rejected: rows that contradict themselves or the labels, of cells that have
    no other result; doubted: datasets whose labels most of their rows contradict, so that rather
    the labels are wrong; unlabelled: datasets of evaluated rows that there are no labels for.
    """

    table: pa.Table
    unread: Mapping[str, str]
    rejected: tuple[Rejected, ...]
    doubted: tuple[str, ...]
    unlabelled: tuple[str, ...]


def gather(
    files: AnyFiles,
    columns: Collection[str],
    labels: Labels,
    trusted: Collection[str] = (),
    spill: Spill | None = None,
) -> Rows:
    """All valid rows, with these columns and IDENTITY.

    labels: what predictions are checked against; trusted: datasets whose labels are known to be
    right, however many rows contradict them; spill: where predictions go, so that the table has
    its AT and SIZE of them.
    """
    names = [name for name in CELL_SCHEMA.names if name in columns or name in IDENTITY]
    move = spill.moved if spill is not None and COLUMN in names else _same
    tables = [move(empty(pa.schema([CELL_SCHEMA.field(name) for name in names])))]
    checks: list[Check] = []
    unread: dict[str, str] = {}
    for file, content in snapshot(files):
        try:
            found = [
                (move(table.select(names)), check(file, table, labels))
                for table in _batches(content)
            ]
        except DamagedError as error:
            unread[file] = str(error)
            continue
        tables += [table for table, _ in found]
        checks += [made for _, made in found]
    table = each_cell_once(pa.concat_tables([tables[0], *map(_valid, tables[1:], checks)]))
    evaluated, unlike = Counter[str](), Counter[str]()
    for made in checks:
        evaluated.update(made.evaluated)
        unlike.update(made.unlike)
    rejected = [each for made in checks for each in made.rejected.values()]
    results = _results(table) if rejected else set()
    return Rows(
        table,
        unread,
        tuple(each for each in rejected if each.cell not in results),
        tuple(
            name
            for name, count in unlike.items()
            if name not in trusted and count > 1 and 2 * count > evaluated[name]
        ),
        tuple(name for name in evaluated if name not in labels),
    )


def _same(table: pa.Table) -> pa.Table:
    return table


def why_nothing(rows: Rows) -> str:
    """What is there instead of a finished cell, in words."""
    said = "no finished cell"
    if rows.unread:
        shown = [f"{name} ({why})" for name, why in list(rows.unread.items())[:3]]
        more = len(rows.unread) - len(shown)
        said += f", unreadable: {', '.join(shown)}" + (f" and {more} more" if more else "")
    if rows.rejected:
        first = rows.rejected[0]
        said += f", {len(rows.rejected)} rows that contradict themselves or the labels, such as "
        said += f"cell {first.cell} in {first.file}: {first.what}"
    return said


def snapshot(files: AnyFiles) -> Iterator[tuple[str, bytes | OSError]]:
    """Every file of cells/ once, its name and bytes, no row missed while a run appends or compacts.

    A listing is no snapshot, but a file goes only after its rows have come in another one. So
    where a file has vanished since it was listed, or was overlooked, the next listing shows what
    holds its rows now; the end is a listing that shows nothing new.
    """
    seen: set[str] = set()
    while True:
        fresh = [e.name for e in files.entries("cells", ".parquet") if e.name not in seen]
        if not fresh:
            return
        for name in fresh:
            seen.add(name)
            try:
                yield name.partition("/")[2], files.read(name)
            except FileNotFoundError:
                continue
            except OSError as error:
                yield name.partition("/")[2], error


def _batches(content: bytes | OSError) -> Iterator[pa.Table]:
    """A cells file's rows. All of their columns, whoever asks: a file that is damaged for one is
    damaged for all. Raises DamagedError."""
    if isinstance(content, OSError):
        raise DamagedError(str(content))
    return batches(content, CELL_SCHEMA, required=IDENTITY, defaults=DEFAULTS)


def each_cell_once(table: pa.Table) -> pa.Table:
    """Of several rows of a cell the one that counts: a result, else the latest."""
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


def compact(files: AnyFiles, labels: Labels) -> None:
    """Gather rows in few files, sorted. A kill in between doubles rows, which reading undoes.

    A file is gathered with others up to COMPACT_BYTES, so that memory stays bounded. What cannot
    be read, and what has columns that this version does not know, is left as it is.
    """
    group: list[str] = []
    total = 0
    for entry in sorted(files.entries("cells", ".parquet"), key=lambda entry: entry.modified):
        size = _mergeable(files, entry.name)
        if size is None:
            continue
        if total + size > COMPACT_BYTES:
            _merge(files, group, labels)
            group, total = [], 0
        group.append(entry.name)
        total += size
    _merge(files, group, labels)


def _mergeable(files: AnyFiles, name: str) -> int | None:
    """Uncompressed bytes of a cells file; None where it must stay as it is."""
    try:
        content = files.read(name)
        if set(columns_of(content)) <= set(CELL_SCHEMA.names):
            return uncompressed(content)
    except (DamagedError, OSError):
        pass
    return None


def _merge(files: AnyFiles, names: Sequence[str], labels: Labels) -> None:
    merged, valid, others = [], [], []
    for name in names:
        try:
            tables = list(_batches(files.read(name)))
        except (DamagedError, OSError):
            continue
        merged.append(name)
        for table in tables:
            made = check(name, table, labels)
            valid.append(_valid(table, made))
            others.append(picked(table, sorted(made.rejected)))
    if len(merged) < 2:
        return
    table = each_cell_once(pa.concat_tables(valid))
    order = [(name, "ascending") for name in ("seed", "dataset", "model", "budget", "extra")]
    table = table.sort_by([*order, ("arm", "ascending"), ("cell", "ascending")])
    # What is rejected may be the labels' fault: it goes only where its cell has another result.
    results = _results(table)
    for other in others:
        kept = [row for row, cell in enumerate(other["cell"].to_pylist()) if cell not in results]
        table = pa.concat_tables([table, picked(other, kept)])
    write(files, table)
    for name in merged:
        files.delete(name)


def write(files: AnyFiles, table: pa.Table) -> None:
    """Make rows durable: a new file in cells/."""
    files.write(f"cells/{uuid.uuid4().hex}.parquet", encode(table, plain=("predictions", "values")))


def _valid(table: pa.Table, made: Check) -> pa.Table:
    return picked(table, [row for row in range(table.num_rows) if row not in made.rejected])


def _results(table: pa.Table) -> set[str]:
    cells, statuses = table["cell"].to_pylist(), table["status"].to_pylist()
    return {cell for cell, status in zip(cells, statuses, strict=True) if status in RESULTS}
