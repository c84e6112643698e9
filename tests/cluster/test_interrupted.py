"""What `ray job stop` (SIGTERM) does to a run; tests/test_run.py sends SIGHUP while one starts."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cluster.conftest import STUDY, cells


@pytest.mark.slow
def test_the_run_ends_cleanly_and_keeps_its_rows(ray_folder, tmp_path):
    out = tmp_path / "results"
    command = [sys.executable, "-m", "bench", "run", STUDY, "--set", "seeds=200"]
    with subprocess.Popen(
        [*command, "--workers", "1", "--out", out],
        env=os.environ | {"RAY_TMPDIR": str(ray_folder)},
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        deadline = time.monotonic() + 120
        while not list(out.glob("cells/*.parquet")):
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        run.send_signal(signal.SIGTERM)
        _, said = run.communicate(timeout=60)

    assert run.returncode == 130, said
    assert said.endswith("interrupted; the same command goes on from here\n")
    assert {row["status"] for row in cells(out).values()} == {"ok"}
    assert list(out.glob("**/*.tmp")) == []
