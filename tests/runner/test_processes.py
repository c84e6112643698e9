"""Processes of this one, as /proc has them."""

import os
import subprocess
import sys
import time

from bench.runner import processes

SLEEP = "import time; print(flush=True); time.sleep(60)"


def started(code=SLEEP, **environment):
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=os.environ | environment
    )
    child.stdout.readline()
    return child


def test_children_and_theirs_are_descendants_until_they_end():
    parent = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); child.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True
    ) as child:
        grandchild = int(child.stdout.readline())
        pids = {pid for pid, _ in processes.descendants()}
        assert {child.pid, grandchild} <= pids
        assert os.getpid() not in pids
        os.kill(grandchild, 9)
    assert not {child.pid, grandchild} & {pid for pid, _ in processes.descendants()}


def test_only_those_with_the_variable_are_ended_and_those_that_end_by_themselves_in_peace():
    ours, theirs = started(A_TEST="ours"), started(A_TEST="theirs")
    short = started("import time; print(flush=True); time.sleep(0.5)", A_TEST="ours")
    found = {pid for pid, _ in processes.started_with("A_TEST", "ours")}
    assert found == {ours.pid, short.pid}
    before = time.monotonic()
    processes.end(lambda: processes.started_with("A_TEST", "ours"), patience_s=2.0)
    assert 1.9 < time.monotonic() - before < 10
    assert ours.wait(5) == -9
    assert short.wait(5) == 0
    assert theirs.poll() is None
    theirs.kill()
    theirs.wait(5)
    for child in (ours, theirs, short):
        child.stdout.close()
