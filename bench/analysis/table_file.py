"""A file with somebody's own table -> an Arrow table of numbers, texts and what is neither.

CSV in any usual encoding, separated by commas, semicolons, tabs or bars, with `#` comments or
not; or Parquet. What was not as expected is said in a remark; what cannot be read is one error.
"""

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from bench.errors import InputError

ALLOWED = "allowed: a CSV or Parquet file"
_MOST_BYTES = 2**30  # that the CSV reader takes as one block
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_NAMELESS = re.compile(r"(?:|Unnamed: \d+(?:_level_\d+)?|__index_level_\d+__)", re.IGNORECASE)

LIKELY: Mapping[str, tuple[str, ...]] = {
    "seed": (
        "seed", "random_seed", "random_state", "rng_seed", "run", "run_id", "replicate",
        "replication", "repeat", "repetition", "rep", "trial", "fold", "iteration",
    ),
    "arm": (
        "arm", "method", "variant", "algorithm", "algo", "approach", "condition", "treatment",
        "group", "system", "config", "configuration", "experiment", "model", "name",
    ),
}  # fmt: skip
"""Names that columns of seeds and arms often have, the likeliest first."""


def read(path: Path, renamed: Mapping[str, str]) -> tuple[pa.Table, list[str]]:
    """The table and remarks on how it was read.

    renamed: column -> what it is called here (such as seed or arm). Columns without a name are
    called `Unnamed: i`. Raises InputError naming the file, or `--columns`.
    """
    if not path.is_file():
        raise InputError(str(path), "no such file", ALLOWED)
    remarks: list[str] = []
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic == b"PAR1":
            with pq.ParquetFile(path) as file:
                table = file.read()
        else:
            table, remarks = _read_csv(path, renamed)
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(str(path), " ".join(str(error).split()), ALLOWED) from None
    names = [name.strip() for name in table.column_names]
    names = [f"Unnamed: {i}" if _NAMELESS.fullmatch(n) else n for i, n in enumerate(names)]
    names = _renamed(names, renamed)
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise InputError(str(path), f"two columns {twice[0]!r}", "allowed: each name once")
    _require(path, names)
    if table.num_rows == 0:
        raise InputError(str(path), "no rows", "allowed: one row per seed and arm")
    return pa.table([_plain(c) for c in table.columns], names=names), remarks


def is_nameless(name: str) -> bool:
    return _NAMELESS.fullmatch(name) is not None


def _renamed(names: list[str], renamed: Mapping[str, str]) -> list[str]:
    for old, new in renamed.items():
        if old not in names:
            raise InputError("--columns", f"no column {old!r}", f"allowed: {', '.join(names)}")
        if new in names and new not in renamed:
            raise InputError(
                "--columns",
                f"{old!r} as {new!r}, and a column {new!r} is there already",
                "allowed: each name once",
            )
    return [renamed.get(name, name) for name in names]


def _require(path: Path, names: list[str]) -> None:
    """seed and arm must be there; else what likely stands in for them is offered."""
    absent = [role for role in ("seed", "arm") if role not in names]
    if not absent:
        return
    free = {re.sub(r"[\s_-]+", "_", name.lower()): name for name in reversed(names)}
    found: dict[str, str] = {}
    for role in absent:
        likely = [f for alias in LIKELY[role] for f in (alias, f"{alias}s") if f in free]
        if likely:
            found[role] = free.pop(likely[0])
    mapping = ", ".join(f"{name}={role}" for role, name in found.items())
    hint = f'did you mean --columns "{mapping}"? ' if mapping else ""
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    raise InputError(
        str(path),
        f"no column {' and no column '.join(repr(role) for role in absent)}",
        f"{hint}allowed: seed, arm and one or more metrics (found: {shown})",
    )


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without encodings that carry no meaning here: categories, extension types, decimals."""
    if isinstance(column.type, pa.ExtensionType):
        column = column.cast(column.type.storage_type)
    if pa.types.is_run_end_encoded(column.type):
        column = pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    return column


def _read_csv(path: Path, renamed: Mapping[str, str]) -> tuple[pa.Table, list[str]]:
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if data[:2] == b"PK":
        raise InputError(str(path), "a zip archive (or a spreadsheet)", ALLOWED)
    text, remarks = _decoded(path, data)
    if text.lstrip()[:1] in ("{", "["):
        raise InputError(str(path), "JSON", f"{ALLOWED} (pandas: read_json(...).to_csv(...))")
    text, comments = _without_comments(text)
    if comments:
        remarks.append(
            f"{comments} comment line{'s that start' if comments > 1 else ' that starts'} with # "
            f"{'were' if comments > 1 else 'was'} left out"
        )
    header = next((line for line in text.splitlines() if line.strip()), "")
    if not header:
        raise InputError(str(path), "an empty file", ALLOWED)
    delimiter = max(_DELIMITERS, key=lambda mark: _outside_quotes(header).count(mark))
    if delimiter not in header:
        delimiter = ","
    if delimiter != ",":
        remarks.append(f"Read as separated by {_DELIMITERS[delimiter]}")
    comma = delimiter == ";" and re.search(r"(?:^|;)\s*-?\d+,\d+\s*(?:;|$)", text, re.MULTILINE)
    if comma:
        remarks.append("Commas were read as decimal points")
    # What identifies a row is text: 007 is an arm, and a seed can be longer than a float is exact.
    keys = {old: new for old, new in renamed.items() if new in ("seed", "arm")}
    as_text = {
        raw: pa.string()
        for raw in next(csv.reader([header], delimiter=delimiter))
        if keys.get(raw.strip(), raw.strip()) in ("seed", "arm")
    }
    encoded = text.encode()
    table = pyarrow.csv.read_csv(
        io.BytesIO(encoded),
        read_options=pyarrow.csv.ReadOptions(
            use_threads=False, block_size=min(len(encoded) + 1, _MOST_BYTES)
        ),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values='"' in text),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=as_text, decimal_point="," if comma else "."
        ),
    )
    return table, remarks


def _decoded(path: Path, data: bytes) -> tuple[str, list[str]]:
    if not data.strip():
        raise InputError(str(path), "an empty file", ALLOWED)
    marks = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
    encoding = next((name for mark, name in marks.items() if data.startswith(mark)), None)
    if encoding is None and b"\0" in data[:1000]:
        zeros = [data[start:1000:2].count(0) for start in (0, 1)]
        encoding = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    try:
        text = data.decode(encoding or "utf-8")
        said = [] if encoding in (None, "utf-8-sig") else ["Read as UTF-16"]
    except UnicodeDecodeError as error:
        if encoding is not None:
            found = f"no text in {encoding.upper()}: {error}"
            raise InputError(str(path), found, ALLOWED) from None
        text, said = data.decode("cp1252", errors="replace"), ["Read as Windows-1252, not UTF-8"]
    if "\0" in text:
        raise InputError(str(path), "bytes that are no text", ALLOWED)
    return text, said


def _without_comments(text: str) -> tuple[str, int]:
    """Without lines that start with #, outside of quotes; a first such line that is the header
    (`# seed,arm,accuracy`) loses its mark only."""
    if not re.search(r"^\s*#", text, re.MULTILINE):
        return text, 0
    kept: list[str] = []
    quoted, comments = False, 0
    for line in text.splitlines(keepends=True):
        stripped = line.lstrip()
        if not quoted and stripped.startswith("#"):
            bare = stripped.lstrip("#").strip()
            names = {name.strip().lower() for name in re.split(r"[,;\t|]", bare)}
            if kept or not names & {*LIKELY["seed"], *LIKELY["arm"]} or len(names) < 3:
                comments += 1
                continue
            line = stripped[1:].lstrip() if not stripped.startswith("#,") else line
        kept.append(line)
        quoted ^= line.count('"') % 2 == 1
    return "".join(kept), comments


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)
