"""Text files as people have them -> Arrow tables: encodings, separators, comments, decimal commas.

A file that is UTF-8 already is not copied: a table of ten million rows is read in once its size.
"""

import codecs
import csv
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from bench.errors import InputError

ALLOWED = "allowed: a CSV, JSON or Parquet file"
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

_MOST_BYTES = 2**30  # that the CSV reader takes as one block
_MOST_UNPACKED = 2**33  # of a gzip file: what is larger is no table of results
_CHUNK = 2**20
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_EXACT = 2.0**53  # from here on not every whole number is a float


def content(path: Path) -> bytes:
    """The bytes of a file, unpacked."""
    data = path.read_bytes()
    return _unpacked(path, data) if data[:2] == b"\x1f\x8b" else data


def _unpacked(path: Path, packed: bytes) -> bytes:
    parts, size = [], 0
    while packed:  # gzip files may be several, one behind the other
        reader = zlib.decompressobj(wbits=31)
        while not reader.eof:
            part = reader.decompress(reader.unconsumed_tail or packed, _CHUNK)
            packed = b""
            if not part and not reader.eof:
                raise EOFError("a gzip file that ends before its end")
            parts.append(part)
            size += len(part)
            if size > _MOST_UNPACKED:
                raise InputError(str(path), "more than 8 GiB in a gzip file", ALLOWED)
        packed = reader.unused_data.lstrip(b"\0")
    return b"".join(parts)


def decoded(path: Path, data: bytes) -> tuple[bytes, list[str]]:
    """The same text in UTF-8, and what is said of its encoding."""
    if not data[:_CHUNK].strip() and not data.strip():
        raise InputError(str(path), "an empty file", ALLOWED)
    if data[:2] == b"PK":
        raise InputError(str(path), "a zip archive (or a spreadsheet)", ALLOWED)
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else None
    zeros = [data[start:1000:2].count(0) for start in (0, 1)]
    if encoding is None and max(zeros) > len(data[:1000]) / 4:
        encoding = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    if encoding is not None:
        try:
            text, said = data.decode(encoding), ["Read as UTF-16"]
        except UnicodeDecodeError as error:
            found = f"no text in {encoding.upper()}: {error}"
            raise InputError(str(path), found, ALLOWED) from None
        data = text.encode()
    elif _is_utf8(data):
        said = []
        if data[:3] == codecs.BOM_UTF8:
            data = data[3:]
    else:
        data = data.decode("cp1252", errors="replace").encode()
        said = ["Read as Windows-1252, not UTF-8"]
    if data.find(b"\0") >= 0:
        raise InputError(str(path), "bytes that are no text", ALLOWED)
    return data, said


def _is_utf8(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _CHUNK):
            decoder.decode(data[start : start + _CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def read_csv(path: Path, data: bytes, keys: Mapping[str, str]) -> tuple[pa.Table, list[str]]:
    """A table of UTF-8 text, and remarks on how it was read.

    keys: column -> what it is called here. Columns called seed or arm stay text: 007 is an arm,
    and a seed can be longer than a float is exact.
    """
    data, comments = _without_comments(data)
    remarks = []
    if comments:
        remarks.append(
            f"{comments} comment line{'s that start' if comments > 1 else ' that starts'} with # "
            f"{'were' if comments > 1 else 'was'} left out"
        )
    header = _first_line(data)
    if not header:
        raise InputError(str(path), "an empty file", ALLOWED)
    delimiter = max(_DELIMITERS, key=lambda mark: _outside_quotes(header).count(mark))
    if delimiter not in header:
        delimiter = ","
    if delimiter != ",":
        remarks.append(f"Read as separated by {_DELIMITERS[delimiter]}")
    comma = delimiter == ";" and re.search(rb"(?m)(?:^|;)\s*-?\d+,\d+\s*(?:;|\r?$)", data)
    if comma:
        remarks.append("Commas were read as decimal points")
    names = next(csv.reader([header], delimiter=delimiter))
    as_text = [raw for raw in names if keys.get(raw.strip(), raw.strip()) in ("seed", "arm")]
    return _parsed(path, data, delimiter, bool(comma), names, as_text), remarks


def _parsed(
    path: Path, data: bytes, delimiter: str, comma: bool, names: list[str], as_text: list[str]
) -> pa.Table:
    def read(only: list[str], types: Mapping[str, pa.DataType]) -> pa.Table:
        return pyarrow.csv.read_csv(
            pa.BufferReader(pa.py_buffer(data)),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=min(len(data) + 1, _MOST_BYTES)
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=data.find(b'"') >= 0
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types, decimal_point="," if comma else ".", include_columns=only
            ),
        )

    types = dict.fromkeys(as_text, pa.string())
    try:
        table = read([], types)
    except pa.ArrowInvalid as error:
        counts = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", str(error))
        if counts is None:
            raise
        row, expected, got = map(int, counts.groups())
        raise InputError(
            str(path),
            f"row {row - 1} has {got} fields, and the first line names {expected}",
            f"allowed: as many fields in each row (separated by {_DELIMITERS[delimiter]}; a text "
            "that holds a separator in double quotes)",
        ) from None
    for at, name in enumerate(table.column_names):
        if pa.types.is_float64(table.column(at).type) and names.count(name) == 1:
            largest = pc.max(pc.abs(table.column(at))).as_py()
            if largest is not None and largest >= _EXACT:
                texts = read([name], {name: pa.string()}).column(0)
                table = table.set_column(at, name, unless_exact(table.column(at), texts))
    return table


def unless_exact(numbers: pa.ChunkedArray, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The numbers; the texts where one of them is a whole number that no float holds, since
    differences of such floats would be wrong."""
    large = pc.fill_null(pc.greater_equal(pc.abs(numbers), _EXACT), False)
    for row in np.flatnonzero(large.to_numpy(zero_copy_only=False)).tolist():
        text = texts[row].as_py().strip()
        whole = re.fullmatch(r"([+-]?\d+)(?:\.0*)?", text)
        if whole and int(whole[1]) != numbers[row].as_py():
            return texts
    return numbers


def _first_line(data: bytes) -> str:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        line = data[start:end].decode().strip("\r")
        if line.strip():
            return line.split("\r")[0]
        start = end + 1
    return ""


def _without_comments(data: bytes) -> tuple[bytes, int]:
    """Without lines that start with #, outside of quotes; a first such line that is the header
    (`# seed,arm,accuracy`) loses its mark only."""
    if data.find(b"#") < 0 or not re.search(rb"(?m)^\s*#", data):
        return data, 0
    kept: list[str] = []
    quoted, comments = False, 0
    for line in data.decode().splitlines(keepends=True):
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
    return "".join(kept).encode(), comments


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)
