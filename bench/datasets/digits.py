"""scikit-learn's handwritten digits: 8x8 grey images, 1,000 to train on and 797 to test on."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from bench.datasets import Dataset, content, fixed_permutation

TRAIN = 1000
SCALE = 16.0


def load() -> Dataset:
    # The file that sklearn.datasets.load_digits reads: importing that takes 4 s, finding it none.
    spec = find_spec("sklearn")
    assert spec, "scikit-learn is a dependency"
    assert spec.origin
    source = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    with gzip.open(source, "rt") as lines:
        table = np.loadtxt(lines, delimiter=",", dtype=np.uint8)
    table = table[fixed_permutation(len(table))]
    x, y = table[:, :-1].reshape(-1, 8, 8, 1), table[:, -1].astype(np.int32)
    arrays = x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:]
    key = content(*arrays, scale=SCALE)
    return Dataset(key, "digits", *arrays, SCALE, tuple("0123456789"))
