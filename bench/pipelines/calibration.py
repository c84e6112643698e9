"""What PTQ, and QAT whose ranges start calibrated, are calibrated on: the factor calibration_draw.

Each draw belongs to the seed's calibration stream; the number of the draw (the factor `draw`) is a
child of it, and 0 is the stream itself.
"""

import numpy as np

from bench.datasets import Dataset
from bench.datasets.changed import shifts
from bench.pipelines import hooks, streams
from bench.plan.cells import Recipe


def calibration_of(data: Dataset, model: str, seed: int, recipe: Recipe) -> np.ndarray:
    """The examples to calibrate on, (n, ...) as a model is fed with them: a model's own, or as the
    recipe says: drawn from the training examples or from noise."""
    if (own := hooks.representative(data, model)) is not None:
        return own
    pin, n = dict(recipe.pin), recipe["calibration_examples"]
    kind, draw = recipe.get("calibration_draw") or "random", recipe.get("draw") or 0
    rng = np.random.default_rng(streams.calibration(seed, pin, draw))
    if kind == "uniform-noise":
        return uniform(data, n, rng)
    x = data.x_train
    if kind == "augmented":
        made = hooks.augmented(data, model, draw, seed, pin)
        if made is None:
            raise hooks.BadHook(f"{model} has no augment() to calibrate with")
        x = made[0]
    chosen = x[positions(kind, data.y_train, len(data.classes), n, rng)]
    return shifts.moved(chosen, data, shifts.CALIBRATION) if kind == "shifted" else chosen


def positions(
    kind: str, y: np.ndarray, classes: int, n: int, rng: np.random.Generator
) -> np.ndarray:
    """int64 (n,): the training examples that are drawn, without repeats.

    y: int, below classes. `one-class`: of one class that is drawn too, as many as it has where
    these are fewer. `skewed`: of each class half as often as of the one before, in an order that is
    drawn, by the weights of Efraimidis & Spirakis (2006). Any other kind: all alike.
    """
    if kind == "one-class":
        there = np.unique(y)
        of_class = np.flatnonzero(y == there[rng.integers(len(there))])
        return of_class[rng.permutation(len(of_class))[:n]]
    if kind == "skewed":
        share = 0.5 ** rng.permutation(classes)
        counts = np.bincount(y, minlength=classes)
        weights = share[y] / counts[y]
        return np.argsort(np.log(rng.random(len(y))) / weights)[::-1][:n]
    return rng.permutation(len(y))[:n]


def uniform(data: Dataset, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, ...) of the training inputs' type, every number alike from their smallest to their
    largest."""
    x = data.x_train
    low, high, shape = x.min(), x.max(), (n, *x.shape[1:])
    if x.dtype == np.uint8:
        return rng.integers(low, high, shape, np.uint8, endpoint=True)
    return rng.uniform(low, high, shape).astype(np.float32)
