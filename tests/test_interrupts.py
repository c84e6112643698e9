"""Ctrl-C, SIGTERM and SIGHUP at any moment: exit code 130, how to go on, and nothing left."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bench.cli.interrupts import SIGNALS
from bench.runner import processes
from bench.store.folder import Store

RUN = [sys.executable, "-m", "bench", "run", "digits", "--set", "seeds=200", "--workers", "2"]
SAID = "the same command goes on from here\n"


class Started:
    """The command in a session of its own, as a terminal would start it."""

    def __init__(self, out: Path) -> None:
        self._folder = TemporaryDirectory(prefix="i", dir="/tmp")
        self.left = Path(self._folder.name)
        self.process = subprocess.Popen(
            [*RUN, "--out", str(out)],
            env=os.environ | {"TMPDIR": str(self.left)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_take_signals,
        )

    def listens(self) -> bool:
        """Whether it has begun to catch signals: Python itself catches Ctrl-C from the start."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        caught = int(re.search(r"SigCgt:\t(\w+)", status)[1], 16)
        return all(caught >> (number - 1) & 1 for number in SIGNALS)

    def interrupted(self, number: signal.Signals, group: bool, again: bool = False):
        """Send a signal, to all processes of the terminal if `group`, and wait for the end."""
        (os.killpg if group else os.kill)(self.process.pid, number)
        if again:
            time.sleep(0.3)
            self.process.send_signal(number)
        started = time.monotonic()
        try:
            printed, said = self.process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        seconds = time.monotonic() - started
        assert self.process.returncode == 130, said
        assert "Traceback" not in printed + said
        assert [_described(pid) for pid, _ in processes.using(self.left)] == []
        assert list(self.left.iterdir()) == []
        self._folder.cleanup()
        return said, seconds


def _take_signals() -> None:
    """A shell that runs the tests in the background ignores Ctrl-C, and so would they."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def _described(pid: int) -> str:
    of = Path("/proc") / str(pid)
    state = (of / "stat").read_text().rpartition(")")[2].split()[:2]
    return f"{pid} {state} {(of / 'cmdline').read_bytes()[:200]!r}"


def test_in_the_first_second_while_imports_run(tmp_path):
    for number, after in zip(SIGNALS, (0.0, 0.1, 0.25), strict=True):
        started = Started(tmp_path / "out")
        while not started.listens():
            time.sleep(0.005)
        time.sleep(after)
        said, seconds = started.interrupted(number, group=False)
        assert said.endswith(
            (SAID, "interrupted before anything ran; the same command starts again\n")
        )
        assert seconds < 10
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", SIGNALS)
def test_while_ray_starts(number, tmp_path):
    started = Started(tmp_path / "out")
    while not list(started.left.glob("pvq-*/r/session_*")):
        assert started.process.poll() is None, started.process.communicate()
        time.sleep(0.01)
    said, seconds = started.interrupted(number, group=number == signal.SIGHUP)
    assert said.endswith(SAID)
    assert seconds < 60


@pytest.mark.faults
@pytest.mark.parametrize("after", [0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 3.0, 4.0, 6.0, 8.0])
@pytest.mark.parametrize("number", SIGNALS)
def test_at_any_moment_of_the_start(number, after, tmp_path):
    started = Started(tmp_path / "out")
    time.sleep(0.3 + after)
    said, _ = started.interrupted(number, group=after % 1 > 0)
    assert said.endswith("\n")
    assert "the same command" in said.splitlines()[-1]


@pytest.mark.slow
def test_in_the_middle_the_rows_stay_and_more_signals_change_nothing(tmp_path):
    out = tmp_path / "out"
    started = Started(out)
    while not list(out.glob("cells/*.parquet")):
        assert started.process.poll() is None, started.process.communicate()
        time.sleep(0.1)
    said, seconds = started.interrupted(signal.SIGTERM, group=False, again=True)
    assert said.endswith(SAID)
    assert seconds < 60
    assert set(Store(out).statuses()[0]) == {"cell", "status"}
    assert {row["status"] for row in Store(out).statuses()} <= {"ok", "diverged"}
    assert list(out.glob("**/*.tmp")) == []
    assert not (out / ".lock").exists()


IGNORES = """
import signal, sys, time
from bench.cli import interrupts
interrupts.end_at_once()
with interrupts.raised():
    print(flush=True)
    sys.stdin.read()
print("went on")
"""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_the_caller_ignores_stays_ignored(number):
    """nohup ignores SIGHUP, a shell that starts a job in the background SIGINT."""
    with subprocess.Popen(
        [sys.executable, "-c", IGNORES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, signal.SIG_IGN),
    ) as child:
        child.stdout.readline()
        child.send_signal(number)
        time.sleep(0.2)
        child.stdin.close()
        assert child.stdout.read() == b"went on\n"
    assert child.returncode == 0


CLEANS_UP = """
import sys, time
from bench.cli import interrupts
try:
    with interrupts.raised():
        try:
            print(flush=True)
            time.sleep(60)
        finally:
            print("cleans", flush=True)
            time.sleep(1)
            print("cleaned", flush=True)
except KeyboardInterrupt:
    interrupts.end("ended")
"""


def test_cleaning_up_is_not_interrupted():
    with subprocess.Popen(
        [sys.executable, "-c", CLEANS_UP],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_take_signals,
    ) as child:
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == b"cleans\n"
        for number in SIGNALS:
            child.send_signal(number)
        assert child.stdout.read() == b"cleaned\n"
        assert child.stderr.read() == b"ended"
    assert child.returncode == 130


def test_a_clean_up_that_hangs_is_ended():
    code = CLEANS_UP.replace("time.sleep(1)", "time.sleep(60)")
    code = code.replace("try:\n    with", "interrupts.PATIENCE_S = 1.0\ntry:\n    with", 1)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        assert b"waiting in vain" in child.stderr.read()
    assert child.returncode == 130


LOSES = """
import sys, time, weakref
from bench.cli import interrupts

class Thing:
    pass

def dies(reference):
    print(flush=True)
    time.sleep(60)  # the interrupt comes here, where nothing can be raised

try:
    with interrupts.raised():
        thing = Thing()
        reference = weakref.ref(thing, dies)
        del thing
        time.sleep(60)
except KeyboardInterrupt:
    interrupts.end("ended")
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupt_where_python_can_raise_none_is_not_lost(number):
    with subprocess.Popen(
        [sys.executable, "-c", LOSES],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_take_signals,
    ) as child:
        child.stdout.readline()
        time.sleep(0.1)
        child.send_signal(number)
        started = time.monotonic()
        assert child.stderr.read() == b"ended"
        assert time.monotonic() - started < 5
    assert child.returncode == 130
