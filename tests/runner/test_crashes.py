"""Processes that die under a study, on a real local Ray: each costs what it must and no more."""

import json
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from ipaddress import ip_address

import pytest

from bench import runner
from bench.store.folder import Store
from bench.study import validate
from tests.runner.pipeline import Faults
from tests.runner.watching import Recorder

SEEDS = 4
CELLS = [("float", None), ("ptq", None)] + [
    (arm, extra) for arm in ("float+k", "ptq+k", "qat", "qat-cal") for extra in (1, 2)
]


@pytest.fixture(scope="module")
def study():
    arms = list(dict.fromkeys(arm for arm, _ in CELLS))
    fields = {"title": "crashes", "seeds": SEEDS, "budgets": [1], "extra": [1, 2], "arms": arms}
    return validate(fields, "test")


@pytest.fixture(scope="module")
def ended(study, tmp_path_factory):
    """A run with every fault at once: rows by arm, extra and seed; what was said; its notes."""
    folder = tmp_path_factory.mktemp("crashes")
    faults = Faults(
        str(folder),
        probe={"ptq+k": "SIGSEGV"},
        cell={"qat/1/1": "SIGABRT"},
        once=["float/0/2"],
        segment=[3],
    )
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in faults.environment.items():
            patch.setenv(name, value)
        with redirect_stderr(StringIO()) as said, redirect_stdout(said):
            runner.run(study, folder / "out", recorder, workers=2, pipeline="tests.runner.pipeline")
    assert said.getvalue() == ""  # Ray has pages to say about each
    rows = Store(folder / "out").cells()[0].to_pylist()
    assert len(rows) == SEEDS * len(CELLS)
    return {(row["arm"], row["extra"], row["seed"]): row for row in rows}, recorder, folder


def test_all_of_a_local_ray_listens_on_loopback(ended):
    _, recorder, _ = ended
    assert len(recorder.listening) > 3  # GCS, raylet, two workers at least
    hosts = {address.rpartition(":")[0] for address in recorder.listening}
    assert {ip_address(host).is_loopback or host == "::ffff:127.0.0.1" for host in hosts} == {True}


def test_an_arm_whose_probe_crashes_is_unsupported_with_the_signal(ended):
    rows, recorder, _ = ended
    of_arm = [row for (arm, _, _), row in rows.items() if arm == "ptq+k"]
    assert len(of_arm) == 2 * SEEDS
    assert {row["status"] for row in of_arm} == {"unsupported"}
    assert all("SIGSEGV" in row["error"] for row in of_arm)
    assert any("ptq+k" in said and "SIGSEGV" in said for said in recorder.said_lines)


def test_a_crash_in_the_middle_costs_its_own_cell_and_names_the_signal(ended):
    rows, _, _ = ended
    assert rows["qat", 1, 1]["status"] == "failed"
    assert rows["qat", 1, 1]["error"] == "crashed: SIGABRT"
    others = [row for (arm, _, seed), row in rows.items() if arm != "ptq+k" and seed < 3]
    assert Counter(row["status"] for row in others) == {"ok": len(others) - 1, "failed": 1}


def test_a_crash_that_repeats_is_tried_once_more_and_not_again(ended):
    _, _, folder = ended
    assert (folder / "qat-1-1").read_text() == "xx"
    assert (folder / "probe-ptq+k").read_text() == "xx"


def test_the_log_says_what_ended_how(ended):
    _, _, folder = ended
    (log,) = (folder / "out" / "runs").glob("*.jsonl")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert events[0]["what"] == "task"
    assert events[-1]["what"] == "done"
    tasks = [event for event in events if event["what"] == "task"]
    assert {"digits bncnn float", "warm-up"} <= {task["name"] for task in tasks}
    assert {"outcome", "again", "failed"} <= {task["end"] for task in tasks}
    assert sum(task["name"] == "warm-up" for task in tasks) <= 2  # one for each worker
    assert sum(event.get("ok", 0) for event in events) > 0


def test_a_process_that_is_killed_once_costs_nothing(ended):
    rows, _, folder = ended
    assert (folder / "float-0-2").read_text() == "x"
    assert rows["float", None, 2]["status"] == "ok"


def test_a_training_that_raises_fails_its_seed_with_one_line(ended):
    rows, _, _ = ended
    failed = [row for (arm, _, seed), row in rows.items() if arm != "ptq+k" and seed == 3]
    assert {row["status"] for row in failed} == {"failed"}
    (error,) = {row["error"] for row in failed}
    assert error.startswith("ValueError: seed 3 cannot be trained (pipeline.py:")
