"""A result folder is one run's, and takes files, or there is one message."""

import multiprocessing
import resource
import shutil
from pathlib import Path

import pytest

from bench.errors import InputError
from bench.store.lock import locked, writing


def test_the_second_run_learns_of_the_first_and_disturbs_nothing(tmp_path: Path) -> None:
    with locked(tmp_path / "out") as first:
        for _ in range(2):
            with pytest.raises(InputError, match="another run is writing there"):
                locked(tmp_path / "out").__enter__()
            first.check()
    with locked(tmp_path / "out"):
        pass


def test_a_folder_in_which_nothing_was_written_goes_with_its_new_parents(tmp_path: Path) -> None:
    with locked(tmp_path / "a" / "b" / "out"):
        assert (tmp_path / "a" / "b" / "out").is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_or_holds_something_stays(tmp_path: Path) -> None:
    with locked(tmp_path):
        pass
    assert tmp_path.is_dir()
    with locked(tmp_path / "new"):
        (tmp_path / "new" / "file").write_text("x")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]


def test_a_folder_that_is_removed_meanwhile_is_noticed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with locked(out) as lock:
        lock.check()
        shutil.rmtree(out)
        with pytest.raises(InputError, match="it was removed while the run wrote"), writing(out):
            lock.check()
        out.mkdir()  # another's, of the same name
        with pytest.raises(FileNotFoundError):
            lock.check()
    assert out.is_dir()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="cannot be written: ") as caught, locked(out):
            pass
        assert caught.value.where == str(out)
    assert (tmp_path / "file").read_text() == "mine"


def _without_room(out: Path, answers: "multiprocessing.Queue[str]") -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # as a disk with 1,000 bytes left
    try:
        with locked(out):
            answers.put("taken")
    except InputError as error:
        answers.put(str(error))


def test_a_disk_without_room_is_noticed_before_anything_runs(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=_without_room, args=(tmp_path / "out", answers))
    child.start()
    said = answers.get(timeout=60)
    child.join()
    assert "cannot be written: File too large" in said
    assert list(tmp_path.iterdir()) == []
