"""Drivers and workers killed at random moments, on a real local Ray: no cell lost, none doubled, no
bit changed.

    python -m tests.runner.test_random_kills [KILLS]

prints the table: faults made, cells lost, doubled, changed, and what it cost.
"""

import json
import os
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest

from bench.runner import processes
from tests.runner.pipeline import Faults

FIELDS = {"seeds": 60, "budgets": [1, 2], "arms": ["float", "ptq", "qat"], "title": "kills"}
CELLS = 60 * 2 * 3


def started(folder, out):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.runner.drive", str(out), json.dumps(FIELDS)],
        env=os.environ | Faults(str(folder), seconds=0.15).environment | {"TMPDIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def rows(out):
    found = pq.read_table(out / "cells").to_pylist()
    return found, {row["cell"]: (row["status"], row["predictions"]) for row in found}


def disturbed(folder, out, kills, rng):
    """Run until it ends, with so many drivers and as many workers killed on the way. Returns faults
    made and seconds."""
    made, began = 0, time.monotonic()
    for last in [False] * kills + [True]:
        running = started(folder, out)
        end = time.monotonic() + (1e9 if last else rng.uniform(2, 12))
        victim_at = time.monotonic() + rng.uniform(5, 9)
        while running.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
            if time.monotonic() > victim_at:
                victim_at = 1e12
                workers = [p for p, _ in processes.using(folder) if processes.is_worker(p)]
                if workers:
                    with suppress(OSError):
                        os.kill(rng.choice(workers), 9)
                        made += 1
        if running.poll() is None:
            running.kill()
            made += 1
        code = running.wait()
        if last and code:
            raise AssertionError(f"the last run ended with {code}")
    return made, time.monotonic() - began


def measured(kills):
    rng = random.Random(16)
    with TemporaryDirectory(prefix="k", dir="/tmp") as name:
        folder = Path(name)
        quiet = disturbed(folder, folder / "quiet", 0, random.Random(0))[1]
        made, seconds = disturbed(folder, folder / "out", kills, rng)
        _, expected = rows(folder / "quiet")
        listed, found = rows(folder / "out")
    return {
        "faults": made,
        "lost": CELLS - len(found),
        "doubled": len(listed) - len(found),
        "changed": sum(found[cell] != expected[cell] for cell in found),
        "overhead, %": round(100 * (seconds / quiet - 1)),
    }


@pytest.mark.faults
def test_no_cell_is_lost_none_doubled_and_no_bit_changed():
    table = measured(4)
    assert table["faults"] >= 4
    assert (table["lost"], table["doubled"], table["changed"]) == (0, 0, 0)


if __name__ == "__main__":
    for what, number in measured(int(sys.argv[1]) if sys.argv[1:] else 8).items():
        print(f"{what:<12} {number}")
