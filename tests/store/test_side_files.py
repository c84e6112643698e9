"""What lies beside cells/: lost, damaged or hostile, it is one error or a note, and no default is
taken in silence."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import InputError
from bench.plan import cells as plan
from bench.store.cells import CELL_SCHEMA
from bench.store.folder import Store, read
from tests.store.rows import LABELS, STUDY, folder, row

CELLS_OF_STUDY = plan.cells(STUDY)


def huge(path: Path) -> None:
    """20 million rows in a few kB."""
    many = 20_000_000
    columns = {
        "dataset": pa.DictionaryArray.from_arrays(pa.array(np.zeros(many, np.int8)), ["digits"]),
        "example": pa.array(np.zeros(many, np.int32)),
        "label": pa.array(np.zeros(many, np.int32)),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def bomb(path: Path) -> None:
    """100,000 rows that share one value of a megabyte: 100 GB decoded."""
    rows = [row(CELLS_OF_STUDY[0])] * 100_000
    table = pa.Table.from_pylist(rows, schema=CELL_SCHEMA)
    cells = pa.array([f"{at:016x}" for at in range(len(rows))])
    table = table.set_column(table.schema.names.index("cell"), "cell", cells)
    shared = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(len(rows), np.int32)), pa.array(["x" * 1_000_000])
    )
    table = table.set_column(table.schema.names.index("error"), "error", shared)
    pq.write_table(table, path, compression="zstd")


READER = """
import resource, sys
from pathlib import Path
from bench.errors import InputError
from bench.store.folder import Store, read

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read(Path(sys.argv[1]))
except InputError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(
    ("spoil", "name", "said", "megabytes"),
    [
        (huge, "labels.parquet", "claims 20,000,000 rows", 100),
        (huge, "cells/huge.parquet", None, 100),
        (huge, "plan.parquet", "claims 20,000,000 rows", 100),
        (bomb, "cells/bomb.parquet", None, 1500),
    ],
)
def test_what_claims_more_than_can_be_is_refused_in_bounded_memory(
    tmp_path, spoil, name, said, megabytes
):
    folder(tmp_path)
    spoil(tmp_path / name)
    command = [sys.executable, "-c", READER, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    *error, grown = done.stdout.splitlines()
    assert int(grown) < megabytes
    if said is None:  # one file of several: the others count
        assert error == []
        assert list(read(tmp_path).reasons) == [Path(name).name]
    else:
        (message,) = error
        assert said in message
        assert name in message


def damaged(path: Path, name: str, content: bytes | None) -> None:
    if content is None:
        (path / name).unlink()
    else:
        (path / name).write_bytes(content)


DAMAGE = {"empty": b"", "text": b"PAR1 no Parquet PAR1", "zeros": bytes(5000)}


@pytest.mark.parametrize("content", [None, *DAMAGE.values()], ids=["lost", *DAMAGE])
@pytest.mark.parametrize("name", ["labels.parquet", "study.toml"])
def test_what_analyze_needs_and_run_can_make_again_is_one_error(tmp_path, name, content):
    folder(tmp_path)
    damaged(tmp_path, name, content)
    with pytest.raises(InputError) as raised:
        read(tmp_path)
    message = str(raised.value)
    assert name in message
    assert "\n" not in message
    assert "`run`" in message


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("name", ["plan.parquet", "looks.parquet"])
def test_a_damaged_plan_or_record_of_looks_is_one_error(tmp_path, name, content):
    store = folder(tmp_path)
    store.write_plan([CELLS_OF_STUDY[0].columns])
    store.write_looks([{"contrast": "ptq - float", "look": 1, "seeds": [0]}])
    read(tmp_path)
    damaged(tmp_path, name, content)
    with pytest.raises(InputError, match=name):
        read(tmp_path)


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
def test_damaged_contrasts_are_one_error_for_plan(tmp_path, content):
    store = folder(tmp_path)
    assert store.pilot_sds(["ptq - float"]) == ()
    damaged(tmp_path, "contrasts.parquet", content)
    with pytest.raises(InputError, match=r"contrasts\.parquet.*`analyze` writes it anew"):
        store.pilot_sds(["ptq - float"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.slice(0, 0), "no labels of 'digits'"),
        (lambda t: t.take([1, 0, 2, 3]), "not 0, 1, 2"),
        (lambda t: t.slice(0, 3), "contradict it"),
        (lambda t: t.drop_columns(["label"]), "no column 'label'"),
        (lambda t: t.set_column(2, "label", pa.array([3, 1, None, 0])), "1 rows without label"),
        (lambda t: t.set_column(2, "label", pa.array([3, 1, 2**40, 0])), "column 'label'"),
        (lambda t: t.set_column(0, "dataset", pa.array(["other"] * 4)), "no labels of 'digits'"),
    ],
)
def test_labels_that_parse_and_are_wrong_are_one_error(tmp_path, change, said):
    store = folder(tmp_path)
    table = pq.read_table(tmp_path / "labels.parquet")
    pq.write_table(change(table), tmp_path / "labels.parquet")
    with pytest.raises(InputError, match=said):
        read(tmp_path)
    store.write_labels("digits", LABELS, list("0123"), [])
    assert read(tmp_path).cells.num_rows == 12


def test_labels_of_another_dataset_survive_the_mending_of_one(tmp_path):
    store = Store(tmp_path)
    store.write_labels("a", np.array([1, 0]), ["cat", "dog"], [])
    store.write_labels("b", np.array([2, 1]), ["0", "1", "2"], [])
    table = pq.read_table(tmp_path / "labels.parquet")
    spoilt = table.set_column(2, "label", pa.array([0, 0, 2, 1], pa.int32()))
    pq.write_table(spoilt, tmp_path / "labels.parquet")
    store.write_labels("a", np.array([1, 0]), ["cat", "dog"], [])
    labels = Store(tmp_path).labels()
    assert {name: each.tolist() for name, each in labels.items()} == {"a": [1, 0], "b": [2, 1]}
    with pytest.raises(ValueError, match="beyond 32 bits"):
        store.write_labels("c", np.array([2**32]), ["0"], [])


@pytest.mark.parametrize("sequential", [False, True])
def test_a_study_cut_off_anywhere_is_no_other_study(tmp_path, sequential):
    made = STUDY
    if sequential:
        looks = {"looks": [2], "half_width": 0.5}
        made = STUDY.model_validate(STUDY.model_dump() | {"sequential": looks})
    store = Store(tmp_path)
    store.write_study(made)
    whole = (tmp_path / "study.toml").read_bytes()
    assert store.study() == made
    refused = 0
    for length in range(len(whole)):
        (tmp_path / "study.toml").write_bytes(whole[:length])
        try:
            assert store.study() == made
        except InputError as error:
            assert "writes it anew" in str(error)  # noqa: PT017
            refused += 1
    assert refused >= len(whole) - 1  # all but the last line break
    (tmp_path / "study.toml").write_text(made.to_toml())  # as older versions wrote it
    assert store.study() == made


@pytest.mark.parametrize(
    "content",
    [
        *DAMAGE.values(),
        b"[1, 2]",
        b'"text"',
        b'{"data": []}',
        b'{"environments": 7}',
        b'{"data": {"digits": null}}',
        b'{"baselines": {"digits": []}}',
        b'{"baselines": {"digits": {"logistic": "high"}}}',
        b'{"declared": [1]}',
        b'{"data": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_damaged_environment_is_a_note_and_changes_no_number(tmp_path, content):
    store = folder(tmp_path)
    store.write_environment({"data": {"digits": "digits"}, "environments": {}})
    expected = read(tmp_path)
    assert expected.notes == ()
    (tmp_path / "environment.json").write_bytes(content)
    results = read(tmp_path)
    (note,) = results.notes
    assert note.startswith("environment.json")
    assert (results.environment, store.environment()) == ({}, {})
    assert results.cells.equals(expected.cells)
    (tmp_path / "environment.json").unlink()
    assert read(tmp_path).notes == ()


def test_environment_is_read_back(tmp_path):
    about = {"data": {"digits": "x"}, "environments": {"0": {"packages": {"ray": None}}}, "n": 1}
    Store(tmp_path).write_environment(about)
    assert Store(tmp_path).environment() == json.loads(json.dumps(about))


@pytest.mark.parametrize("name", ["study.toml", "metrics.json", "labels.parquet"])
def test_what_the_storage_does_not_give_is_not_called_damaged(tmp_path, name):
    (tmp_path / name).mkdir()
    store = Store(tmp_path)
    reads = {
        "study.toml": store.study,
        "metrics.json": store.metrics,
        "labels.parquet": store.labels,
    }
    with pytest.raises(InputError, match=f"{name}: not readable: .*Is a directory"):
        reads[name]()
