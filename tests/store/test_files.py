"""A file is whole and durable or not there; what killed processes leave is swept."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import InputError
from bench.plan import cells as plan
from bench.store.files import Files
from bench.store.folder import Store
from tests.store.rows import STUDY, row

KILLED = """
import os, signal, sys
from pathlib import Path
from bench.store.files import Files

write = os.fsync
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL) if half(descriptor) else None
half = lambda descriptor: ".tmp" in os.readlink(f"/proc/self/fd/{descriptor}")
Files(Path(sys.argv[1])).write(sys.argv[2], b"never to be seen")
"""


@pytest.mark.parametrize("name", ["cells/x.parquet", "study.toml", "figures/a.svg"])
def test_what_a_killed_run_left_half_written_goes_with_the_next(tmp_path: Path, name: str) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), name])
    assert killed.returncode == -signal.SIGKILL
    folder = (tmp_path / name).parent
    (left,) = folder.glob(".*.tmp")
    assert not (tmp_path / name).exists()
    old = folder / ".y.parquet.0123.tmp"  # as the version of 82ec496 called them
    old.write_bytes(b"half")
    with Files(tmp_path).lock():
        assert not left.exists()
        assert not old.exists()


def test_what_another_process_is_writing_is_not_swept(tmp_path: Path, monkeypatch) -> None:
    """`analyze` writes its report without the lock of `run`."""
    replace = os.replace

    def run_starts_meanwhile(source: Path, target: Path) -> None:
        with Files(tmp_path).lock():
            replace(source, target)

    monkeypatch.setattr(os, "replace", run_starts_meanwhile)
    Files(tmp_path).write("report.md", b"whole")
    assert (tmp_path / "report.md").read_bytes() == b"whole"


def test_a_file_is_synced_before_it_counts_and_its_folder_after(
    tmp_path: Path, monkeypatch
) -> None:
    calls = []
    fsync, replace = os.fsync, os.replace

    def record_sync(descriptor: int) -> None:
        calls.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def record_replace(source: Path, target: Path) -> None:
        calls.append(f"{source} -> {target}")
        replace(source, target)

    out = tmp_path / "new" / "out"
    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "replace", record_replace)
    Store(out).append([row(plan.cells(STUDY)[0])])
    (file,) = (out / "cells").iterdir()
    *parents, temporary, renamed, folder = calls
    assert parents == [str(tmp_path), str(tmp_path / "new"), str(out)]
    assert renamed == f"{temporary} -> {file}"
    assert folder == str(out / "cells")


def test_a_full_disk_leaves_nothing_behind_and_the_old_file_as_it_was(
    tmp_path: Path, monkeypatch
) -> None:
    files = Files(tmp_path)
    files.write("study.toml", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write("study.toml", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]
    assert files.read("study.toml") == b"old"


def test_one_run_per_folder_at_a_time(tmp_path: Path) -> None:
    with Files(tmp_path).lock(), pytest.raises(InputError, match="another run is writing there"):
        Files(tmp_path).lock().__enter__()
    with Files(tmp_path).lock():
        pass


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    files = Files(tmp_path / "nowhere")
    assert files.entries("cells", ".parquet") == []
    assert not files.has("study.toml")
    files.delete("study.toml")
    with pytest.raises(FileNotFoundError):
        files.read("study.toml")
    (tmp_path / "large").write_bytes(b"four")
    with pytest.raises(OSError, match="at most 3 are read"):
        Files(tmp_path).read("large", 3)
    assert not (tmp_path / "nowhere").exists()
