"""Data of somebody's own: what their function `data()` returns, checked."""

from functools import lru_cache
from typing import Any

import numpy as np

from bench.datasets import OWN, Dataset, Source, content
from bench.datasets.reading.arrays import Arrays
from bench.datasets.reading.options import DEFAULT, Options
from bench.errors import InputError
from bench.plugins import Part, blamed

MOST_CLASSES = 65_536
"""Predictions are stored in two bytes."""

SCALE = 255.0
"""Of pixels in uint8; floats are taken as they are."""

PAIRS = "allowed: (train, test), each (x, y) or (x, y, groups), of arrays"


EXAMPLE = "mine.py:data"


def recognize(name: str, where: str, options: Options = DEFAULT) -> Source | None:
    part = OWN.get(name)
    return None if part is None else Arrays(name, lambda: load(name, part))


@lru_cache
def load(name: str, part: Part) -> Dataset:
    """Call the function, once in a process, and check what it returns.

    Raises InputError naming the file, the function and the value, or with the user's own traceback
    where the function fails.
    """
    where = f"{part.own.name}, {part.function}()"
    with blamed(part.own, f"{part.function}()"):
        returned = part()
    train, test = _parts(returned, where, "it")
    arrays, groups = [], []
    for split, pair in (("train", train), ("test", test)):
        x, y, *more = _parts(pair, where, split, most=3)
        arrays.append((_inputs(x, where, f"x of {split}"), labels(y, where, f"y of {split}")))
        _check_length(*arrays[-1], where, split)
        groups.append(_groups(more[0], len(x), where, split) if more else None)
    (x_train, y_train), (x_test, y_test) = arrays
    _check_alike(x_train, x_test, where)
    y_train, y_test, classes = _classes(y_train, y_test, where)
    scale = SCALE if x_train.dtype == np.uint8 else 1.0
    key = content(x_train, y_train, x_test, y_test, scale=scale)
    return Dataset(
        key,
        name,
        x_train,
        y_train,
        x_test,
        y_test,
        scale,
        classes,
        groups=groups[1],
        trained_groups=frozenset(groups[0]) if groups[0] else None,
    )


def _groups(value: Any, n: int, where: str, split: str) -> tuple[str, ...]:
    """Integers or text (n,), as text."""
    found = _array(value, where, f"groups of {split}")
    if found.shape != (n,) or found.dtype.kind not in "iuU":
        raise InputError(
            where,
            f"groups of {split} are {found.dtype} of shape {found.shape}",
            f"allowed: integers or text, ({n},), one for each example",
        )
    return tuple(str(group) for group in found.tolist())


def _parts(value: Any, where: str, what: str, most: int = 2) -> tuple[Any, ...]:
    """The two to `most` parts of a tuple."""
    kind = type(value)
    found = f"{what} is {'None' if value is None else f'of type {kind.__module__}.{kind.__name__}'}"
    if hasattr(value, "element_spec") or hasattr(value, "__next__"):
        raise InputError(
            where,
            f"{found}, which is read piece by piece",
            "allowed: arrays that fit into memory; data beyond it and tf.data are not taken: "
            "np.stack what you want to use",
        )
    if not isinstance(value, tuple | list):
        raise InputError(where, found, PAIRS)
    if not 2 <= len(value) <= most:
        raise InputError(where, f"{what} has {len(value)} parts", PAIRS)
    return tuple(value)


def _array(value: Any, where: str, what: str) -> np.ndarray:
    if hasattr(value, "element_spec") or hasattr(value, "__next__"):
        _parts(value, where, what)
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise InputError(where, f"{what} is no array ({error})", "allowed: a NumPy array") from None
    if array.dtype == object:
        kind = "None" if value is None else f"of Python objects ({type(value).__name__})"
        raise InputError(
            where, f"{what} is {kind}", "allowed: one array of numbers, all examples of one shape"
        )
    return array


def _inputs(value: Any, where: str, what: str) -> np.ndarray:
    """uint8 or float32 (n, ...), finite."""
    x = _array(value, where, what)
    if x.ndim < 2:
        raise InputError(
            where, f"{what} has the shape {x.shape}", "allowed: (examples, height, width, channels)"
        )
    if np.issubdtype(x.dtype, np.floating):
        wide = x
        with np.errstate(over="ignore"):  # what is beyond float32 is refused below
            x = x.astype(np.float32)
        bad = ~np.isfinite(x).all(axis=tuple(range(1, x.ndim)))
        if bad.any():
            first = int(np.argmax(bad))
            example = wide[first]
            number = example[~np.isfinite(x[first])].ravel()[0]
            raise InputError(
                where,
                f"{what} has {number} in example {first} (and in {int(bad.sum()) - 1:,} more)",
                "allowed: finite numbers, within float32",
            )
    elif x.dtype != np.uint8:
        raise InputError(
            where,
            f"{what} is of type {x.dtype}",
            "allowed: uint8, which is divided by 255, or floats, which are taken as they are",
        )
    return np.ascontiguousarray(x)


def labels(value: Any, where: str, what: str) -> np.ndarray:
    """Integers or text (n,), or float32 that a regression is to give."""
    y = _array(value, where, what)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        hint = "y.argmax(1) where it is one-hot" if y.ndim == 2 else "one label for each example"
        raise InputError(where, f"{what} has the shape {y.shape}", f"allowed: (examples,), {hint}")
    if y.dtype.kind in "SU":
        return y if y.dtype.kind == "U" else np.char.decode(y, "utf-8", "replace")
    if y.dtype.kind == "b":
        return y.astype(np.int64)
    if y.dtype.kind == "f":
        with np.errstate(over="ignore"):
            y = y.astype(np.float32)
        if not np.isfinite(y).all():
            found = f"{what} holds NaN or infinity, such as in example {np.argmin(np.isfinite(y))}"
            raise InputError(where, found, "allowed: finite numbers")
        return y
    if y.dtype.kind not in "iu":
        raise InputError(
            where,
            f"{what} is of type {y.dtype}",
            "allowed: class labels, integers from 0 or text; floats of a regression",
        )
    if y.size and (y.min() < 0 or y.max() >= MOST_CLASSES):
        wrong = y.min() if y.min() < 0 else y.max()
        raise InputError(where, f"{what} has the label {wrong}", "allowed: 0, 1, 2, ... 65,535")
    return y.astype(np.int64)


def _check_length(x: np.ndarray, y: np.ndarray, where: str, split: str) -> None:
    if len(x) != len(y):
        raise InputError(
            where,
            f"{split} has {len(x):,} inputs and {len(y):,} labels",
            "allowed: as many of both",
        )
    if not len(x):
        raise InputError(where, f"{split} is empty", "allowed: at least one example")
    if not x[0].size:
        raise InputError(where, f"x of {split} has the shape {x.shape}", "allowed: no empty axis")


def _check_alike(x_train: np.ndarray, x_test: np.ndarray, where: str) -> None:
    if x_train.shape[1:] != x_test.shape[1:]:
        raise InputError(
            where,
            f"examples of shape {x_train.shape[1:]} in train and {x_test.shape[1:]} in test",
            "allowed: one shape",
        )
    if x_train.dtype != x_test.dtype:
        raise InputError(
            where,
            f"x of type {x_train.dtype} in train and {x_test.dtype} in test",
            "allowed: both uint8 or both floats: else they are scaled unlike",
        )


def _classes(
    y_train: np.ndarray, y_test: np.ndarray, where: str
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Labels as int32 and the names of the classes; or as float32 and none."""
    if "f" in (y_train.dtype.kind, y_test.dtype.kind):
        if y_train.dtype.kind != y_test.dtype.kind:
            raise InputError(
                where,
                f"labels of type {y_train.dtype} in train and {y_test.dtype} in test",
                "allowed: one type",
            )
        return y_train, y_test, ()
    text = [y.dtype.kind == "U" for y in (y_train, y_test)]
    if text[0] != text[1]:
        raise InputError(
            where, "labels that are text in one split and numbers in the other", "allowed: one kind"
        )
    together = np.unique(np.concatenate([np.unique(y_train), np.unique(y_test)]))
    if len(together) < 2:
        raise InputError(where, f"one class only, {together[0]}", "allowed: at least two classes")
    if text[0]:
        if len(together) > MOST_CLASSES:
            raise InputError(where, f"{len(together):,} classes", f"allowed: {MOST_CLASSES:,}")
        y_train, y_test = (np.searchsorted(together, y) for y in (y_train, y_test))
        names = tuple(map(str, together))
    else:
        if together[0] > 0:
            raise InputError(
                where,
                f"labels from {together[0]} to {together[-1]}",
                f"allowed: integers from 0: y - {together[0]}; of a regression floats: "
                "y.astype(float)",
            )
        names = tuple(map(str, range(int(together[-1]) + 1)))
    return y_train.astype(np.int32), y_test.astype(np.int32), names
