"""TFMOT's observers: what their ranges cut off, and how wide they are against calibration's."""

from typing import Any

import numpy as np

from bench.pipelines.lean import tf
from bench.pipelines.observers import ACTIVATIONS, unquantized


def of(trainer: Any, test: np.ndarray, train: np.ndarray) -> dict[str, float]:
    """Per observer: `saturated`, the share of what it sees on the test examples that lies outside
    of its range; `range_ratio`, its range's width against that which the training examples take.

    The model runs unquantized, in inference mode. trainer: of a quantization-aware model.
    """
    on_test, on_train = _seen(trainer, test), _seen(trainer, train)
    found = {}
    for name, (low, high, values) in on_test.items():
        found[f"{name} / saturated"] = float(((values < low) | (values > high)).mean())
        taken = on_train[name][2]
        width = max(float(taken.max()), 0.0) - min(float(taken.min()), 0.0)
        if width > 0:
            found[f"{name} / range_ratio"] = (high - low) / width
    return found


def _seen(trainer: Any, x: np.ndarray) -> dict[str, tuple[float, float, np.ndarray]]:
    """Observer -> its range, and all numbers that it sees."""
    found: dict[str, tuple[float, float, list[np.ndarray]]] = {}

    def note(self: Any, inputs: Any, weights: Any, own: Any) -> None:
        if isinstance(self, ACTIVATIONS):
            low, high = weights["min_var"], weights["max_var"]
            name = low.name.partition(":")[0].removesuffix("_min").removesuffix("/min")
            of = found.setdefault(name, (float(low), float(high), []))
            of[2].append(np.asarray(inputs).ravel())

    with unquantized(note), trainer.randomness.off():
        trainer.model(trainer.inputs(tf.constant(x)), training=False)
    return {name: (low, high, np.concatenate(each)) for name, (low, high, each) in found.items()}
