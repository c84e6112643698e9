"""A node that vanishes in the middle of a run, on a real Ray: its work is done again elsewhere."""

import os
import subprocess
import sys
import time

import pytest

from tests.cluster.conftest import LOOPBACK, ROOT, STUDY, cells, predictions, raylets

SEEDS = 12


@pytest.mark.faults
def test_the_run_goes_on_with_the_same_numbers(on_one_worker, ray_folder, tmp_path):
    out = tmp_path / "results"
    with (
        raylets(ray_folder, 0, ROOT, ROOT) as address,
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "bench",
                "run",
                STUDY,
                "--set",
                f"seeds={SEEDS}",
                "--address",
                address,
                "--out",
                out,
            ],
            cwd=ROOT,
            env=os.environ | LOOPBACK | {"RAY_TMPDIR": str(ray_folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as run,
    ):
        deadline = time.monotonic() + 120
        while not list(out.glob("cells/*.parquet")):
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        address.tell("lose")
        _, said = run.communicate(timeout=400)

    assert run.returncode == 0, said
    rows = cells(out)
    assert len(rows) == SEEDS * 6
    found = predictions(rows)
    assert found == found | predictions(on_one_worker)  # those of the first three seeds
