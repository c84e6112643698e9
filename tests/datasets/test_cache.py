"""What is decoded is kept, by content; what is damaged is made anew; nobody needs the cache."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from bench import datasets
from bench.datasets.reading import cache
from bench.datasets.reading.images import Images
from bench.errors import InputError
from tests.datasets.build import parquet_images


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch):
    """Counts the images that are decoded."""
    count = [0]
    real = Images.into

    def counting(images, blob, out):
        count[0] += 1
        real(images, blob, out)

    monkeypatch.setattr(Images, "into", counting)
    return count


def test_the_second_time_nothing_is_decoded(folder, decoded, tmp_path):
    name = parquet_images(tmp_path / "mine")
    first = datasets.load(name)
    assert decoded == [16]
    again = datasets.load(name)
    assert decoded == [16]
    assert np.array_equal(first.x_train, again.x_train)
    assert np.array_equal(first.x_test, again.x_test)
    assert type(again.x_train) is np.ndarray  # pickled as any other, not as a map of a file


def test_a_copy_elsewhere_is_the_same_to_it_and_other_content_is_not(folder, decoded, tmp_path):
    datasets.load(parquet_images(tmp_path / "a" / "mine"))
    datasets.load(parquet_images(tmp_path / "b" / "other"))
    assert decoded == [16]
    datasets.load(parquet_images(tmp_path / "c" / "mine", seed=1))
    assert decoded == [32]


def test_another_decoder_decodes_anew(folder, decoded, tmp_path, monkeypatch):
    name = parquet_images(tmp_path / "mine")
    datasets.load(name)
    monkeypatch.setattr(Images, "versions", staticmethod(lambda: {"images": "2"}))
    datasets.load(name)
    assert decoded == [32]


@pytest.mark.parametrize("damage", ["bit", "cut", "empty", "other", "longer"])
def test_a_damaged_entry_is_made_anew(folder, decoded, tmp_path, damage):
    name = parquet_images(tmp_path / "mine")
    expected = np.array(datasets.load(name).x_train)
    for entry in folder.iterdir():
        content = bytearray(entry.read_bytes())
        content[len(content) // 2] ^= 4
        changed = {
            "bit": bytes(content),
            "cut": entry.read_bytes()[:-40],
            "empty": b"",
            "other": b"not an array at all" * 9,
            "longer": entry.read_bytes() + b"\0",
        }[damage]
        entry.unlink()
        entry.write_bytes(changed)
    assert np.array_equal(datasets.load(name).x_train, expected)
    assert decoded == [32]
    assert np.array_equal(datasets.load(name).x_train, expected)
    assert decoded == [32]


def test_a_cache_that_cannot_be_written_is_done_without(decoded, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file" / "cache"))
    name = parquet_images(tmp_path / "mine")
    assert datasets.load(name) == datasets.load(name)
    assert decoded == [32]


def test_a_named_cache_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="--cache: cannot write"):
        cache.use(tmp_path / "file" / "cache")


def test_by_default_it_is_the_users_own(monkeypatch, tmp_path):
    monkeypatch.delenv(cache.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "ptq-vs-qat"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.folder() == tmp_path / "home" / ".cache" / "ptq-vs-qat"


def test_what_killed_runs_left_is_removed_and_what_others_write_is_not(folder, tmp_path):
    folder.mkdir()
    old, new = folder / ".a.1.b.part", folder / ".c.2.d.part"
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 10**6,) * 2)
    datasets.load(parquet_images(tmp_path / "mine"))
    assert not old.exists()
    assert new.exists()


def test_concurrent_runs_all_get_the_data(folder, tmp_path):
    name = parquet_images(tmp_path / "mine")
    probe = (
        "from bench import datasets\n"
        f"for _ in range(20): print(datasets.load({name!r}).x_train.sum())\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", probe], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = {line for process in running for line in process.communicate()[0].split()}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert said == {str(datasets.load(name).x_train.sum())}
    assert not list(folder.glob(".*.part"))
