"""What the factors of the stage `data` make of a data set's training examples. The same for every
seed: other data are another question, not another replicate."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bench.datasets import Dataset
from bench.errors import InputError

NOISE_SEED, LABEL_SEED = 1, 2


def changed(data: Dataset, levels: Mapping[str, Any]) -> Dataset:
    """levels: of the factors train_examples, class_imbalance and label_noise, applied in this
    order; what is not there is at its default. The key says what was changed. Raises InputError
    where there is no other class."""
    made = data.first(levels.get("train_examples"))
    ratio, share = levels.get("class_imbalance", 1.0), levels.get("label_noise", 0.0)
    if ratio != 1 and not made.classes:
        raise InputError("class_imbalance", f"no classes in {data.name}", "allowed: leave it out")
    if ratio != 1:
        kept = imbalanced(made.y_train, len(made.classes), ratio)
        made = replace(
            made,
            key=f"{made.key}/imbalance {ratio:g}",
            x_train=made.x_train[kept],
            y_train=made.y_train[kept],
        )
    if share:
        if len(made.classes) < 2:
            raise InputError("label_noise", f"one class in {data.name}", "allowed: two or more")
        y_train = mislabelled(made.y_train, len(made.classes), share)
        made = replace(made, key=f"{made.key}/label noise {share:g}", y_train=y_train)
    return made


def imbalanced(y: np.ndarray, classes: int, ratio: float) -> np.ndarray:
    """Positions of the examples that are left, ascending: of class c the first n_c / ratio^(c / (C
    - 1)), rounded up, so that of balanced classes the last has a ratio-th of the first (the long
    tail of Cui et al. 2019).

    y: int (n,), below classes.
    """
    kept = np.zeros(len(y), bool)
    for c in range(classes):
        of_class = np.flatnonzero(y == c)
        share = ratio ** (-c / max(1, classes - 1))
        kept[of_class[: int(np.ceil(round(len(of_class) * share, 9)))]] = True
    return np.flatnonzero(kept)


def mislabelled(y: np.ndarray, classes: int, share: float) -> np.ndarray:
    """int32 (n,): y with a share of its labels, rounded, replaced by one of the other classes, each
    alike. More noise adds to less: the same examples have the same wrong labels.

    y: int (n,), below classes, of which there are at least two.
    """
    n = len(y)
    wrong = np.random.RandomState(NOISE_SEED).permutation(n)[: round(share * n)]
    steps = np.random.RandomState(LABEL_SEED).randint(1, classes, n)
    noisy = y.astype(np.int32)
    noisy[wrong] = (noisy[wrong] + steps[wrong]) % classes
    return noisy
