"""Which splits of a source are trained on and tested on."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from bench.datasets import fixed_permutation
from bench.errors import InputError

TRAIN = ("train", "training")
TEST = ("test", "testing", "validation", "valid", "val", "dev", "eval")
"""By rank: where there are several, the first is tested on."""

HELD_OUT = 5
"""One in so many is held out of data that have one split only."""


@dataclass(frozen=True)
class Chosen:
    """Names of splits; the same twice: a part of it is held out. train is None where only a test
    split is there."""

    train: str | None
    test: str
    notes: tuple[str, ...] = ()

    @property
    def held_out(self) -> bool:
        return self.train == self.test


def choose(names: Collection[str], where: str) -> Chosen:
    """Raises InputError naming `where` if it cannot be told which split is which."""
    lower = {name.lower(): name for name in sorted(names)}
    train = next((lower[name] for name in TRAIN if name in lower), None)
    test = next((lower[name] for name in TEST if name in lower), None)
    if len(names) == 1 and test is None:
        (only,) = names
        said = f"no test split: one example in {HELD_OUT} is held out by a fixed permutation"
        return Chosen(only, only, (said,))
    if test is None or (train is None and len(names) > 1):
        raise InputError(
            where,
            f"the splits {', '.join(sorted(names))}",
            f"allowed: {TRAIN[0]} and one of {', '.join(TEST)}, or one split alone",
        )
    notes = []
    others = sorted(set(names) - {train, test})
    if test.lower() != "test":
        notes.append(f"the split {test!r} is the test split")
    if others:
        notes.append(f"left out: {', '.join(f'the split {name!r}' for name in others)}")
    return Chosen(train, test, tuple(notes))


def hold_out(n: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train and to test on, each in ascending order. Raises InputError if n is below 2."""
    if n < 2:
        raise InputError(where, f"{n} examples and no test split", "allowed: at least 2 examples")
    order = fixed_permutation(n)
    test = max(1, n // HELD_OUT)
    return np.sort(order[test:]), np.sort(order[:test])
