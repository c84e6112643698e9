"""What is damaged in a finished folder `run` mends, and computes nothing again for it."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from bench import datasets, runner
from bench.cli.progress import RunProgress
from bench.errors import InputError
from bench.plan import cells as plan
from bench.store.folder import Store, read
from tests.store.rows import STUDY, row


@pytest.fixture(scope="module")
def labels():
    return datasets.load("digits").y_test


@pytest.fixture
def finished(tmp_path, labels):
    store = Store(tmp_path / "out")
    store.append([row(cell, labels=labels, right=700) for cell in plan.cells(STUDY)])
    again(store.folder)
    return store.folder


def again(folder: Path) -> None:
    """The same run once more. No Ray is started where nothing is missing."""
    runner.run(STUDY, folder, RunProgress(Console(quiet=True)))


def lose(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def spoil(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + b"?" + content[len(content) // 2 + 1 :])


def relabel(path: Path) -> None:
    table = pq.read_table(path)
    wrong = pa.array([(label + 1) % 10 for label in table["label"].to_pylist()], pa.int32())
    pq.write_table(table.set_column(2, "label", wrong), path)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *[("labels.parquet", damage) for damage in (lose, empty, spoil, relabel)],
        *[("study.toml", damage) for damage in (lose, empty)],
    ],
)
def test_what_analyze_refuses_the_next_run_mends(finished, name, damage):
    expected = read(finished)
    cells = {path: path.read_bytes() for path in (finished / "cells").iterdir()}
    damage(finished / name)
    with pytest.raises(InputError, match=r"labels\.parquet|study\.toml"):
        read(finished)
    again(finished)
    results = read(finished)
    assert results.study == expected.study
    assert results.labels["digits"].tolist() == expected.labels["digits"].tolist()
    assert results.cells.equals(expected.cells)
    assert {path: path.read_bytes() for path in (finished / "cells").iterdir()} == cells


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"data": 1}', b'{"versions": {}}'])
def test_a_damaged_environment_is_written_anew(finished, content):
    (finished / "environment.json").write_bytes(content)
    again(finished)
    about = json.loads((finished / "environment.json").read_text())
    assert about["data"] == {"digits": datasets.identity("digits")}
    assert read(finished).notes == ()
