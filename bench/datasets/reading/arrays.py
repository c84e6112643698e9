"""Sources that are arrays already: reading them is no decoding, and nothing is cached."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.datasets import Dataset, Size, Test
from bench.datasets.reading.labels import Place
from bench.errors import InputError

PIXELS = 255.0


@dataclass(frozen=True, eq=False)
class Arrays:
    """A source of arrays. read: all of it, kept by who gives it; named: has it names for its
    classes, so that their number is known? takes: the fields of Options that act here."""

    label: str
    read: Callable[[], Dataset]
    named: bool = True
    takes: frozenset[str] = frozenset()

    def identity(self) -> str:
        return self.read().key

    def size(self) -> Size:
        data = self.read()
        pixels = data.x_train[0].size // (data.x_train.shape[-1] if data.x_train.ndim == 4 else 1)
        return Size(len(data.x_train), len(data.x_test), pixels)

    def load(self, train_examples: int | None = None) -> Dataset:
        return self.read().first(train_examples)

    def test(self) -> Test:
        data = self.read()
        classes = data.classes if self.named else ()
        return Test(data.name, data.x_test, data.y_test, data.scale, classes, data.groups)


def check_finite(x: np.ndarray, place: Place, what: str) -> None:
    """Raises InputError naming file and row of the first example that is not finite."""
    wrong = ~np.isfinite(x).all(axis=tuple(range(1, x.ndim)))
    if wrong.any():
        file, row = place(int(np.argmax(wrong)))
        raise InputError(file, f"{what}, row {row}: not finite", "allowed: finite numbers")
