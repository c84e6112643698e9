"""A data set's test split, for files that somebody has already: training images are not read."""

from dataclasses import dataclass

import numpy as np

from bench import datasets


@dataclass(frozen=True, eq=False)
class TestSet:
    """x: uint8 or float32 (n, height, width, channels), or of a table (n, features); y: int32 (n,);
    scale: x / scale is what models of this package are fed; classes: their number where it is
    named, else None; groups: of each example where the data name them, else None."""

    name: str
    x: np.ndarray
    y: np.ndarray
    scale: float
    classes: int | None
    groups: tuple[str, ...] | None = None

    __test__ = False  # pytest, this is no class of tests


def load_test(name: str) -> TestSet:
    """The test split of an embedded dataset, or of data of one's own of any kind.

    Of a folder only that is decoded: the training images are most of it, and nothing here needs
    them. Raises InputError naming --data or the file that is not as expected.
    """
    test = datasets.resolve(name, where="--data").test()
    return TestSet(test.name, test.x, test.y, test.scale, len(test.classes) or None, test.groups)
