"""The worked examples of whole pipelines run as their pages say."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from bench.analysis import analyze
from bench.store import folder as store
from tests.own.test_run import command, rows

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
RESULTS = Path(__file__).parents[2] / "results"


@pytest.mark.slow
def test_the_command_gives_a_report_and_keeps_its_logs(tmp_path):
    shutil.copytree(EXAMPLES / "command", tmp_path, dirs_exist_ok=True)
    small = ("--workers", "2", "--set", "seeds=1", "--set", "bits=2")
    done = command("run", "mine.py", *small, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = {row["arm"]: row for row in rows(tmp_path / "results" / "mine")}
    assert found["exact"]["accuracy"] > 0.8
    log = tmp_path / "results" / "mine" / "logs" / f"{found['rounded']['cell']}.txt"
    assert log.read_text("utf-8") == "rounded of seed 0: 300 examples, 2 bits\n"


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="no PyTorch here: pip install .[examples]",
)
def test_pytorch_is_reproducible_and_gives_int8(tmp_path):
    shutil.copytree(EXAMPLES / "pytorch", tmp_path, dirs_exist_ok=True)
    done = command("check", "mine.py", "--workers", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for arm in ("float", "ptq", "qat", "ptq+k"):
        assert f"✓ arm {arm}" in done.stdout
    assert "✓ one seed twice: the same bits" in done.stdout


def test_the_committed_report_of_pytorch_is_whole_and_says_what_its_page_says():
    made = analyze(store.read(RESULTS / "pytorch-digits"))
    assert made.checks.complete
    assert made.study.pipeline.file == "mine.py"
    assert len(made.study.seeds) == 20
    by_name = {c.name: c for c in made.select("seeds")}
    assert 2.5 < by_name["qat - ptq"].mean < 3.5  # "by three points"
    assert abs(by_name["qat - ptq+k"].mean) < 0.5  # "all of it is the two epochs more"
    versions = made.environment["environments"].values()
    assert all("torch" in each["packages"] for each in versions)


@pytest.mark.parametrize("kind", ["pipeline", "command"])
def test_new_writes_a_study_of_each_kind_that_can_be_planned(tmp_path, monkeypatch, kind):
    from bench import study
    from bench.cli.new import new
    from bench.plan.cells import cells
    from bench.plan.data import check_data

    monkeypatch.chdir(tmp_path)
    new(Path(f"a_{kind}.py"), kind)
    made = study.load(f"a_{kind}.py")
    check_data(made)
    assert len(cells(made)) == {"pipeline": 10 * 3, "command": 10 * 2}[kind]
    assert made.arms == ("float", "ptq")
