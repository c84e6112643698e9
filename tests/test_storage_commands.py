"""What reads a result folder reads one in object storage: the same numbers, and its whole name."""

import json
import sys

import pytest

from bench import results
from bench.cli.app import main
from bench.store import files
from tests import synthetic
from tests.store.server import BUCKET, environment, storage

MEANS = {"float": (90.0,), "ptq": (89.0,), "qat": (91.0,)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two result folders on this machine, and a server with the same."""
    here = tmp_path_factory.mktemp("here")
    for number, name in enumerate(["one", "two"]):
        fields = {"seeds": 8, "budgets": [1], "arms": list(MEANS), "train_examples": 100 + number}
        study = synthetic.study(**fields)
        synthetic.write(here / name, study, means=MEANS, n=300, random_state=number)
    there = tmp_path_factory.mktemp("s3")
    with storage(there) as proxy, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(proxy, there / "spool").items():
            patch.setenv(name, value)
        for path in here.rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                folder, _, name = path.relative_to(here).as_posix().partition("/")
                files.of(f"s3://{BUCKET}/{folder}").write(name, path.read_bytes())
        yield here


def command(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["ptq-vs-qat", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as left:
        code = left.code or 0
    return (code, *capsys.readouterr())


GATE = ("--contrast", "ptq - float", "--margin", "3")
BEFORE = ("--arm", "ptq", "--baseline", "FOLDER/one", "--margin", "3")


@pytest.mark.parametrize(
    "arguments",
    [
        ("gate", "FOLDER/one", *GATE),
        ("gate", "FOLDER/one", *BEFORE),
        ("claim", "float=90.1", "ptq=89.7", "--examples", "1000", "--like", "FOLDER/one"),
        ("plan", "digits", "--set", "seeds=5", "--out", "FOLDER/one"),
        ("gate", "FOLDER/one", "--arm", "none", "--baseline", "FOLDER/one", "--margin", "3"),
        ("synthesize", "FOLDER/one", "FOLDER/one", "--out", "FOLDER/report"),
        ("synthesize", "FOLDER/one", "FOLDER/two", "--out", "FOLDER/two"),
        ("synthesize", "FOLDER/one", "FOLDER/two", "--out", "FOLDER/report"),
    ],
)
def test_a_command_says_of_a_folder_there_what_it_says_here(
    folders, monkeypatch, capsys, arguments
):
    here, there = (
        command(monkeypatch, capsys, *(each.replace("FOLDER", str(top)) for each in arguments))
        for top in (folders, f"s3://{BUCKET}")
    )
    assert here[0] == there[0] in (0, 2)
    for of_here, of_there in zip(here[1:], there[1:], strict=True):
        # A longer name breaks lines elsewhere.
        expected = "".join(of_here.split()).replace(str(folders), f"s3://{BUCKET}")
        assert "".join(of_there.split()) == expected


def test_a_synthesis_is_written_there_with_the_same_numbers(folders, monkeypatch, capsys):
    said = []
    for top in (folders, f"s3://{BUCKET}"):
        out = f"{top}/together"
        asked = ("synthesize", f"{top}/one", f"{top}/two", "--out", out)
        assert command(monkeypatch, capsys, *asked)[0] == 0
        said.append(json.loads(files.of(out).read("synthesis.json")))
        assert b"<html" in files.of(out).read("report.html")
    assert said[0]["contrasts"] == said[1]["contrasts"]
    assert [each["folders"] for each in said[1]["studies"]] == [
        [f"s3://{BUCKET}/one"],
        [f"s3://{BUCKET}/two"],
    ]


def test_python_reads_it_too(folders):
    here, there = results.load(folders / "one"), results.load(f"s3://{BUCKET}/one")
    assert there.cells.equals(here.cells)
    assert there.contrasts.equals(here.contrasts)
