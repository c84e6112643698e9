"""Runs that go on, on a real local Ray with a pipeline that trains nothing."""

import shutil

import pytest

from bench import runner
from bench.analysis.next_look import look
from bench.errors import InputError
from bench.plan.looks import declare
from bench.store.folder import Store
from bench.study import validate
from tests.runner.pipeline import Faults
from tests.runner.watching import Recorder

PIPELINE = "tests.runner.pipeline"
FIRST, MOST = 10, 15


@pytest.fixture
def faults(tmp_path, monkeypatch):
    """Of a cell of the first look and one of the second, as long as a file is there."""
    found = Faults(str(tmp_path), fails=["ptq/0/3", "ptq/0/12"])
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "broken").touch()
    return found


def sequential():
    fields = {"title": "looks", "seeds": 10, "budgets": [1], "arms": ["float", "ptq"]}
    return declare(validate(fields, "test"), "half-width=0.001", MOST)


def run(study, out):
    recorder = Recorder()
    more = (lambda: look(Store(out))) if study.sequential else None
    runner.run(study, out, recorder, workers=2, more=more, pipeline=PIPELINE)
    return recorder


def statuses(out):
    rows = Store(out).statuses("arm", "seed")
    return {(row["arm"], row["seed"]): row["status"] for row in rows}


def test_a_cell_that_failed_at_any_look_is_tried_again_at_every_resume(faults, tmp_path):
    out, study = tmp_path / "out", sequential()
    assert study.sequential.looks[0] == FIRST
    first = run(study, out)
    assert max(first.additions) > 0
    ends = statuses(out)
    assert len(ends) == 2 * MOST
    assert {place for place, status in ends.items() if status == "failed"} == {
        ("ptq", 3),
        ("ptq", 12),
    }

    again = run(study, out)  # still broken
    assert sorted((row["arm"], row["seed"]) for row in again.rows) == [("ptq", 3), ("ptq", 12)]
    assert statuses(out) == ends

    (tmp_path / "broken").unlink()
    mended = run(study, out)
    assert sorted((row["arm"], row["seed"]) for row in mended.rows) == [("ptq", 3), ("ptq", 12)]
    assert set(statuses(out).values()) == {"ok"}
    assert run(study, out).rows == []


class Deletes(Recorder):
    """Removes the result folder when the first rows are there."""

    def __init__(self, out):
        super().__init__()
        self._out = out

    def finished(self, rows):
        super().finished(rows)
        shutil.rmtree(self._out, ignore_errors=True)


def test_a_folder_that_is_removed_in_the_middle_ends_in_one_message(faults, tmp_path):
    out = tmp_path / "out"
    study = validate({"title": "gone", "seeds": 400, "budgets": [1], "arms": ["float"]}, "test")
    with pytest.raises(InputError, match="it was removed while the run wrote there"):
        runner.run(study, out, Deletes(out), workers=1, pipeline=PIPELINE)
    assert not out.exists()
