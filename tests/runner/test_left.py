"""Processes apart are killed when their work is done: what they leave goes all the same."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bench.runner import temporary
from bench.runner.isolation import Isolated
from bench.runner.pipeline import Pipeline
from tests.cluster.conftest import ROOT

KILLED = """
import os, signal
from bench.runner.isolation import Isolated
from bench.runner.pipeline import Pipeline
with Isolated(Pipeline("tests.runner.pipeline")) as apart:
    print(apart.ask("leave"), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_its_temporary_files_go_with_it(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Isolated(Pipeline("tests.runner.pipeline")) as apart:
        left = Path(apart.ask("leave"))
        assert left.is_file()
        assert tmp_path in left.parents
    assert list(tmp_path.iterdir()) == []


def test_those_of_a_command_that_was_killed_go_with_the_next(monkeypatch):
    with TemporaryDirectory(prefix="l", dir="/tmp") as base:
        ended = subprocess.run(
            [sys.executable, "-c", KILLED],
            env=os.environ | {"TMPDIR": base},
            capture_output=True,
            text=True,
            timeout=60,
        )
        left = Path(ended.stdout.strip())
        assert left.is_file()
        assert left.is_relative_to(base)
        monkeypatch.setattr(tempfile, "tempdir", base)
        with temporary.folder(for_ray=False):
            assert not left.exists()
        assert os.listdir(base) == []


@pytest.mark.faults
def test_a_check_that_is_interrupted_leaves_nothing(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import time\ndef labels(): return [0, 1, 2, 0]\ndef start(seed):\n"
        "    open('begun', 'w').close()\n    time.sleep(100)\n"
        "def arm_a(net): return [0, 1, 2, 0]\n"
    )
    with TemporaryDirectory(prefix="l", dir="/tmp") as base:
        running = subprocess.Popen(
            [sys.executable, "-m", "bench", "check", "mine.py"],
            env=os.environ | {"TMPDIR": base, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while not list(Path(base).rglob("begun")) and not (tmp_path / "begun").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
        assert running.returncode == 130
        assert said.splitlines()[-1] == "interrupted; nothing was changed"
        assert os.listdir(base) == []
