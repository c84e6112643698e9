"""The command for real: a small study on a real local Ray, killed, resumed, widened.

Everything is compared with one run by one worker, cell by cell and bit by bit.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest

from bench.store.folder import Store
from bench.store.schema import CELLS, CONTRASTS
from tests.packages import with_models

STUDY = """
title = "small"
seeds = 2
budgets = [1, 2]
extra = [1, 2]
train_examples = 200
calibration_examples = 20
"""
CELLS_PLANNED = 2 * 2 * (2 + 5 * 2)  # seeds x budgets x (float, ptq and five arms at two extras)
RESULT = ("cell", "seed", "budget", "arm", "extra", "status", "predictions", "sha256", "loss")


def command(*arguments):
    return [sys.executable, "-m", "bench", *map(str, arguments)]


def run(*arguments, **options):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=400, **options
    )


@pytest.fixture(scope="module")
def home():
    """A home of nobody's, with a folder for temporary files: what a run leaves there is seen."""
    with TemporaryDirectory(prefix="h", dir="/tmp") as folder:
        (Path(folder) / "tmp").mkdir()
        yield Path(folder)


def at_home(home):
    return os.environ | {"HOME": str(home), "TMPDIR": str(home / "tmp")}


def results(folder):
    table, ignored = Store(folder).cells()
    assert ignored == ()
    return table.select(list(RESULT)).sort_by("cell")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "small.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="module")
def one_worker(study, tmp_path_factory, home):
    folder = tmp_path_factory.mktemp("one") / "out"
    done = run(*("run", study, "--out", folder, "--workers", 1, "--keep-models"), env=at_home(home))
    assert done.returncode == 0, done.stderr
    folder.with_name("stdout").write_text(done.stdout)
    folder.with_name("stderr").write_text(done.stderr)
    return folder


def test_every_planned_cell_has_a_whole_row(one_worker):
    table, _ = Store(one_worker).cells()
    assert table.num_rows == CELLS_PLANNED
    assert table.column_names == [column.name for column in CELLS]
    for row in table.to_pylist():
        assert row["status"] in ("ok", "diverged"), row["error"]
        assert len(row["predictions"]) == row["n"] == 797
        assert row["epochs"] == row["budget"] + (row["extra"] or 0)
        assert row["steps"] == row["epochs"] * 7  # 200 examples at batch 32
        assert row["number_format"] == ("float32" if "float" in row["arm"] else "int8")
        assert row["accuracy"] == row["correct"] / row["n"]
        assert (row["disagreements"] is None) == (row["arm"] != "float")
        assert row["finished_at"].tzinfo is not None


def test_predictions_agree_with_the_labels_that_lie_beside_them(one_worker):
    labels = pq.read_table(one_worker / "labels.parquet")["label"].to_numpy()
    for row in Store(one_worker).cells()[0].to_pylist():
        assert (
            sum(p == y for p, y in zip(row["predictions"], labels, strict=True)) == row["correct"]
        )


def test_every_file_is_kept_as_its_row_says(one_worker):
    rows = Store(one_worker).cells()[0].select(["cell", "sha256", "bytes"]).to_pylist()
    kept = {path.stem: path.read_bytes() for path in (one_worker / "models").iterdir()}
    assert kept.keys() == {row["cell"] for row in rows}
    for row in rows:
        file = kept[row["cell"]]
        assert (hashlib.sha256(file).hexdigest(), len(file)) == (row["sha256"], row["bytes"])


def test_the_result_folder_is_complete_and_says_nothing_about_this_machine(one_worker):
    names = {p.name for p in one_worker.iterdir()}
    assert names == {
        "cells", "figures", "labels.parquet", "study.toml", "environment.json",
        "contrasts.parquet", "verdicts.json", "report.html", "report.md", "plan.parquet",
        "models", "metrics.json", "layers.parquet", "runs",
    }  # fmt: skip
    said = json.loads((one_worker / "environment.json").read_text())
    (versions,) = said["environments"]
    assert set(Store(one_worker).cells()[0]["versions"].to_pylist()) == {versions}
    text = "".join(p.read_text() for p in one_worker.iterdir() if p.suffix in (".json", ".md"))
    assert os.uname().nodename not in text
    assert str(Path.home()) not in text


def test_nothing_is_left_outside_the_result_folder(one_worker, home):
    assert list((home / "tmp").iterdir()) == []
    assert not (home / ".ray").exists()  # Ray's token, for all to read
    assert not (one_worker / ".lock").exists()


def test_before_anything_trains_it_says_what_plan_says(one_worker):
    said = one_worker.with_name("stderr").read_text()
    warning = "too few seeds: no outcome of the exact test could be significant"
    assert warning in said
    assert said.index(warning) < said.index(f"/{CELLS_PLANNED} cells, ")
    assert "optimizer steps" in said


def test_the_report_is_one_file_without_a_network(one_worker):
    html = (one_worker / "report.html").read_text()
    for outside in ('src="http', "src='http", 'href="http', "url(http", "@import", "fetch("):
        assert outside not in html
    assert "<svg" in html


def test_contrasts_have_the_columns_of_the_schema(one_worker):
    names = pq.read_schema(one_worker / "contrasts.parquet").names
    assert names[: len(CONTRASTS)] == [column.name for column in CONTRASTS]


def test_where_there_is_no_terminal_progress_is_plain_lines(one_worker):
    said = one_worker.with_name("stderr").read_text()
    assert "\x1b" not in said
    lines = [line for line in said.splitlines() if f"/{CELLS_PLANNED} cells, " in line]
    assert lines[-1].startswith(f"{CELLS_PLANNED}/{CELLS_PLANNED} cells, done in")
    assert max(map(len, lines)) <= 80


def test_analyze_writes_the_same_report_again_without_tensorflow_and_ray(one_worker):
    outputs = [one_worker / name for name in ("report.html", "report.md", "contrasts.parquet")]
    before = [path.read_bytes() for path in outputs]
    probe = (
        "import sys; sys.argv[1:] = ['analyze', sys.argv[1]]\n"
        "from bench.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "loaded = {'tensorflow', 'ray', 'tf_keras', 'pandas'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", probe, one_worker], check=True, timeout=60)
    assert [path.read_bytes() for path in outputs] == before


def test_four_workers_give_the_bits_of_one(study, one_worker, tmp_path):
    done = run("run", study, "--out", tmp_path / "out", "--workers", 4)
    assert done.returncode == 0, done.stderr
    assert results(tmp_path / "out").equals(results(one_worker))


def test_killed_and_started_again_nothing_is_lost_doubled_or_different(
    study, one_worker, tmp_path, home
):
    out = tmp_path / "out"
    with subprocess.Popen(
        command("run", study, "--out", out, "--workers", 2),
        env=at_home(home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as driver:
        deadline = time.monotonic() + 200
        while len(Store(out).done()) < 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        driver.send_signal(signal.SIGKILL)
    survived = Store(out).cells()[0]
    assert 5 <= survived.num_rows < CELLS_PLANNED
    done = run("run", study, "--out", out, "--workers", 2, env=at_home(home))
    assert done.returncode == 0, done.stderr
    assert list((home / "tmp").iterdir()) == []  # what the killed one had left is gone too
    assert f"{survived.num_rows} of {CELLS_PLANNED} cells are there already" in done.stderr
    assert results(out).equals(results(one_worker))
    # What survived was not run again.
    now = {row["cell"]: row["finished_at"] for row in Store(out).cells()[0].to_pylist()}
    assert all(now[row["cell"]] == row["finished_at"] for row in survived.to_pylist())
    files = sum(pq.read_metadata(path).num_rows for path in (out / "cells").glob("*.parquet"))
    assert files == CELLS_PLANNED


def test_a_wider_study_runs_only_what_is_new(study, one_worker, tmp_path):
    out = tmp_path / "out"
    Store(out).append(Store(one_worker).cells()[0].to_pylist())
    done = run("run", study, "--out", out, "--set", "seeds=[0,1,5]", "--set", "extra=1")
    assert done.returncode == 0, done.stderr
    assert "28 of 42 cells are there already" in done.stderr
    assert set(Store(out).cells()[0]["seed"].to_pylist()) == {0, 1, 5}


def test_a_folder_with_other_data_of_the_same_name_is_left_alone(study, one_worker, tmp_path):
    out = tmp_path / "out"
    about = json.loads((one_worker / "environment.json").read_text())
    Store(out).write_environment(about | {"data": {"digits": "other"}})
    done = run("run", study, "--out", out)
    assert done.returncode == 2
    assert "results of other data that are also called 'digits'" in done.stderr
    assert {p.name for p in out.iterdir()} == {"environment.json"}


MODELS = {
    "with_prelu": """
i = L.Input(shape)
x = L.PReLU(shared_axes=[1, 2])(L.Conv2D(8, 3)(i))
return k.Model(i, L.Dense(classes)(L.GlobalAveragePooling2D()(x)))
""",
    # Only Keras's own logits, on 100 examples at a time, meet it: nothing that is tried before.
    "with_fault": """
class Fault(L.Layer):
    def call(self, x):
        if x.shape[0] == 100:
            raise ValueError("a hundred is too many")
        return x

i = L.Input(shape)
return k.Model(i, L.Dense(classes)(Fault()(L.Flatten()(i))))
""",
    "with_two_classes": "return k.Sequential([L.Input(shape), L.Flatten(), L.Dense(2)])",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Options of subprocess.run for a copy of the package that has these models too."""
    return with_models(tmp_path_factory.mktemp("package"), MODELS)


def test_what_one_arm_cannot_is_a_result_and_a_cell_that_fails_is_exit_code_1(package, tmp_path):
    out = tmp_path / "out"
    fields = ["models=['with_prelu', 'with_fault']", "arms=['float', 'ptq', 'qat']"]
    fields += ["seeds=1", "budgets=1", "train_examples=200", "calibration_examples=20"]
    done = run("run", "digits", "--out", out, *(f"--set={f}" for f in fields), **package)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    rows = Store(out).statuses("model", "arm", "error")
    found = {(row["model"], row["arm"]): row["status"] for row in rows}
    # One epoch of so few examples may teach nothing.
    assert {key: "ok" if status == "diverged" else status for key, status in found.items()} == {
        ("with_prelu", "float"): "ok",
        ("with_prelu", "ptq"): "ok",
        ("with_prelu", "qat"): "unsupported",
        ("with_fault", "float"): "failed",
        ("with_fault", "ptq"): "ok",
        ("with_fault", "qat"): "unsupported",
    }
    errors = {(row["model"], row["arm"]): row["error"] for row in rows}
    assert "p_re_lu" in errors["with_prelu", "qat"]
    fault = errors["with_fault", "float"]
    assert "a hundred is too many" in fault
    assert fault.endswith("(with_fault.py:10)")
    at_once, *table = [line for line in done.stderr.splitlines() if fault in line]
    assert at_once.startswith("the first cell of float (with_fault on digits) failed")
    assert len(table) == 1
    assert "1 cell has no result:" in done.stderr
    assert "mend that line; the same command then goes on" in done.stderr


def test_a_model_of_no_use_is_one_line_before_anything_trains(package, tmp_path):
    fields = ["--set", "models=['bncnn', 'with_two_classes']", "--set", "seeds=1"]
    done = run("run", "digits", "--out", tmp_path / "out", *fields, **package)
    assert done.returncode == 2, done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "with_two_classes" in said
    assert "(n, 2)" in said
    assert "Traceback" not in done.stderr
    assert "cells, " not in done.stderr  # no progress
    assert not (tmp_path / "out").exists()


def test_a_plan_without_the_model_s_cost_says_that_there_is_no_estimate(package):
    done = run("plan", "digits", "--set", "models=with_prelu", **package)
    assert done.returncode == 0, done.stderr
    assert "no estimate of the time: COST is missing in the file of the model with_prelu" in (
        done.stdout
    )
    assert "optimizer steps" in done.stdout


def test_a_local_ray_that_others_could_reach_is_stopped(tmp_path):
    open_ray = os.environ | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"}
    done = run("run", "digits", "--out", tmp_path / "out", "--workers", 1, env=open_ray)
    if done.returncode == 0:
        pytest.skip("this machine has no network interface but loopback")
    assert done.returncode == 2, done.stderr
    assert "not on loopback alone, and was stopped" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_second_run_in_a_folder_learns_of_the_first_before_it_starts_ray(study, tmp_path):
    with Store(tmp_path / "out").lock():
        started = time.monotonic()
        done = run("run", study, "--out", tmp_path / "out")
        assert done.returncode == 2
        assert "another run is writing there" in done.stderr
        assert "starting workers" not in done.stderr
        assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "digitz"], "did you mean 'digits'?"),
        (["run", "digits", "--set", "seeds=0"], "seeds: found 0; allowed: at least 1 seed"),
        (["run", "digits", "--set", "datasets=./nowhere"], "datasets: no folder './nowhere'"),
        (["plan", "digits", "--set", "datasets=./nowhere"], "datasets: no folder './nowhere'"),
        (
            ["plan", "digits", "--set", "train_examples=5000"],
            "found 5000, but digits gives 1000 training examples",
        ),
        (
            ["run", "digits", "--set", "train_examples=5000"],
            "found 5000, but digits gives 1000 training examples",
        ),
        (["run", "digits", "--out", "/dev/null"], "/dev/null: cannot be written"),
        (["run", "digits", "--out", "/dev/null/below"], "/dev/null/below: cannot be written"),
        (["run", "digits", "--address", "127.0.0.1:1"], "--address: no Ray answers"),
        (["analyze", "nowhere"], "RESULTS: no 'nowhere'"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2_and_nothing_written(arguments, said, tmp_path):
    done = run(*arguments, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(Path.cwd())})
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
