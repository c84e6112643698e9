"""A cluster without a worker: Ray's autoscaler brings some for a run, and takes them away."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.conftest import LOOPBACK, ROOT, cells
from tests.runner.pipeline import Faults

SPACES = ["unshare", "--net", "--pid", "--fork", "--mount-proc", "--mount", "--kill-child"]
"""A network, a process table and mounts of their own: `ray stop --force` meets this Ray alone."""

FIELDS = {"title": "from zero", "seeds": 20, "budgets": [1], "arms": ["float", "ptq"]}


@pytest.mark.faults
@pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("unshare") is None, reason="needs root, and unshare"
)
def test_from_no_worker_to_two_and_back(ray_folder, tmp_path):
    bin_folder = Path(sys.executable).parent
    inside = [
        sys.executable,
        "-m",
        "tests.cluster.autoscaled",
        tmp_path / "out",
        json.dumps(FIELDS),
    ]
    session = ray_folder / "session"
    session.mkdir()
    mounts = 'ip link set lo up; mkdir -p /tmp/ray; mount --bind $SESSION /tmp/ray; exec "$@"'
    done = subprocess.run(
        [*SPACES, "sh", "-c", mounts, "sh", *inside],
        env=os.environ
        | {"RAY_AUTH_MODE": LOOPBACK["RAY_AUTH_MODE"], "PYTHONPATH": str(ROOT)}
        | {"PATH": f"{bin_folder}:{os.environ['PATH']}", "SESSION": str(session)}
        | Faults(str(tmp_path), seconds=1.0).environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ended: 0" in done.stdout, done.stdout
    counts = [line for line in done.stdout.splitlines() if line.startswith("workers: ")]
    assert counts == ["workers: 2", "workers: 0"]
    rows = cells(tmp_path / "out")
    assert len(rows) == 40
    assert {row["status"] for row in rows.values()} == {"ok"}
