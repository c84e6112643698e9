"""The folder for what a run writes besides results: its own, private, and gone at its end."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bench.runner import temporary

HOLD = """
import sys, tempfile
from bench.runner import temporary
with temporary.folder() as folder:
    (folder / "r" / "session").mkdir()
    (folder / "r" / "session" / "log").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def base(monkeypatch):
    """Where temporary folders are made in this test."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as made:
        monkeypatch.setenv("TMPDIR", made)
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.delenv("RAY_TMPDIR", raising=False)
        yield Path(made)


def holder():
    return subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_it_is_private_and_gone_at_the_end(base):
    with temporary.folder() as folder:
        assert folder.parent == base
        assert folder.stat().st_mode & 0o777 == 0o700
        token = temporary.token(folder)
        assert token.stat().st_mode & 0o777 == 0o600
        assert len(token.read_text()) == 64
        (folder / "r" / "more").mkdir()
    assert list(base.iterdir()) == []


def test_it_is_gone_after_an_error_too(base):
    with pytest.raises(KeyboardInterrupt), temporary.folder():
        raise KeyboardInterrupt
    assert list(base.iterdir()) == []


def test_what_a_killed_run_has_left_goes_when_the_next_one_starts(base):
    with holder() as killed:
        left = Path(killed.stdout.readline().strip())
        killed.send_signal(signal.SIGKILL)
    assert (left / "r" / "session" / "log").exists()
    with temporary.folder() as folder:
        assert list(base.iterdir()) == [folder]


def test_that_of_a_run_that_goes_on_stays(base):
    with holder() as running:
        theirs = Path(running.stdout.readline().strip())
        with temporary.folder() as ours:
            assert set(base.iterdir()) == {ours, theirs}
        assert (theirs / "r" / "session" / "log").exists()
        running.stdin.close()
    assert list(base.iterdir()) == []


def test_another_program_s_folder_of_such_a_name_stays(base):
    (base / "pvq-theirs").mkdir()
    with temporary.folder():
        pass
    assert (base / "pvq-theirs").is_dir()


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_socket_s_path_is_short_enough_wherever_temporary_files_go(base, monkeypatch, variable):
    deep = base / ("d" * 40) / ("e" * 40)
    deep.mkdir(parents=True)
    monkeypatch.setenv(variable, str(deep))
    monkeypatch.setattr(tempfile, "tempdir", None)
    session = "session_2026-11-25_20-30-49_612868_4194304/sockets/plasma_store"
    with temporary.folder() as folder:
        assert len(os.fsencode(folder / "r" / session)) <= 107
