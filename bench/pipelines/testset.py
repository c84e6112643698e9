"""A data set's test split, for files that somebody has already: training images are not read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import datasets
from bench.errors import InputError


@dataclass(frozen=True, eq=False)
class TestSet:
    """x: uint8 or float32 (n, height, width, channels); y: int32 (n,); scale: x / scale is what
    models of this package are fed; classes: their number where it is named, else None."""

    name: str
    x: np.ndarray
    y: np.ndarray
    scale: float
    classes: int | None

    __test__ = False  # pytest, this is no class of tests


def load_test(name: str) -> TestSet:
    """The test split of an embedded dataset or of a folder with test.parquet.

    Only that file is read: the training images are most of a folder, and nothing here needs them.
    Raises InputError naming --data or the file that is not as expected.
    """
    datasets.check_name(name, "--data")
    if not datasets.is_path(name):
        data = datasets.load(name)
        return TestSet(data.name, data.x_test, data.y_test, data.scale, len(data.classes))
    from bench.datasets import parquet_folder

    path = Path(name) / "test.parquet"
    if not path.is_file():
        raise InputError("--data", f"no {str(path)!r}", "allowed: a folder with test.parquet")
    x, y, _, names = parquet_folder.read_split(path)
    if names and y.max() >= len(names):
        raise InputError(
            str(path), f"label {y.max()}", f"allowed: 0 to {len(names) - 1}, the named classes"
        )
    return TestSet(datasets.label(name), x, y, 255.0, len(names) or None)
