"""A run that is killed, or whose Ray is, on a real local Ray: what stays is nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bench.runner import processes
from tests.runner.pipeline import Faults

FIELDS = {"seeds": 400, "budgets": [1], "arms": ["float"], "title": "killed"}


def started(tmp_path, left):
    environment = Faults(str(tmp_path), seconds=0.2).environment
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.runner.drive", tmp_path / "out", json.dumps(FIELDS)],
        env=os.environ | environment | {"TMPDIR": left},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in running.stdout:
        if line.endswith("rows\n"):
            return running
    raise AssertionError(running.stderr.read())


def named(left, name):
    """Processes of this run's Ray by the name of their program."""
    found = {pid: (Path("/proc") / str(pid) / "cmdline").read_bytes() for pid, _ in left}
    return [pid for pid, line in found.items() if name in line.split(b"\0")[0]]


LONG = [pytest.param(name, marks=pytest.mark.faults) for name in ("raylet", "gcs_server")]


@pytest.mark.parametrize("victim", ["driver", *LONG])
def test_nothing_is_left_soon_after(victim, tmp_path):
    with TemporaryDirectory(prefix="j", dir="/tmp") as left:
        shared = set(os.listdir("/dev/shm"))
        running = started(tmp_path, left)
        if victim == "driver":
            running.kill()
        else:
            (pid,) = named(processes.using(Path(left)), victim.encode())
            os.kill(pid, signal.SIGKILL)
        said = running.communicate(timeout=100)[1]
        deadline = time.monotonic() + 20
        while (found := os.listdir(left)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert found == []
        assert processes.using(Path(left)) == set()
        assert set(os.listdir("/dev/shm")) <= shared
        assert running.returncode not in (0, 2)
        (line,) = said.splitlines()
        if victim == "driver":
            assert line.startswith("error: the run ended without a word")
        else:
            assert line == f"error: Ray's {victim} has died; the same command goes on from here"
