"""Cells that never end and processes that are stopped, on a real local Ray."""

import pytest

from bench import runner
from bench.analysis import analyze
from bench.errors import InputError
from bench.runner import flights
from bench.store import folder
from bench.store.folder import Store
from bench.study import validate
from tests.runner.pipeline import Faults
from tests.runner.watching import Recorder

PIPELINE = "tests.runner.pipeline"
SEEDS, LIMIT_S = 3, 2
ARMS = ["float", "ptq", "float+k", "qat"]


def run(study, out):
    recorder = Recorder()
    runner.run(study, out, recorder, workers=2, pipeline=PIPELINE)
    return recorder


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A run with a cell that never ends and one that does so the first time: its folder, its rows
    and what the analysis makes of them."""
    base = tmp_path_factory.mktemp("timeouts")
    (base / "broken").touch()
    faults = Faults(str(base), hangs=["qat/2/1"], hangs_once=["ptq/0/2"])
    fields = {"title": "late", "seeds": SEEDS, "budgets": [1], "extra": [1, 2], "arms": ARMS}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in faults.environment.items():
            patch.setenv(name, value)
        run(validate(fields | {"timeout": LIMIT_S, "primary": []}, "test"), base / "out")
    rows = Store(base / "out").cells()[0].to_pylist()
    analysis = analyze(folder.read(base / "out"))
    return base, {(row["arm"], row["extra"], row["seed"]): row for row in rows}, analysis


def test_a_cell_that_never_ends_gets_a_row_after_two_tries_and_costs_no_other(ended):
    base, rows, _ = ended
    assert len(rows) == SEEDS * 6
    late = [row for row in rows.values() if row["status"] != "ok"]
    assert [(row["arm"], row["extra"], row["seed"]) for row in late] == [("qat", 2, 1)]
    assert (late[0]["status"], late[0]["error"]) == ("timeout", "killed after 2s, twice")
    assert (base / "qat-2-1").read_text() == "xx"


def test_one_that_is_late_once_costs_nothing(ended):
    base, rows, _ = ended
    assert (base / "ptq-0-2").read_text() == "x"
    assert rows["ptq", None, 2]["status"] == "ok"


def test_its_seed_is_left_out_of_the_contrasts_that_need_it_alone(ended):
    _, _, analysis = ended
    seeds = {
        (row["contrast"], row["extra"]): row["n_seeds"]
        for row in analysis.rows
        if row["metric"] == "accuracy" and row["population"] == "seeds"
    }
    assert seeds["ptq - float", None] == SEEDS
    assert seeds["qat - ptq", 1] == SEEDS
    assert seeds["qat - ptq", 2] == SEEDS - 1


def test_the_next_run_tries_it_again_and_nothing_else(ended):
    base, rows, _ = ended
    missing = {row["cell"] for row in rows.values()} - Store(base / "out").done()
    assert missing == {rows["qat", 2, 1]["cell"]}


def test_a_model_that_cannot_be_tried_in_time_is_one_error(tmp_path, monkeypatch):
    faults = Faults(str(tmp_path), probe_hangs=["ptq"])
    for name, value in faults.environment.items():
        monkeypatch.setenv(name, value)
    study = validate({"title": "late", "seeds": 2, "timeout": LIMIT_S, "arms": ARMS}, "test")
    with pytest.raises(InputError, match="did not end within 2s"):
        run(study, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.faults
def test_a_stopped_process_is_noticed_said_and_replaced(tmp_path, monkeypatch):
    faults = Faults(str(tmp_path), stops=["float/0/0"])
    for name, value in faults.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(flights, "SILENT_S", 7.0)
    fields = {"title": "stopped", "seeds": 2, "budgets": [1], "arms": ["float"], "primary": []}
    recorder = run(validate(fields, "test"), tmp_path / "out")
    assert (tmp_path / "float-0-0").read_text() == "x"
    assert [row["status"] for row in recorder.rows] == ["ok", "ok"]
    (said,) = [line for line in recorder.said_lines if "was stopped" in line]
    assert said.startswith("digits bncnn float: ")
