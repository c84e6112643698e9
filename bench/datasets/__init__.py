"""Datasets, one file each; the file's name is the dataset's name in a study.

A dataset file has a docstring whose first line describes it and `load() -> Dataset`. A name with
a path separator in it is a folder in the Hugging Face Parquet layout, read by `parquet_folder`.
"""

import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from bench.errors import InputError, nearest
from bench.plugins import Part

_LAYOUTS = {"parquet_folder", "own"}

_own: dict[str, Part] = {}


@dataclass(frozen=True, eq=False)
class Dataset:
    """A classification data set in memory; two are equal if their keys are.

    key: what determines the content, of which part.
    x_train, x_test: (examples, height, width, channels), uint8 or float32; a model's input is
    x / scale as float32. y_train, y_test: int32 (examples,), 0 .. len(classes) - 1.
    paths: the file name of each test example where the source has one, else empty; permuted: do
    the training examples stand in the order of the fixed permutation already?
    """

    key: str
    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    scale: float
    classes: tuple[str, ...]
    paths: tuple[str, ...] = ()
    permuted: bool = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dataset) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def first(self, train_examples: int | None) -> "Dataset":
        """The same with the first `train_examples` of a fixed permutation for training."""
        if train_examples is None:
            return self
        n = len(self.x_train)
        chosen = (np.arange(n) if self.permuted else fixed_permutation(n))[:train_examples]
        return replace(
            self,
            key=f"{self.key}/{train_examples}",
            x_train=self.x_train[chosen],
            y_train=self.y_train[chosen],
            permuted=True,
        )


def fixed_permutation(n: int) -> np.ndarray:
    """A permutation of 0 .. n - 1 that never changes: RandomState's stream is frozen by NumPy."""
    return np.random.RandomState(0).permutation(n)


def names() -> list[str]:
    """The names of the embedded datasets, sorted."""
    return sorted({module.name for module in pkgutil.iter_modules(__path__)} - _LAYOUTS)


def use(parts: Mapping[str, Part]) -> None:
    """Make data of somebody's own known in this process: name -> function."""
    _own.update(parts)
    _embedded.cache_clear()


def is_path(name: str) -> bool:
    return "/" in name or "\\" in name


def check_name(name: str, where: str) -> None:
    """Raises InputError naming `where` unless `name` is an embedded dataset's or a path."""
    if not is_path(name) and name not in names():
        raise InputError(
            where,
            f"no dataset {name!r}",
            f"{nearest(name, names())}, or a folder with train.parquet and test.parquet, "
            "written with a slash (./name), or FILE.py:FUNCTION",
        )


def check_source(name: str, where: str) -> None:
    """Raises InputError naming `where` if `name` is a path and its files are not there."""
    if is_path(name):
        from bench.datasets import parquet_folder

        parquet_folder.check(name, where)


def label(name: str) -> str:
    """The name that rows and reports carry: a folder's last part, never its path."""
    return Path(name).resolve().name if is_path(name) else name


def identity(name: str) -> str:
    """What identifies the data: a hash of their content, wherever they lie."""
    if is_path(name):
        from bench.datasets import parquet_folder

        return parquet_folder.fingerprint(Path(name))
    return _embedded(name).key


def content(*arrays: np.ndarray, scale: float) -> str:
    """SHA-256 over arrays (type, shape and bytes) and the scale that inputs are divided by."""
    digest = hashlib.sha256(repr(scale).encode())
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class Size:
    """Examples of each split, and the pixels of an image."""

    train: int
    test: int
    pixels: int


def size(name: str) -> Size:
    """A dataset's size, without decoding it. Raises InputError as `load` does."""
    if is_path(name):
        from bench.datasets import parquet_folder

        return parquet_folder.size(Path(name))
    data = load(name)
    return Size(len(data.x_train), len(data.x_test), data.x_train[0, ..., 0].size)


def load(name: str, train_examples: int | None = None) -> Dataset:
    """Read a dataset by name or path, of its training examples as `Dataset.first` chooses.

    Raises InputError if a folder's files are not as expected.
    """
    if is_path(name):
        from bench.datasets import parquet_folder

        return parquet_folder.load(Path(name), train_examples)
    return _embedded(name).first(train_examples)


@lru_cache
def _embedded(name: str) -> Dataset:
    if name in _own:
        from bench.datasets import own

        return own.load(name, _own[name])
    loader: Callable[[], Dataset] = importlib.import_module(f"{__name__}.{name}").load
    return loader()
