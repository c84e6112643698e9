"""`analyze` as users type it: a folder, a table, and what does not go together."""

import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from tests import synthetic

TABLE = """seed,arm,accuracy,latency_ms
0,old,0.81,10.5
0,new,0.84,9.5
1,old,0.80,10.1
1,new,0.82,9.9
2,old,0.83,10.9
2,new,0.84,9.0
3,old,0.79,11.0
3,new,0.83,9.7
"""


def analyze(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "bench", "analyze", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(TABLE)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return synthetic.write(tmp_path_factory.mktemp("results"), synthetic.study(seeds=12))


def test_a_folder_that_takes_no_files_is_analyzed_all_the_same(tmp_path):
    out = synthetic.write(tmp_path / "results", synthetic.study(seeds=12))
    (out / "contrasts.parquet").mkdir()  # where no file can be put, even by root
    done = analyze(out)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(f"{out} takes no files (Is a directory): no report")
    assert "The answer, row by row" in done.stdout
    assert "report:" not in done.stdout
    assert list(out.glob("**/*.tmp")) == []


def test_a_table_gets_a_report_of_its_own(table, tmp_path):
    out = tmp_path / "report"
    done = analyze(table, "--out", out, "--delta", 1)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in out.iterdir()}
    assert {"report.html", "report.md", "contrasts.parquet", "verdicts.json"} <= names
    rows = pq.read_table(out / "contrasts.parquet").to_pylist()
    assert {(r["contrast"], r["metric"], r["unit"]) for r in rows} == {
        ("new - old", "accuracy", "pp"),
        ("new - old", "latency_ms", "latency_ms"),
    }
    (accuracy,) = (r for r in rows if r["metric"] == "accuracy")
    assert accuracy["mean"] == pytest.approx(2.5)  # 3, 2, 1 and 4 pp


def test_the_terminal_says_what_columns_were_taken_for_and_options_decide(table, tmp_path):
    lines = table.read_text().replace("seed,arm", "run,method").splitlines()
    noted = [f"{line},{'note' if at == 0 else 'restarted' if at == 3 else ''}"
             for at, line in enumerate(lines)]  # fmt: skip
    table.write_text("\n".join(noted))
    out = ["--out", tmp_path / "report"]
    unnamed = analyze(table, *out)
    assert unnamed.returncode == 2
    assert 'did you mean --columns "run=seed, method=arm"?' in unnamed.stderr
    named = [*out, "--columns", "run=seed, method=arm"]
    noted = analyze(table, *named)
    assert noted.returncode == 2
    assert '--ignore "note"' in noted.stderr
    done = analyze(table, *named, "--ignore", "note", "--metrics", "latency_ms")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "metric latency_ms (lower is better by its name)" in said
    assert "left out: accuracy (not among --metrics), note (by --ignore)" in said
    assert "with 95% intervals" in said


def test_a_table_has_no_test_examples_to_speak_about(table, tmp_path):
    done = analyze(table, "--out", tmp_path / "report", "--population", "seeds+examples")
    assert done.returncode == 2
    assert "which has no test examples" in done.stderr


def test_the_population_is_switched_on_the_command_line(folder):
    seeds, both = (analyze(folder, "--population", p).stdout for p in ("seeds", "seeds+examples"))
    assert "for new seeds on this test set, with 95% intervals" in " ".join(seeds.split())
    assert "new test examples" in " ".join(both.split())
    assert seeds != both


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["TABLE"], "--out: missing"),
        (["TABLE", "--out", "OUT", "--contrasts", "newer - old"], "newer"),
        (["TABLE", "--out", "FOLDER"], "holds a run's results"),
        (["TABLE", "--out", "OUT", "--alpha", "2"], "alpha"),
        (["FOLDER", "--delta", "1"], "--delta"),
        (["FOLDER", "--out", "OUT"], "--out"),
        (["FOLDER", "--population", "everyone"], "allowed: seeds, seeds+examples"),
        (["missing.csv", "--out", "OUT"], "RESULTS: no 'missing.csv'"),
    ],
)
def test_what_does_not_go_together_is_one_message(arguments, said, table, folder, tmp_path):
    names = {"TABLE": table, "FOLDER": folder, "OUT": tmp_path / "out"}
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = analyze(*(names.get(argument, argument) for argument in arguments))
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
