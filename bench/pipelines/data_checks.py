"""Checks of data before anything trains: NumPy only."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.datasets import Dataset, fixed_permutation

UNLIKE_SPREAD = 3.0
"""How many times as widely as the other split one may spread before they are taken to be scaled
unlike."""

UNLIKE_MEAN = 2.0
"""Standard deviations of the training inputs between the splits' means, likewise."""

SAMPLE = 2000
"""Examples of a split that its spread is estimated from."""

LEAST_COVERED = 0.5
"""Share of the training inputs' range that calibration examples should reach."""


MODEL = "model"
LOSS = "labels fit the loss"
SAME = "one seed twice gives the same bits"
ALIKE = "QAT's graph, quantization switched off, equals the float one"
FILE = "float file equals Keras"
"""What bench.pipelines.check looks at, by name."""


@dataclass(frozen=True)
class Check:
    """what: was looked at; ok: nothing is wrong with it; found: in a line; remedy: what to do where
    something is, else empty."""

    what: str
    ok: bool
    found: str
    remedy: str = ""


def checks(data: Dataset, calibration_examples: int | None) -> Iterator[Check]:
    """All of them. calibration_examples: how many a study draws, None: it draws none."""
    yield _shapes(data)
    yield _scaled_alike(data)
    if calibration_examples is not None:
        yield _calibration(data, calibration_examples)
    yield _classes(data)
    yield _apart(data)


def _shapes(data: Dataset) -> Check:
    x = data.x_train
    size = " x ".join(map(str, x.shape[1:]))
    low, high = float(x.min()), float(x.max())
    found = (
        f"{len(x):,} training and {len(data.x_test):,} test examples of {size}, {x.dtype} from "
        f"{low:g} to {high:g}, divided by {data.scale:g}; {_labels(data)}"
    )
    fed = max(abs(low), abs(high)) / data.scale
    if fed > 30:
        remedy = "divide x in data(), or return it as uint8, which is divided by 255"
        return Check("data", False, f"{found}: the network is fed {fed:g}", remedy)
    if low == high:
        return Check("data", False, f"{found}: all alike", "look at what data() reads")
    if data.scale == 255 and high <= 16:
        remedy = "return x as float32, divided by its largest value, where that is what it is"
        return Check("data", False, f"{found}: nearly black to the network", remedy)
    return Check("data", True, found)


def _labels(data: Dataset) -> str:
    if data.classes:
        return f"{len(data.classes)} classes"
    y = data.y_train
    return f"labels are numbers from {float(y.min()):g} to {float(y.max()):g}"


def _some(x: np.ndarray) -> np.ndarray:
    """float64, of a fixed choice of the examples."""
    return x[fixed_permutation(len(x))[:SAMPLE]].astype(np.float64)


def _scaled_alike(data: Dataset) -> Check:
    what = "test inputs scaled like the training inputs"
    train, test = _some(data.x_train), _some(data.x_test)
    spreads = train.std(), test.std()
    found = (
        f"mean {train.mean() / data.scale:.3g} and {test.mean() / data.scale:.3g}, "
        f"SD {spreads[0] / data.scale:.3g} and {spreads[1] / data.scale:.3g}"
    )
    alike = (
        max(spreads) <= UNLIKE_SPREAD * min(spreads)
        and abs(train.mean() - test.mean()) <= UNLIKE_MEAN * spreads[0]
    )
    return Check(what, alike, found, "" if alike else "preprocess both splits alike in data()")


def _calibration(data: Dataset, examples: int) -> Check:
    what = "calibration examples' range"
    x = data.x_train
    drawn = x[fixed_permutation(len(x))[:examples]]
    low, high = float(x.min()), float(x.max())
    covered = (float(drawn.max()) - float(drawn.min())) / (high - low) if high > low else 1.0
    found = (
        f"{len(drawn)} training examples, drawn like a seed's, reach {covered:.0%} of the range of "
        "all"
    )
    if covered >= LEAST_COVERED:
        return Check(what, True, found)
    place = int(np.argmax(np.abs(x.reshape(len(x), -1)).max(axis=1)))
    return Check(
        what,
        False,
        f"{found}, whose largest value stands in example {place}",
        "remove or clip outliers in data(), or set calibration_examples higher",
    )


def _numbers(data: Dataset) -> Check:
    """Of a regression: do the splits ask for like numbers?"""
    what = "labels of both splits alike"
    train, test = (y.astype(np.float64) for y in (data.y_train, data.y_test))
    found = f"mean {train.mean():.3g} and {test.mean():.3g}, SD {train.std():.3g} and "
    found += f"{test.std():.3g}"
    if train.std() == 0 or test.std() == 0:
        return Check(what, False, found, "give labels that differ between examples")
    alike = abs(train.mean() - test.mean()) <= UNLIKE_MEAN * train.std()
    return Check(what, alike, found, "" if alike else "split anew, at random")


def _classes(data: Dataset) -> Check:
    if not data.classes:
        return _numbers(data)
    what = "classes in both splits"
    if not data.y_train.any() and len(data.classes) == 2 and data.y_test.any():
        anomalous = int(data.y_test.sum())
        found = f"{anomalous:,} of {len(data.y_test):,} test examples are anomalous"
        return Check(what, True, f"{found}, no training example is")
    there_are = np.unique(np.concatenate([data.y_train, data.y_test]))
    if len(there_are) == 1:
        (only,) = (data.classes[c] for c in there_are)
        return Check(what, False, f"one class only, {only}", "give labels of at least two classes")
    counts = [np.bincount(y, minlength=len(data.classes)) for y in (data.y_train, data.y_test)]
    wrong = []
    for split, here, there in (("train", *counts), ("test", *counts[::-1])):
        only = [data.classes[c] for c in np.flatnonzero((here > 0) & (there == 0))]
        if only:
            wrong.append(f"only {split} has {_few(only)}")
    nowhere = [data.classes[c] for c in np.flatnonzero(counts[0] + counts[1] == 0)]
    if nowhere:
        wrong.append(f"no example of {_few(nowhere)}")
    if wrong:
        remedy = "split anew so that both have all classes; number them 0, 1, 2 ... without gaps"
        return Check(what, False, "; ".join(wrong), remedy)
    least = [
        f"{count.min():,} in {split}"
        for split, count in zip(("train", "test"), counts, strict=True)
    ]
    return Check(what, True, f"the rarest has {' and '.join(least)}")


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"class {', '.join(names[:5])}{more}"


def _apart(data: Dataset) -> Check:
    what = "test examples apart from training examples"
    trained = {hash(x.tobytes()) for x in data.x_train}
    suspected = [i for i, x in enumerate(data.x_test) if hash(x.tobytes()) in trained]
    if suspected:  # equal hashes: equal bytes, to be sure
        wanted = {data.x_test[i].tobytes() for i in suspected}
        there = {x.tobytes() for x in data.x_train if hash(x.tobytes()) in {*map(hash, wanted)}}
        suspected = [i for i in suspected if data.x_test[i].tobytes() in there]
    if not suspected:
        return Check(what, True, f"none of {len(data.x_test):,} stands in the training set too")
    return Check(
        what,
        False,
        f"{len(suspected):,} of {len(data.x_test):,} stand in the training set too, bit by bit, "
        f"such as test example {suspected[0]}",
        "remove them from the training set in data()",
    )
