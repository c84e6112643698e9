"""Encoded examples in Parquet: a column of bytes, labels, groups, and the splits' shards."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import datasets
from bench.datasets.reading import parquet
from bench.datasets.reading.encoded import Decoder, Encoded, Split
from bench.datasets.reading.labels import Labels
from bench.datasets.reading.options import Options
from bench.datasets.reading.parquet import Shards
from bench.datasets.reading.splits import choose
from bench.errors import InputError

FEW = 10_000
LEAST_BYTES = 8
"""Of an example in a file: the smallest PNG has 67."""

Groups = tuple[str, tuple[str, ...]] | None
"""What the groups are, in words, and those of the examples."""


def source(
    name: str,
    where: str,
    columns: Sequence[str],
    decoder: Decoder,
    options: Options,
    by_name: Callable[[tuple[str, ...], Labels, tuple[str, ...]], Groups] = lambda *_: None,
    version: str = "",
    by_type: bool = True,
) -> Encoded | None:
    """The source of a Parquet file, or a folder of such; None if no column holds these examples.

    columns: what theirs may be called, by rank; by_name: groups by the examples' file names, labels
    and class names, where no column has them; by_type: is the only column of bytes theirs, whatever
    its name? Raises InputError naming the file that is not as
    expected.
    """
    path = Path(name).expanduser()
    if path.is_file() and path.suffix.lower() != ".parquet":
        return None
    files = parquet.shards(path)
    if not files:
        return None
    chosen = choose(files, str(path))
    splits = {part: Shards(files[part]) for part in (chosen.train, chosen.test) if part}
    first = splits[chosen.train or chosen.test]
    blob = _column(first.schema, columns, by_type)
    if blob is None:
        return None
    allowed = f"{columns[0]} (struct of bytes and path)"
    picked = {}
    for part, split in splits.items():
        _check_rows(split)
        _check_column(split, blob, allowed)
        picked[part] = parquet.pick_label(
            split.schema, str(split.paths[0]), (), allowed, options.label_column
        )
    taken = list(dict.fromkeys(said for _, said in picked.values() if said))
    if blob != columns[0]:
        taken.insert(0, f"{columns[0]} from the column {blob!r}")

    def split_of(part: str) -> Split:
        of, label = splits[part], picked[part][0]

        def names() -> tuple[str, ...]:
            return of.class_names(label)

        def labels() -> Labels:
            return of.labels(label)

        def groups() -> Groups:
            found = of.groups()
            if found is not None:
                return f"groups from the column {found[0]!r}", found[1]
            return by_name(_paths(of, blob), labels(), names())

        return Split(
            len(of),
            of.place,
            labels,
            lambda: _paths(of, blob),
            groups,
            names,
            lambda rows: of.blobs(f"{blob}.bytes", rows),
        )

    def content(part: str) -> bytes:
        digests = [parquet.digest(file) for file in files[part]]
        return digests[0] if len(digests) == 1 else hashlib.sha256(b"".join(digests)).digest()

    return Encoded(
        datasets.label(name),
        str(path),
        chosen,
        split_of,
        content,
        decoder,
        _version(version, options),
        tuple(taken),
        decoder.takes | {"label_column"},
    )


def _version(version: str, options: Options) -> str:
    """With the column of labels, where the study chooses it: others of the file make other data."""
    column = options.label_column
    return version if column is None else f"{version} labels {column}"


def _column(schema: Any, columns: Sequence[str], by_type: bool) -> str | None:
    """The column of examples: by its name, else the only struct of bytes."""
    for name in columns:
        if name in schema.names:
            return name
    structs = [field.name for field in schema if parquet.is_struct_of_bytes(field.type)]
    return structs[0] if by_type and len(structs) == 1 else None


def _check_column(split: Shards, blob: str, allowed: str) -> None:
    file = str(split.paths[0])
    if blob not in split.schema.names:
        raise InputError(
            file,
            f"columns {', '.join(split.schema.names)}",
            f"allowed: {allowed} and label (integer)",
        )
    kind = split.schema.field(blob).type
    if not parquet.is_struct_of_bytes(kind):
        raise InputError(file, f"column {blob}: {kind}", f"allowed: {allowed}")


def _check_rows(split: Shards) -> None:
    """Encoded examples hardly get smaller by compression: so many rows are one, repeated."""
    for path, count in zip(split.paths, split.counts, strict=True):
        size = path.stat().st_size
        if count > FEW and count * LEAST_BYTES > size:
            raise InputError(
                str(path),
                f"{count:,} rows in {size:,} bytes",
                f"allowed: encoded examples, which take {LEAST_BYTES} bytes and more each",
            )


def _paths(split: Shards, blob: str) -> tuple[str, ...]:
    """File names by the struct's field `path`; none where it has none."""
    if split.schema.field(blob).type.get_field_index("path") < 0:
        return ()
    return tuple(name or "" for name in split.texts(f"{blob}.path"))
