"""A nearest-centroid classifier in plain NumPy: what any program could be, in any language."""

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int)
parser.add_argument("--arm")
parser.add_argument("--bits", type=int)
parser.add_argument("--out", type=Path)
asked = parser.parse_args()

x, y = load_digits(return_X_y=True)
x_train, y_train, x_test = x[:1000], y[:1000], x[1000:]
drawn = np.random.default_rng(asked.seed).permutation(len(x_train))[:300]
centers = np.stack([x_train[drawn][y_train[drawn] == digit].mean(axis=0) for digit in range(10)])
if asked.arm == "rounded":
    step = 16 / 2**asked.bits
    centers = np.round(centers / step) * step
scores = -((x_test[:, None] - centers) ** 2).sum(axis=2)
print(f"{asked.arm} of seed {asked.seed}: {len(drawn)} examples, {asked.bits} bits")
np.save(asked.out / "scores.npy", scores)
