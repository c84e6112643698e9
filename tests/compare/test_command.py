"""The command `compare`: what it prints, writes and imports, and its exit codes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cli import comparison as compare_terminal
from bench.errors import InputError
from bench.pipelines import files as compare
from bench.statistics.mcnemar import mcnemar
from bench.store import files as store
from tests.store.server import BUCKET, environment, storage


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "bench", "compare", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "", "COLUMNS": "1000"},
    )


def test_the_command_says_what_the_json_says(files, tmp_path):
    path = tmp_path / "found.json"
    done = command(files["longer"], files["int8"], "--data", "digits", "--json", path)
    assert done.returncode == 0, done.stderr
    said = json.loads(path.read_text())
    found = compare.compare(files["longer"], files["int8"], "digits")
    assert said == json.loads(compare_terminal.as_json(found))
    assert said["interval"] == list(found.interval)
    assert said["b"]["audit"]["number_format"] == "int8"
    for text in (
        compare_terminal.answer(found),
        *compare_terminal.resolution(found),
        *compare_terminal.churn(found),
        "two files on new examples",
        compare_terminal.like_with_like(found),
        said["a"]["audit"]["sha256"],
        said["b"]["audit"]["sha256"],
        f"{100 * found.b.accuracy:.2f}% ({found.b.correct})",
    ):
        assert text in done.stdout
    assert "nan" not in done.stdout
    assert "A float32 and B int8: the difference is that of the models and that of" in done.stdout
    assert said["withheld"] == []


def test_files_in_object_storage_are_read_there(files, tmp_path, monkeypatch):
    with storage(tmp_path / "s3") as proxy:
        for name, value in environment(proxy, tmp_path / "spool").items():
            monkeypatch.setenv(name, value)
        uris = []
        for name in ("longer", "int8"):
            store.of(f"s3://{BUCKET}/study").write(f"models/{name}", Path(files[name]).read_bytes())
            uris.append(f"s3://{BUCKET}/study/models/{name}")
        there = compare.compare(*uris, "digits")
        with pytest.raises(InputError, match=f"s3://{BUCKET}/study/models/none: no such file"):
            compare.compare(uris[0], f"s3://{BUCKET}/study/models/none", "digits")
    said = compare_terminal.as_json(compare.compare(files["longer"], files["int8"], "digits"))
    for name, uri in zip(("longer", "int8"), uris, strict=True):
        said = said.replace(str(files[name]), uri)
    assert compare_terminal.as_json(there) == said


def test_a_withheld_verdict_is_said_and_exit_code_1(misfed, files, tmp_path):
    """Everything but the verdict, what needs a verdict, and what might pass for one."""
    path = tmp_path / "found.json"
    done = command(misfed["centred"], files["float"], "--data", "digits", "--json", path)
    assert done.returncode == 1, done.stderr
    found = compare.compare(misfed["centred"], files["float"], "digits")
    assert done.stdout.startswith(compare_terminal.answer(found))
    assert compare_terminal.answer(found).startswith("No verdict. A was fed 0 to 1, but its input")
    for text in ("equivalent", "undecided", "A − B", "p = ", "Churn", "significant", "warning"):
        assert text not in done.stdout
    said = json.loads(path.read_text())
    assert said["verdict"] is None
    assert said["withheld"] == list(found.withheld)
    options = ["--input-scale", "8", "--input-offset", "-1"]
    assert " ".join(options) in done.stdout
    done = command(misfed["centred"], files["float"], "--data", "digits", *options)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.tflite"], "error: nowhere.tflite: no such file; allowed: a TFLite file"),
        (["--alpha", "2"], "error: --alpha: found 2; allowed: between 0 and 0.5"),
        (["--json", "/nowhere/x.json"], "error: --json: cannot write '/nowhere/x.json'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(files, arguments, said):
    two = [files["int8"]] if arguments[0].endswith("tflite") else [files["int8"], files["float"]]
    done = command(*two, *arguments, "--data", "digits")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_neither_tensorflow_nor_ray_is_imported(files):
    probe = (
        "import sys; sys.argv[1:] = ['compare', *sys.argv[1:], '--data', 'digits']\n"
        "from bench.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "loaded = {'tensorflow', 'ray', 'tf_keras', 'pandas', 'scipy.stats'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run(
        [sys.executable, "-c", probe, files["float"], files["int8"]], check=True, timeout=60
    )


def test_what_else_differs_is_said(files):
    """Two files of one conversion, one trained longer; and int8 files of two granularities."""
    same = compare.compare(files["float"], files["longer"], "digits")
    assert compare_terminal.like_with_like(same) == (
        "Like with like: nothing else of what is audited differs."
    )
    unlike = compare.compare(files["int8"], files["per-tensor"], "digits")
    assert compare_terminal.like_with_like(unlike) == (
        "Like with like: the files also differ in weight scales of CONV_2D (A per channel, B per "
        "tensor); weight scales of FULLY_CONNECTED (A per channel, B per tensor)."
    )
    said = compare_terminal.like_with_like(compare.compare(files["int8"], files["uint8"], "digits"))
    assert "differ in operators (A none; B 2 QUANTIZE); kernels (A XNNPACK; B XNNPACK, " in said
    said = compare_terminal.like_with_like(compare.compare(files["float"], files["int8"], "digits"))
    assert said == "Like with like: the files also differ in number format (A float32, B int8)."


@pytest.mark.parametrize(
    ("fixed", "broken", "said"),
    [
        (150, 86, "A is above B; whether by more than 0.5 pp is undecided"),
        (86, 150, "A is below B; whether by more than 0.5 pp is undecided"),
        (400, 86, "A is above B, by more than 0.5 pp"),
        (30, 10, "A is above B, but by less than 0.5 pp"),
        (20, 22, "A and B are equivalent within 0.5 pp"),
        (150, 149, "A and B are equivalent within 0.5 pp"),
        (300, 280, "Whether A and B differ is undecided"),
    ],
)
def test_every_verdict_has_its_sentence(files, fixed, broken, said):
    made = compare.compare(files["int8"], files["int8"], "digits")
    counts = mcnemar(fixed, broken, 10000)
    fields = {
        "verdict": compare.verdict(counts, 0.005, 0.05),
        "difference": 100 * counts.difference,
        "p": counts.p,
    }
    sentence = compare_terminal.answer(replace(made, **fields))
    assert sentence.startswith(f"{said}: A − B = ")
    assert ("p < 0.0001" in sentence) == (counts.p < 0.0001)
