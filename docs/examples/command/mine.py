"""A program of one's own: nearest centroids of digits, rounded to few bits"""

from sklearn.datasets import load_digits

command = "{python} train.py --seed {seed} --arm {arm} --bits {bits} --out {out}"
arms = ["exact", "rounded"]
study = dict(seeds=10, bits=[1, 2, 4])


def labels():
    return load_digits().target[1000:]
