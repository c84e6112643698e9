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


def test_those_that_use_a_folder_are_ended_and_those_that_end_by_themselves_in_peace(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    told = started(A_TEST=str(ours / "token"))
    writes = started(f"file = open({str(ours / 'log')!r}, 'w'); {SLEEP}")
    short = started("import time; print(flush=True); time.sleep(0.5)", A_TEST=str(ours))
    other = started(f"file = open({str(theirs / 'log')!r}, 'w'); {SLEEP}")
    found = {pid for pid, _ in processes.using(ours)}
    assert found == {told.pid, writes.pid, short.pid}
    before = time.monotonic()
    processes.end(lambda: processes.using(ours), patience_s=2.0)
    assert 1.9 < time.monotonic() - before < 10
    assert processes.using(ours) == set()
    assert (told.wait(5), writes.wait(5), short.wait(5)) == (-9, -9, 0)
    assert other.poll() is None
    other.kill()
    other.wait(5)
    for child in (told, writes, short, other):
        child.stdout.close()
