"""Writes mine.npz beside this file: scikit-learn's digits, as somebody's own data could lie there.

`python make_npz.py`
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
x = (digits.images * (255 / 16)).astype(np.uint8)[..., None]  # (1797, 8, 8, 1), 0 .. 255
order = np.random.default_rng(0).permutation(len(x))
x, y = x[order], digits.target[order]
np.savez_compressed(
    Path(__file__).with_name("mine.npz"),
    x_train=x[:1200],
    y_train=y[:1200],
    x_test=x[1200:],
    y_test=y[1200:],
)
