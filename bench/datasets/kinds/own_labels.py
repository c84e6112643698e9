"""Labels of test examples that only somebody's own pipeline sees: what `labels()` returns."""

from functools import lru_cache
from typing import Any

import numpy as np

from bench.datasets import OWN, Dataset, Size, Source, content
from bench.datasets.kinds import own
from bench.datasets.reading.arrays import Arrays
from bench.datasets.reading.options import DEFAULT, Options
from bench.errors import InputError
from bench.plugins import Part, blamed

EXAMPLE = "mine.py with labels()"

NAMES: set[str] = set()
"""Those of datasets.OWN that have labels and nothing else, or not even these."""

NOTHING = ""
"""The function's name where there are no labels: arms then give metrics."""


def recognize(name: str, where: str, options: Options = DEFAULT) -> Source | None:
    if name not in NAMES:
        return None
    part = OWN[name]
    return LabelsAlone(name, lambda: load(name, part))


class LabelsAlone(Arrays):
    """A source without inputs."""

    def size(self) -> Size:
        return Size(0, len(self.read().y_test), 0)


@lru_cache
def load(name: str, part: Part) -> Dataset:
    """Call the function, once in a process, and check what it returns: labels (examples,), integers
    from 0, text, or floats of a regression, or a pair of these and a group of each example.

    Raises InputError naming the file and the value, or with the user's own traceback.
    """
    labels, groups = np.empty(0, np.int32), None
    classes: tuple[str, ...] = ()
    if part.function != NOTHING:
        where = f"{part.own.name}, {part.function}()"
        with blamed(part.own, f"{part.function}()"):
            returned = part()
        given, groups = _with_groups(returned, where)
        labels, classes = read_labels(given, where)
    nothing = np.empty((0, 0), np.uint8)
    return Dataset(
        content(labels, scale=1.0) + _of_groups(groups),
        name,
        nothing,
        np.empty(0, labels.dtype),
        np.empty((len(labels), 0), np.uint8),
        labels,
        1.0,
        classes,
        groups=groups,
    )


def _of_groups(groups: tuple[str, ...] | None) -> str:
    return "" if groups is None else content(np.array(groups), scale=1.0)


def _with_groups(value: Any, where: str) -> tuple[Any, tuple[str, ...] | None]:
    if not isinstance(value, tuple) or len(value) != 2 or np.ndim(value[0]) == 0:
        return value, None
    groups = np.asarray(value[1])
    if groups.ndim != 1 or groups.dtype.kind not in "iuUSb":
        raise InputError(
            where,
            f"groups of type {groups.dtype} and shape {groups.shape}",
            "allowed: integers or text, one for each test example",
        )
    if len(groups) != len(value[0]):
        raise InputError(
            where,
            f"{len(value[0]):,} labels and {len(groups):,} groups",
            "allowed: as many of both",
        )
    return value[0], tuple(map(str, groups.tolist()))


def read_labels(value: Any, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """int32 (n,), and the names of the classes; of a regression float32, and none."""
    y = own.labels(value, where, "it")
    if not y.size:
        raise InputError(where, "no label", "allowed: at least one test example")
    if y.dtype.kind == "U":
        names, codes = np.unique(y, return_inverse=True)
        return codes.astype(np.int32), tuple(map(str, names))
    if y.dtype.kind == "f":
        return y, ()
    return y.astype(np.int32), tuple(map(str, range(int(y.max()) + 1)))
