"""Datasets: embedded ones, one file each; data of one's own, one file per kind in `kinds`.

An embedded dataset's file has a docstring whose first line describes it and `load() -> Dataset`;
its name is the dataset's in a study. Any other name is a path. `resolve` makes a Source of either.
"""

import hashlib
import os
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bench.datasets.reading.options import DEFAULT, Options
from bench.errors import InputError, nearest
from bench.plugins import Part

FILES = (".npz", ".zip", ".csv", ".parquet")
"""A name that ends so is a file's; a folder's has a slash."""

OWN: dict[str, Part] = {}
"""Functions of somebody's own that return data, by the name that they have in a study."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in memory; two are equal if their keys are.

    key: identifies the content, and which of the training examples are used.
    x_train, x_test: uint8 or float32, (examples, height, width, channels), or of a table (examples,
    features); a model's input is x / scale as float32. y_train, y_test: int32 (examples,),
    0 .. len(classes) - 1, or float32 (examples,), which a regression is to give, without classes.
    Arrays may be read-only.
    paths: the file name of each test example where the source has one, else empty; permuted:
    whether the training examples are in the order of the fixed permutation already. groups: of each
    test example where the source has them (a speaker, a patient), else None; trained_groups: those
    of the training examples, None where they are not known; notes: what was taken for what, where
    that was not plain.
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
    groups: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    trained_groups: frozenset[str] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dataset) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def first(self, train_examples: int | None) -> "Dataset":
        """The same with the first `train_examples` of a fixed permutation for training. Raises
        InputError if there are not so many."""
        if train_examples is None:
            return self
        n = len(self.x_train)
        if train_examples > n:
            raise InputError(
                "train_examples", f"found {train_examples}", f"allowed: 1 to {n} of {self.name!r}"
            )
        chosen = (np.arange(n) if self.permuted else fixed_permutation(n))[:train_examples]
        return replace(
            self,
            key=f"{self.key}/{train_examples}",
            x_train=self.x_train[chosen],
            y_train=self.y_train[chosen],
            permuted=True,
        )


@dataclass(frozen=True, eq=False)
class Test:
    """The test split alone, as Dataset has it; classes: their names, empty where the source names
    none, since how many there are is then not known."""

    name: str
    x: np.ndarray
    y: np.ndarray
    scale: float
    classes: tuple[str, ...] = ()
    groups: tuple[str, ...] | None = None

    __test__ = False  # pytest, this is no class of tests


@dataclass(frozen=True)
class Size:
    """Examples of each split, and the pixels of an image, or a table's features; left: training
    examples that are left of them, by what a study does to them."""

    train: int
    test: int
    pixels: int
    left: Mapping[tuple[tuple[str, Any], ...], int] = field(default_factory=dict)


class Source(Protocol):
    """Where a data set lies, and what it can tell. Its methods raise InputError that names file and
    row where the data are not as expected."""

    @property
    def label(self) -> str:
        """The name that rows and reports carry."""

    @property
    def takes(self) -> frozenset[str]:
        """The fields of Options that act on it."""

    def identity(self) -> str:
        """What identifies the data: a hash of their content, wherever they lie."""

    def size(self) -> Size:
        """Without decoding the examples."""

    def load(self, train_examples: int | None = None) -> Dataset:
        """Of its training examples as `Dataset.first` chooses."""

    def test(self) -> Test:
        """The test split alone; training examples are not decoded."""


def fixed_permutation(n: int) -> np.ndarray:
    """A permutation of 0 .. n - 1 that never changes: RandomState's stream is frozen by NumPy."""
    return np.random.RandomState(0).permutation(n)


def content(*arrays: np.ndarray, scale: float) -> str:
    """SHA-256 over arrays (type, shape and bytes) and the scale that inputs are divided by."""
    digest = hashlib.sha256(repr(scale).encode())
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def names() -> list[str]:
    """The names of the embedded datasets, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)


def use(parts: Mapping[str, Part]) -> None:
    """Make data of somebody's own known in this process: name -> function."""
    OWN.update(parts)


def is_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.lower().endswith(FILES)


def based(name: str, base: Path | None) -> str:
    """A name that stands in a file of the folder `base`, as it must be written here: of a relative
    path, the same path from the working directory."""
    if base is None or not is_path(name) or Path(name).expanduser().is_absolute():
        return name
    start = os.path.relpath(base.resolve(), Path().resolve())
    return name if start == "." else f"{start}/{name.removeprefix('./')}"


def seen_from(name: str, folder: Path) -> str:
    """The reverse: a name as it must be written in a file of `folder`. Its last part is the label,
    so that nobody who reads it there needs the data."""
    path = Path(name)
    if not is_path(name) or path.is_absolute() or name.startswith("~"):
        return name
    whole = path.absolute().resolve() if path.name in ("", "..") else path.absolute()
    parent = os.path.relpath(whole.parent.resolve(), folder.resolve())
    return f"{parent}/{whole.name}".replace(os.sep, "/")


def check_name(name: str, where: str) -> None:
    """Raises InputError naming `where` unless `name` is an embedded dataset's, one of somebody's
    own, or a path."""
    if not is_path(name) and name not in names() and name not in OWN:
        raise InputError(
            where,
            f"no dataset {name!r}",
            f"{nearest(name, names())}, a file ({', '.join(FILES)}), a folder, "
            "written with a slash (./name), or FILE.py:FUNCTION",
        )


def label(name: str) -> str:
    """The name that rows and reports carry: a path's last part, of a file without its ending. No
    file is read."""
    if not is_path(name):
        return name
    last = Path(os.path.abspath(Path(name).expanduser())).name
    ending = next((e for e in FILES if last.lower().endswith(e) and len(last) > len(e)), "")
    return last[: len(last) - len(ending)]


def resolve(
    name: str, base: Path | None = None, where: str = "datasets", options: Options = DEFAULT
) -> Source:
    """The source that a name stands for; base: the folder that relative paths start from; options:
    how a study has its data read.

    Raises InputError naming `where` if there is none, or none of a known kind.
    """
    from bench.datasets import kinds

    check_name(name, where)
    return kinds.resolve(based(name, base), where, options)


def check_source(name: str, where: str) -> None:
    """Raises InputError naming `where` if `name` is a path and there are no data."""
    if is_path(name):
        resolve(name, where=where)


def check_options(names: Iterable[str], options: Options) -> None:
    """Raises InputError naming an option that is set and that acts on none of these."""
    for option in options.changed():
        if not any(option in resolve(name, options=options).takes for name in names):
            raise InputError(
                option,
                f"set, but nothing in {', '.join(map(label, names))} takes it",
                f"allowed: with {_TAKEN_BY[option]}",
            )


_TAKEN_BY = {
    "resize": "images in files (Parquet, class folders)",
    "label_column": "Parquet and CSV files, which have columns",
    "audio": "Parquet files of sound",
}


def identity(name: str, options: Options = DEFAULT) -> str:
    """`Source.identity` of the source that a name stands for."""
    return resolve(name, options=options).identity()


def size(name: str, options: Options = DEFAULT) -> Size:
    """`Source.size` of the source that a name stands for."""
    return resolve(name, options=options).size()


def load(
    name: str,
    train_examples: int | None = None,
    options: Options = DEFAULT,
    task: str | None = None,
) -> Dataset:
    """`Source.load` of the source that a name stands for; task: as this one needs it
    (reading.fitting), when which examples it can train on may depend on the labels of all."""
    from bench.datasets.reading.fitting import fitted

    source = resolve(name, options=options)
    if task == "reconstruction":
        return fitted(source.load(), task).first(train_examples)
    data = source.load(train_examples)
    return data if task is None else fitted(data, task)
