"""Files as people have them: encodings, separators, types of columns, names; figures included."""

import decimal
import gzip
import io
import json
import re
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from bench import report
from bench.analysis.roles import Declared
from bench.analysis.table import analyze_table
from bench.errors import InputError
from bench.report import figures, terminal
from bench.statistics.families import Verdict
from tests.test_table import noisy, rows, write

VALUES = {arm: [round(v, 4) for v in vs] for arm, vs in noisy(8, 0.90, 0.91).items()}


def text(separator: str = ",", point: str = ".", head: str = "", tail: str = "") -> str:
    lines = [("seed", "arm", "accuracy")]
    lines += [(str(r["seed"]), r["arm"], str(r["accuracy"]).replace(".", point))
              for r in rows(VALUES)]  # fmt: skip
    return head + "".join(separator.join(line) + "\n" for line in lines) + tail


FILES: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "plain": (text().encode(), ()),
    "semicolons": (text(";").encode(), ("separated by semicolons",)),
    "decimal commas": (text(";", ",").encode(), ("semicolons", "Commas were read as decimal")),
    "tabs": (text("\t").encode(), ("separated by tabs",)),
    "comments": (text(head="# mine\n\n#,x\n", tail="# end\n").encode(), ("3 comment lines",)),
    "header behind a mark": (text(head="# ").encode(), ()),
    "UTF-8 with a mark": (text().encode("utf-8-sig"), ()),
    "UTF-16": (text().encode("utf-16"), ("Read as UTF-16",)),
    "UTF-16 without a mark": (text().encode("utf-16-be"), ("Read as UTF-16",)),
    "Windows": (text(head="# größer\n").encode("cp1252"), ("Windows-1252", "1 comment line")),
    "gzip": (gzip.compress(text().encode()), ()),
    "JSON lines": ("\n".join(map(json.dumps, rows(VALUES))).encode(), ()),
    "JSON rows": (json.dumps(rows(VALUES), indent=1).encode(), ()),
    "JSON columns": (
        json.dumps(
            {n: {i: r[n] for i, r in enumerate(rows(VALUES))} for n in rows(VALUES)[0]}
        ).encode(),
        (),
    ),
    "CRLF and quotes": (text().replace("\n", "\r\n").replace("seed", '"seed"').encode(), ()),
    "two gzip files in one": (
        gzip.compress(text()[:40].encode()) + gzip.compress(text()[40:].encode()),
        (),
    ),
    "a trailing separator": (text().replace("\n", ",\n").encode(), ()),
}


@pytest.mark.parametrize("name", FILES)
def test_the_same_numbers_from_any_file_and_what_was_unusual_is_said(tmp_path: Path, name: str):
    content, said = FILES[name]
    (tmp_path / "t.csv").write_bytes(content)
    found = analyze_table(tmp_path / "t.csv")
    assert found.rows == analyze_table(write(tmp_path / "plain.csv", rows(VALUES))).rows
    remarks = " ".join(r.text for r in found.reading.remarks)
    assert len(found.reading.remarks) == len(said)
    assert all(words in remarks for words in said)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"seed": 1, "arm": "a"', "damaged JSON in line 1"),
        (b'{"seed": 1, "arm": "a"}\n{"seed": 2,\n', "line 2 is no JSON object"),
        (b'[{"seed": 1}, 7]', "JSON whose row 2 is no object: 7"),
        (b'{"seed": [1, 2], "arm": ["a"]}', "columns of unlike length"),
        (b"[" * 9000, "JSON nested too deeply"),
        (b"PK\x03\x04" + bytes(100), "a zip archive"),
        (bytes(range(256)) * 9, "allowed: a CSV, JSON or Parquet file"),
        (b"PAR1" + bytes(99), "allowed: a CSV, JSON or Parquet file"),
        (gzip.compress(text().encode())[:-20], "a gzip file that ends before its end"),
        (b"\x1f\x8b" + bytes(99), "allowed: a CSV, JSON or Parquet file"),
        (b" \n\n", "an empty file"),
        (b"# seed\n# arm\n", "an empty file"),
        (b"seed,arm,acc\n1,a,0.5,7\n", "row 1 has 4 fields, and the first line names 3"),
    ],
)
def test_what_is_no_table_is_one_short_line(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError) as error:
        analyze_table(tmp_path / "t.csv")
    said = str(error.value)
    assert message in said
    assert "\n" not in said
    assert len(said) < 500


NESTED = {
    "list": pa.array([[0.1, 0.2]] * 16),
    "struct": pa.array([{"lr": 0.1}] * 16),
    "map": pa.array([[("k", 1)]] * 16, pa.map_(pa.string(), pa.int64())),
    "binary": pa.array([b"\xff"] * 16),
    "date": pa.array([0] * 16, pa.date32()),
}


@pytest.mark.parametrize("kind", NESTED)
def test_columns_that_are_neither_number_nor_text_are_left_out_and_named(tmp_path: Path, kind: str):
    table = pa.Table.from_pylist(rows(VALUES))
    pq.write_table(table.append_column("curve", NESTED[kind]), tmp_path / "t.parquet")
    found = analyze_table(tmp_path / "t.parquet")
    assert found.rows == analyze_table(write(tmp_path / "t.csv", rows(VALUES))).rows
    assert [t.column for t in found.reading.columns if t.role == "left out"] == ["curve"]
    with pytest.raises(InputError, match="curve"):
        analyze_table(tmp_path / "t.parquet", declared=Declared(factors=["curve"]))


def test_categories_are_what_they_name(tmp_path: Path):
    table = pa.Table.from_pylist(rows(VALUES))
    plain = analyze_table(write(tmp_path / "t.csv", rows(VALUES))).rows
    for name in ("arm", "seed", "accuracy"):
        coded = table.set_column(
            table.schema.get_field_index(name), name, table[name].dictionary_encode()
        )
        pq.write_table(coded, tmp_path / "t.parquet")
        assert analyze_table(tmp_path / "t.parquet").rows == plain


def test_arms_are_text_whatever_they_look_like(tmp_path: Path):
    table = rows({"007": VALUES["a"], "7": VALUES["b"]})
    assert analyze_table(write(tmp_path / "t.csv", table)).contrasts[0].name == "7 - 007"


@pytest.mark.parametrize(
    ("names", "mapping"),
    [
        (("Seed", "arm"), "Seed=seed"),
        (("run", "method"), "run=seed, method=arm"),
        (("replicate", "Variant"), "replicate=seed, Variant=arm"),
        (("seed", "model"), "model=arm"),
    ],
)
def test_likely_names_are_offered_and_the_offer_works(tmp_path: Path, names, mapping: str):
    renamed = dict(zip(("seed", "arm"), names, strict=True))
    table = [{renamed.get(k, k): v for k, v in row.items()} for row in rows(VALUES)]
    path = write(tmp_path / "t.csv", table)
    with pytest.raises(InputError) as error:
        analyze_table(path)
    assert f'did you mean --columns "{mapping}"?' in str(error.value)
    columns = dict(part.split("=") for part in mapping.split(", "))
    plain = analyze_table(write(tmp_path / "p.csv", rows(VALUES)))
    assert analyze_table(path, columns=columns).rows == plain.rows


@pytest.mark.parametrize(
    ("columns", "message"),
    [({"runs": "seed"}, "no column 'runs'"), ({"accuracy": "arm"}, "a column 'arm' is there")],
)
def test_columns_that_cannot_be_called_so_are_one_error(tmp_path: Path, columns, message: str):
    with pytest.raises(InputError, match=message):
        analyze_table(write(tmp_path / "t.csv", rows(VALUES)), columns=columns)


def test_a_mistyped_contrast_names_a_few_arms(tmp_path: Path):
    arms = {f"m{i:02}" + "m" * 37: [0.5, 0.6] for i in range(60)}
    path = write(tmp_path / "t.csv", rows(arms, "score"))
    with pytest.raises(InputError) as error:
        analyze_table(path, contrasts=[f"m01{'m' * 36} - m00{'m' * 37}"])
    assert f"did you mean 'm01{'m' * 37}'?" in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(("arms", "length"), [(2, 300), (8, 60), (30, 40), (50, 20)])
def test_any_number_of_arms_with_any_names_gets_a_report(tmp_path: Path, arms: int, length: int):
    rng = np.random.default_rng(0)
    values = {f"arm{i:02}".ljust(length, "x"): rng.normal(0.9, 0.01, 3) for i in range(arms)}
    names = list(values)
    out = tmp_path / "out"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report.write_table(
            write(tmp_path / "t.csv", rows(values)), out, contrasts=[f"{names[1]} - {names[0]}"]
        )
    markdown = (out / "report.md").read_text()
    assert names[1] in markdown  # in full, in the tables
    for figure in (out / "figures").glob("*.svg"):
        texts = re.findall(r"<text[^>]*>([^<]*)<", figure.read_text())
        assert all(figures.text_width(text) <= figures.WIDTH for text in texts)


@pytest.mark.parametrize("delta", [1.0, 1e-9, 1e12])
@pytest.mark.parametrize("scale", [1e9, 1.0, 1e-15])
def test_any_delta_for_values_of_any_size_gets_a_report(tmp_path: Path, delta, scale):
    rng = np.random.default_rng(0)
    values = {a: (scale * rng.normal(50, 9, 5)).tolist() for a in "ab"}
    out = tmp_path / "out"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report.write_table(write(tmp_path / "t.csv", rows(values, "latency_ns")), out, delta=delta)
    assert (out / "report.html").exists()


def test_equal_values_everywhere_draw_without_a_warning(tmp_path: Path):
    a = [round(0.1 * s, 1) for s in range(8)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report.write_table(
            write(tmp_path / "t.csv", rows({"a": a, "b": a}, "ms")), tmp_path / "out"
        )


WITH_COMMAS = {"a, b": [0.1, 0.2, 0.4], "c": [0.2, 0.4, 0.5], 'd"e': [0.1, 0.3, 0.3]}


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("c - a, b", ["c - a, b"]),
        ('a, b - c, d"e - c', ["a, b - c", 'd"e - c']),
        ('"a, b - c", c - d"e', ["a, b - c", 'c - d"e']),
        ('"c - a, b"', ["c - a, b"]),
        ("c - a, b, ", ["c - a, b"]),
    ],
)
def test_contrasts_of_arms_with_commas(tmp_path: Path, said: str, names: list[str]):
    path = write(tmp_path / "t.csv", rows(WITH_COMMAS, "score"))
    assert [c.name for c in analyze_table(path, contrasts=[said]).contrasts] == names


def test_a_whole_number_that_no_float_holds_is_refused_not_rounded(tmp_path: Path):
    table = rows({"a": [0.5, 0.6], "b": [0.6, 0.7]}, "score")
    for i, row in enumerate(table):
        row["n"] = 12345678901234567890 + i
    message = r"n: 12345678901234567890 in row 1, a whole number that no float holds"
    path = write(tmp_path / "t.csv", table)
    (tmp_path / "t.json").write_text(json.dumps(table))
    as_decimals = pa.array([decimal.Decimal(row["n"]) for row in table])
    plain = [{k: v for k, v in row.items() if k != "n"} for row in table]
    columns = pa.Table.from_pylist(plain).append_column("n", as_decimals)
    pq.write_table(columns, tmp_path / "t.parquet")
    alone = analyze_table(write(tmp_path / "p.csv", plain)).rows
    for file in (path, tmp_path / "t.json", tmp_path / "t.parquet"):
        for declared in (Declared(), Declared(metrics=["n"])):
            with pytest.raises(InputError, match=message):
                analyze_table(file, declared=declared)
        assert analyze_table(file, declared=Declared(ignore=["n"])).rows == alone
    exact = [row | {"n": 2**64 * (i + 1)} for i, row in enumerate(table)]  # powers of 2 are floats
    assert analyze_table(write(tmp_path / "e.csv", exact), declared=Declared(metrics=["n"])).rows


def test_columns_of_several_levels_are_called_by_their_words(tmp_path: Path):
    table = pa.Table.from_pylist(rows(VALUES))
    table = table.rename_columns(["('seed', '')", "('arm', '')", "('accuracy', 'test')"])
    pq.write_table(table, tmp_path / "t.parquet")
    (row,) = analyze_table(tmp_path / "t.parquet").rows
    assert row["metric"] == "accuracy test"


@pytest.mark.parametrize("kind", ["list", "date", "binary"])
def test_arms_that_are_no_names_are_one_error(tmp_path: Path, kind: str):
    table = pa.table({"seed": range(16), "arm": NESTED[kind], "score": range(16)})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"arm: .*allowed: names"):
        analyze_table(tmp_path / "t.parquet")


def on_a_terminal(found) -> str:
    out = io.StringIO()
    terminal.print_verdicts(found, Console(file=out, width=400))
    return out.getvalue()


def test_too_many_contrasts_for_the_seeds_get_a_way_out(tmp_path: Path):
    rng = np.random.default_rng(0)
    values = {f"m{i}": rng.normal(i, 0.01, 8).tolist() for i in range(16)}
    path = write(tmp_path / "t.csv", rows(values, "score"))
    found = analyze_table(path)
    text = on_a_terminal(found)
    assert "verdicts on 120 contrasts at once need 13 seeds or more, and there are 8" in text
    assert 2**12 >= 2 * 120 / 0.1 > 2**11  # 2 / 2**n <= 0.05 / 120 from 13 seeds on
    assert "With 8 seeds up to 6 get a verdict: --contrasts" in text
    six = analyze_table(path, contrasts=[", ".join(f"m{i} - m0" for i in range(1, 7))])
    assert {c.verdict for c in six.comparisons} == {Verdict.SIZE_UNDECIDED}
    seven = analyze_table(path, contrasts=[", ".join(f"m{i} - m0" for i in range(1, 8))])
    assert {c.verdict for c in seven.comparisons} == {Verdict.TOO_FEW_SEEDS}


def test_the_terminal_says_where_it_stops(tmp_path: Path):
    values = {f"m{i}": [0.1 * i, 0.2, 0.3 * i] for i in range(16)}
    found = analyze_table(write(tmp_path / "t.csv", rows(values, "score")))
    text = on_a_terminal(found)
    first = "The answer, row by row (12 of 120, those that differ first)"
    assert first in " ".join(text.split())
    few = analyze_table(tmp_path / "t.csv", contrasts=["m1 - m0"])
    assert "those that differ first" not in on_a_terminal(few)
