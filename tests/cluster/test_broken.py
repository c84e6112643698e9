"""What can happen to a cluster in the middle of a run, on a real Ray of several raylets: it goes
on, or ends with one message, and the same command goes on from there."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.cluster.conftest import LOOPBACK, ROOT, cells, driven, raylets
from tests.runner.pipeline import Faults

pytestmark = pytest.mark.faults

FIELDS = {"title": "broken", "seeds": 20, "budgets": [1], "arms": ["float", "ptq"]}
CELLS = 40
GIVES_UP = "from bench.runner import room; room.NODE_WAIT_S = {}; from tests.runner import drive; "


@contextmanager
def begun(ray_folder, tmp_path, wait_s=900):
    """A Ray of two nodes, and a run on it that has rows: its address, and the process."""
    environment = os.environ | LOOPBACK | {"PYTHONPATH": str(ROOT), "RAY_TMPDIR": str(ray_folder)}
    code = GIVES_UP.format(wait_s) + "drive.main()"
    with raylets(ray_folder, 0, ROOT, ROOT, **faults(tmp_path)) as address:
        arguments = [str(tmp_path / "out"), json.dumps(FIELDS), address]
        with subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running:
            while not (line := running.stdout.readline()).endswith("rows\n"):
                assert line
            try:
                yield address, running
            finally:
                running.kill()


def faults(tmp_path):
    return Faults(str(tmp_path), seconds=0.4).environment


def assert_whole(tmp_path):
    rows = cells(tmp_path / "out")
    assert len(rows) == CELLS
    assert {row["status"] for row in rows.values()} == {"ok"}


def until(running, text):
    for line in running.stdout:
        if text in line:
            return line
    raise AssertionError(f"it ended without {text!r}")


@pytest.mark.parametrize("what", ["freeze", "stop"])
def test_a_node_that_is_frozen_or_its_raylet_costs_no_cell(what, ray_folder, tmp_path):
    with begun(ray_folder, tmp_path) as (address, running):
        address.tell(what)
        said = running.stdout.read()
        assert running.wait() == 0, said
    assert_whole(tmp_path)


def test_without_a_node_it_says_so_and_goes_on_with_one_that_comes(ray_folder, tmp_path):
    with begun(ray_folder, tmp_path) as (address, running):
        address.tell("lose")
        address.tell("lose")
        until(running, "waits: no node with a CPU: waits for one, ")
        address.tell("add")
        said = running.stdout.read()
        assert running.wait() == 0, said
    assert_whole(tmp_path)


def test_without_a_node_it_ends_after_a_while_and_goes_on_by_the_same_command(ray_folder, tmp_path):
    with begun(ray_folder, tmp_path, wait_s=6) as (address, running):
        address.tell("lose")
        address.tell("lose")
        last = running.stdout.read().splitlines()[-1]
        assert running.wait() == 1
        assert last.startswith("error: no node with a CPU for ")
        assert last.endswith("the same command goes on from here")
        address.tell("add")
        done = driven(tmp_path / "out", FIELDS, address, RAY_TMPDIR=str(ray_folder))
        assert done.returncode == 0, done.stdout + done.stderr
    assert_whole(tmp_path)


def test_without_its_gcs_it_ends_with_one_message_and_goes_on_elsewhere(ray_folder, tmp_path):
    with begun(ray_folder, tmp_path) as (address, running):
        address.tell("gcs")
        said = [line for line in running.stdout.read().splitlines() if "rows" not in line]
        assert running.wait() == 1
        assert said[-1] == (
            "error: the cluster's GCS has been away for 30 s; the same command goes on from here"
        )
        assert all(line.startswith(("waits: ", "error: ")) for line in said)
    with raylets(ray_folder, 1, **faults(tmp_path)) as address:
        done = driven(tmp_path / "out", FIELDS, address, RAY_TMPDIR=str(ray_folder))
        assert done.returncode == 0, done.stdout + done.stderr
    assert_whole(tmp_path)
