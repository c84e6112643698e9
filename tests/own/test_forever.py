"""A function or a program that takes for ever ends by the study's `timeout`."""

import os
import signal
import subprocess
import sys

import pytest

from bench.plugins import patience
from tests.cluster.conftest import ROOT
from tests.own.test_run import command, rows

LOOPS = {
    "an arm": "def arm_b(net):\n    while True: pass\n",
    "a start": "",
}
START = {"an arm": "return 0", "a start": "\n    while True: pass"}


def pipeline(kind):
    return (
        "study = dict(seeds=1, timeout=3)\ndef labels(): return [0, 1, 2, 0]\n"
        f"def start(seed): {START[kind]}\ndef arm_a(net): return [0, 1, 2, 0]\n{LOOPS[kind]}"
    )


@pytest.mark.parametrize("kind", [pytest.param("a start", marks=pytest.mark.faults), "an arm"])
def test_check_names_what_did_not_end(tmp_path, kind):
    (tmp_path / "mine.py").write_text(pipeline(kind))
    done = command("check", "mine.py", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    what = {"an arm": "arm b", "a start": "start"}[kind]
    assert f"✗ {what}: it did not end within 3s" in done.stdout
    assert "an endless loop? else a larger `timeout`" in done.stdout
    assert ("✓ arm a" in done.stdout) == (kind == "an arm")


@pytest.mark.faults
def test_check_ends_a_program_too(tmp_path):
    (tmp_path / "mine.py").write_text(
        "command = '{python} -c \"import time; time.sleep(1000)\" {arm} {out}'\narms = ['a']\n"
        "study = dict(seeds=1, timeout=3)\ndef labels(): return [0, 1, 2, 0]\n"
    )
    done = command("check", "mine.py", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "✗ arm a: it did not end within 3s" in done.stdout


@pytest.mark.faults
@pytest.mark.parametrize("kind", LOOPS)
def test_a_run_ends_and_says_so_of_each_cell(tmp_path, kind):
    (tmp_path / "mine.py").write_text(pipeline(kind))
    done = command("run", "mine.py", "--workers", "1", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    found = {row["arm"]: row for row in rows(tmp_path / "results" / "mine")}
    late = found["b" if kind == "an arm" else "a"]
    assert (late["status"], late["error"]) == ("timeout", "killed after 3s, twice")


ENDLESS = "def data():\n    while True: pass\ndef model(shape, classes): ...\n"


@pytest.mark.parametrize("what", ["plan", "run"])
def test_data_that_never_come_are_a_sign_of_life_and_end_by_ctrl_c(tmp_path, what):
    (tmp_path / "mine.py").write_text(ENDLESS)
    say_soon = "from bench.plugins import patience; patience.EVERY_S = 0.5\n"
    command = f"import bench.__main__ as entry, sys; sys.argv[1:] = [{what!r}, 'mine.py']\n"
    with subprocess.Popen(
        [sys.executable, "-c", f"{say_soon}{command}entry.main()"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr.readline() == (
            "mine.py, data() runs for 0.5 s so far; Ctrl-C ends it\n"
        )
        assert running.stderr.readline().startswith("mine.py, data() runs for 1 s so far")
        running.send_signal(signal.SIGINT)
        *_, last = running.stderr.read().splitlines()
    assert running.returncode == 130
    assert last.startswith("interrupted")
    assert not (tmp_path / "results").exists()


def test_what_ends_soon_says_nothing(capsys):
    with patience.said("it"):
        pass
    assert capsys.readouterr() == ("", "")
