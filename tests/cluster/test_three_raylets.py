"""A study on a real Ray of three raylets, through the command: the same numbers as on one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import CELLS, STUDY, cells, predictions, ptq_vs_qat

LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "disabled"}


@pytest.fixture
def address(ray_folder: Path) -> Iterator[str]:
    """Of a Ray of three raylets."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.raylets"],
        env=os.environ | LOOPBACK | {"RAY_TMPDIR": str(ray_folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as raylets:
        assert raylets.stdin is not None
        assert raylets.stdout is not None
        yield raylets.stdout.readline().strip()
        raylets.stdin.close()
        raylets.wait(timeout=60)


@pytest.mark.slow
def test_three_raylets_give_what_one_worker_gives(address, on_one_worker, ray_folder, tmp_path):
    assert address.startswith("127.0.0.1:")
    out = tmp_path / "results"

    ended = ptq_vs_qat(
        "run", STUDY, "--address", address, "--out", out, RAY_TMPDIR=str(ray_folder), **LOOPBACK
    )

    assert ended.returncode == 0, ended.stderr
    rows = cells(out)
    assert len(rows) == CELLS
    assert predictions(rows) == predictions(on_one_worker)
    assert len({row["node"] for row in rows.values()}) > 1
    assert len({row["node"] for row in on_one_worker.values()}) == 1


def test_no_ray_at_an_address_is_an_error_that_names_it(tmp_path):
    out = tmp_path / "results"
    ended = ptq_vs_qat("run", STUDY, "--address", "127.0.0.1:1", "--out", out)
    assert ended.returncode == 2, ended.stderr
    assert "--address" in ended.stderr
    assert "127.0.0.1:1" in ended.stderr
    assert not list(out.glob("cells/*"))
