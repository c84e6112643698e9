"""A study as a job of the Ray Jobs API, on a real Ray with its dashboard: code and study are
uploaded, and the same numbers come out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.conftest import CELLS, ROOT, STUDY, cells, predictions
from tests.cluster.test_autoscaling import SPACES

COMMANDS = """
ip link set lo up
mkdir -p /tmp/ray
mount --bind $SESSION /tmp/ray
ray start --head --port 6380 --num-cpus 2 --dashboard-host 127.0.0.1 --dashboard-port 8266 \
    --object-store-memory 200000000 > /dev/null || exit 9
export RAY_API_SERVER_ADDRESS=http://127.0.0.1:8266
ray job submit --working-dir . -- python -m bench run mine.toml --address auto --out $OUT
echo "first: $?"
ray job submit --working-dir . -- python -m bench run mine.toml --address auto --out $OUT \
    --set seeds=0
echo "second: $?"
"""


@pytest.mark.faults
@pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("unshare") is None, reason="needs root, and unshare"
)
def test_a_job_runs_the_study_that_is_uploaded(ray_folder, tmp_path, on_one_worker):
    pytest.importorskip("aiohttp_cors", reason="needs ray[default]")
    checkout = tmp_path / "checkout"
    shutil.copytree(
        ROOT / "bench", checkout / "bench", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(STUDY, checkout / "mine.toml")
    session = ray_folder / "job"
    session.mkdir()
    out = tmp_path / "out"
    done = subprocess.run(
        [*SPACES, "bash", "-c", COMMANDS],
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        | {"RAY_AUTH_MODE": "disabled", "SESSION": str(session), "OUT": str(out)}
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )
    assert "first: 0" in done.stdout, done.stdout
    assert "18/18 cells, done in" in done.stdout
    rows = cells(out)
    assert len(rows) == CELLS
    assert predictions(rows) == predictions(on_one_worker)
    assert (out / "report.html").is_file()

    assert "second: 1" in done.stdout, done.stdout
    assert "mine.toml: seeds: found 0" in done.stdout
