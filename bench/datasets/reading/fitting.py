"""A data set for a task: labels of its kind, and the training examples that it learns from."""

from dataclasses import replace

import numpy as np

from bench.datasets import Dataset
from bench.errors import InputError


def fitted(data: Dataset, task: str) -> Dataset:
    """The data as a task needs them.

    classification: labels are classes. regression: they are float32; integers become it.
    reconstruction: they are 0, normal, and 1, anomalous, or text, one of which is `normal`; only
    normal examples are trained on.
    Raises InputError naming the data set where its labels are of another kind. Without labels, of
    a pipeline that gives metrics by name, there is nothing to fit.
    """
    return data if not len(data.y_test) else FITS[task](data)


def _classification(data: Dataset) -> Dataset:
    if data.y_train.dtype.kind == "f":
        first = (data.y_train if len(data.y_train) else data.y_test)[0]
        raise InputError(
            "datasets",
            f"the labels of {data.name!r} are numbers, such as {first:g}, no classes",
            'allowed: metrics = ["mae"] or another of a regression, or task = "regression"; or '
            "labels that are integers or text",
        )
    return data


def _regression(data: Dataset) -> Dataset:
    if data.y_train.dtype.kind == "f":
        return data
    if data.classes != tuple(map(str, range(len(data.classes)))):
        raise InputError(
            "datasets",
            f"the labels of {data.name!r} are classes, such as {data.classes[0]!r}",
            "allowed: for a regression, numbers",
        )
    return replace(
        data,
        key=f"{data.key}/numbers",
        y_train=data.y_train.astype(np.float32),
        y_test=data.y_test.astype(np.float32),
        classes=(),
    )


def _reconstruction(data: Dataset) -> Dataset:
    wanted = (
        "allowed: 0 for normal and 1 for anomalous, or text, one of them 'normal'; of the test "
        "examples both"
    )
    if data.y_train.dtype.kind == "f" or len(data.classes) != 2:
        found = f"{len(data.classes)} classes" if data.classes else "numbers"
        raise InputError("datasets", f"the labels of {data.name!r} are {found}", wanted)
    if data.classes != ("0", "1"):
        if "normal" not in data.classes:
            found = " and ".join(data.classes)
            raise InputError("datasets", f"the labels of {data.name!r} are {found}", wanted)
        normal_is = data.classes.index("normal")
        y_train, y_test = ((y != normal_is).astype(np.int32) for y in (data.y_train, data.y_test))
        named = ("normal", data.classes[1 - normal_is])
        data = replace(data, y_train=y_train, y_test=y_test, classes=named)
    for label, word in enumerate(("normal", "anomalous")):
        if not (data.y_test == label).any():
            raise InputError("datasets", f"no {word} test example in {data.name!r}", wanted)
    normal = np.flatnonzero(data.y_train == 0)
    if len(data.y_train) and not len(normal):
        raise InputError("datasets", f"no normal training example in {data.name!r}", wanted)
    if len(normal) == len(data.y_train):
        return data
    left = len(data.y_train) - len(normal)
    return replace(
        data,
        key=f"{data.key}/normal",
        x_train=data.x_train[normal],
        y_train=data.y_train[normal],
        notes=(*data.notes, f"{left:,} anomalous training examples left out"),
    )


FITS = {
    "classification": _classification,
    "regression": _regression,
    "reconstruction": _reconstruction,
}
