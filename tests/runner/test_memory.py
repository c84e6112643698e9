"""A cell that takes more memory than there is, on a real local Ray that watches over it."""

from pathlib import Path

import pytest

from bench import runner
from bench.cli.failures import remedy
from bench.store.folder import Store
from bench.study import validate
from tests.runner.pipeline import Faults
from tests.runner.watching import Recorder

ROOM = 3 << 30


def used_and_total():
    lines = Path("/proc/meminfo").read_text().splitlines()
    about = {name: int(rest.split()[0]) << 10 for name, rest in (line.split(":") for line in lines)}
    return about["MemTotal"] - about["MemAvailable"], about["MemTotal"]


@pytest.mark.faults
def test_it_fails_after_three_tries_with_the_reason_and_costs_no_other(tmp_path, monkeypatch):
    used, total = used_and_total()
    if used + 2 * ROOM > total:
        pytest.skip("needs 6 GiB of free memory")
    monkeypatch.setenv("RAY_memory_usage_threshold", f"{(used + ROOM) / total:.4f}")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "100")
    for name, value in Faults(str(tmp_path), eats=["ptq/0/1"]).environment.items():
        monkeypatch.setenv(name, value)
    fields = {"title": "eats", "seeds": 3, "budgets": [1], "arms": ["float", "ptq", "qat"]}
    study = validate(fields | {"primary": []}, "test")
    runner.run(study, tmp_path / "out", Recorder(), workers=1, pipeline="tests.runner.pipeline")
    rows = Store(tmp_path / "out").cells()[0].to_pylist()
    failed = [row for row in rows if row["status"] != "ok"]
    assert len(rows) == 9
    assert [(row["arm"], row["seed"], row["status"]) for row in failed] == [("ptq", 1, "failed")]
    assert "OutOfMemory" in failed[0]["error"]
    assert remedy(failed[0]["error"]) == "fewer --workers, or more memory"
    assert (tmp_path / "ptq-0-1").read_text() == 6 * "x"  # three with another cell, three alone
