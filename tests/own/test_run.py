"""A file of one's own through the command, on a real local Ray; the worked example among them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.store.folder import Store

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "keras_npz"
SMALL = ("--workers", "2", "--set", "seeds=2", "--set", "budgets=1", "--set", "train_examples=200")

pytestmark = pytest.mark.slow


def command(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)], cwd=cwd, capture_output=True,
        text=True, timeout=280, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def rows(folder):
    return Store(folder).cells()[0].to_pylist()


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The worked example, as its README says, and its small run."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copy(EXAMPLE / "mine.py", folder)
    shutil.copy(EXAMPLE / "make_npz.py", folder)
    subprocess.run([sys.executable, folder / "make_npz.py"], check=True, cwd=ROOT)
    done = command("run", "mine.py", *SMALL, "--set", "arms=[float,ptq,qat]", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_the_worked_example_gives_a_report(example):
    folder, done = example
    found = rows(folder / "results" / "mine")
    assert len(found) == 2 * 3
    assert {row["status"] for row in found} <= {"ok", "diverged"}
    assert {(row["model"], row["dataset"], row["n"]) for row in found} == {("mine", "mine", 597)}
    assert {row["batch_norm_momentum"] for row in found} == {0.9}
    assert "models: mine (in mine.py); data: mine (in mine.py)" in done.stderr
    report = (folder / "results" / "mine" / "report.md").read_text("utf-8")
    heading = report.splitlines()[0]  # --set changed what the file's title was written for
    assert heading.startswith("# PTQ against QAT on mine with mine, after 1 epoch")
    assert str(folder) not in (folder / "results" / "mine" / "study.toml").read_text("utf-8")


def test_analyze_needs_no_code_and_edits_that_change_nothing_run_nothing(example):
    folder, _ = example
    out = folder / "results" / "mine"
    reports = [out / name for name in ("report.html", "report.md", "contrasts.parquet")]
    before = [path.read_bytes() for path in reports]
    kept = folder / "mine.py"
    text = kept.read_text("utf-8")
    kept.write_text("raise SystemError('run by analyze')\n")
    assert command("analyze", "results/mine", cwd=folder).returncode == 0
    kept.unlink()
    assert command("analyze", "results/mine", cwd=folder).returncode == 0
    assert [path.read_bytes() for path in reports] == before

    kept.write_text(text.replace("import numpy", "# a comment\nimport numpy"))
    again = command("run", "mine.py", *SMALL, "--set", "arms=[float,ptq,qat]", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert "6 of 6 cells are there already" in again.stderr

    kept.write_text(text.replace("(16, 32)", "(16, 24)"))
    planned = command("plan", "mine.py", *SMALL[2:], "--out", "results/mine", cwd=folder)
    assert "are there already" not in planned.stdout
    edited = command("run", "mine.py", *SMALL, "--set", "arms=float", cwd=folder)
    assert edited.returncode == 0, edited.stderr
    assert "6 results in this folder are of no cell of this study" in edited.stderr
    assert len(rows(out)) == 6 + 2


def test_a_copy_of_a_built_in_network_gives_the_same_bits(tmp_path):
    """Its layers in a sibling, its filters in `files`, both sent as text to the workers."""
    source = (ROOT / "bench" / "models" / "bncnn.py").read_text("utf-8")
    source = source.replace("from bench.models import Cost\n", "").replace("COST = ", "# COST = ")
    source = source.replace('"""Three', 'from pathlib import Path\n"""Three')
    assert "(16, 1), (32, 2), (64, 2)" in source
    source = source.replace("((16, 1), (32, 2), (64, 2))", "eval(Path('filters').read_text())")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "layers_of_mine.py").write_text(source)
    (tmp_path / "deep" / "filters").write_text("((16, 1), (32, 2), (64, 2))")
    (tmp_path / "deep" / "twin.py").write_text(
        "from layers_of_mine import build\nfiles = ['filters']\n"
        "def model(shape, classes):\n    print('built')\n    return build(shape, classes)\n"
    )
    (tmp_path / "deep" / "study.toml").write_text('models = ["bncnn", "twin.py:model"]\n')
    done = command("run", "deep/study.toml", *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "built" not in done.stdout
    found = {(r["model"], r["seed"], r["arm"]): r for r in rows(tmp_path / "results" / "study")}
    of_twin = {key[1:]: row for key, row in found.items() if key[0] == "twin"}
    assert len(of_twin) == 2 * 7
    for place, row in of_twin.items():
        built_in = found["bncnn", *place]
        assert row["predictions"] == built_in["predictions"], place
        assert row["loss"] == built_in["loss"]
        assert row["cell"] != built_in["cell"]


def test_a_package_that_a_node_lacks_is_one_error_that_names_both(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def model(shape, classes):\n    import no_such_package\n    return no_such_package.net()\n"
    )
    done = command("run", "mine.py", *SMALL, cwd=tmp_path)
    assert done.returncode == 2
    assert "needs the package 'no_such_package', which is not there on node " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results" / "mine" / "study.toml").exists()


def test_bad_data_end_a_run_before_it_starts(tmp_path):
    (tmp_path / "mine.py").write_text("def data():\n    return None\n")
    done = command("run", "mine.py", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "error: mine.py, data(): it is None; allowed: (train, test), each (x, y) or "
        "(x, y, groups), of arrays\n"
    )
    assert not (tmp_path / "results").exists()
