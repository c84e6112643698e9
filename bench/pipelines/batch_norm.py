"""Batch normalization: its layers, their momentum, and their statistics made anew."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bench.datasets import fixed_permutation
from bench.pipelines.lean import tf, tf_keras

BatchNorm = tf_keras.src.layers.normalization.batch_normalization.BatchNormalizationBase


def layers_of(model: Any) -> list[Any]:
    """Its BatchNormalization layers; nested ones and subclasses count too."""
    return [x for x in model._flatten_layers() if isinstance(x, BatchNorm)]


def set_momentum(model: Any, momentum: float | None) -> int:
    """Set it on every BatchNormalization layer; None leaves what the model says.

    momentum: what a step leaves of the moving averages, 0 to 1. Call before quantize_model. Returns
    how many such layers there are.
    """
    layers = layers_of(model)
    if momentum is not None:
        for layer in layers:
            layer.momentum = momentum
    return len(layers)


@contextmanager
def _of_one_batch(layers: list[Any]) -> Iterator[None]:
    """While this is entered, moving statistics become those of the batch."""
    before = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, before, strict=True):
            layer.momentum = momentum


class Reestimation:
    """The statistics of a trainer's batch normalization, computed anew with the weights of now.

    forward(x): the model in training mode, with nothing in it that draws or observes; wrap: as in
    `lean.without_autograph`.
    """

    def __init__(self, model: Any, forward: Any, wrap: Any) -> None:
        self._layers = layers_of(model)
        self._variables = [
            v for layer in self._layers for v in (layer.moving_mean, layer.moving_variance)
        ]

        def graph(x: Any) -> Any:
            with _of_one_batch(self._layers):
                return tf.reduce_sum(forward(x))

        self._run = tf.function(wrap(graph))

    def apply(self, x: np.ndarray, batch: int) -> None:
        """Set them to the mean over all batches of x of what each has, in a fixed order.

        x: (n, ...), in batches of which a smaller last one is left out; one of all if n < batch.
        Each layer sees what the layers before it make of that batch, as in training.
        """
        size = min(batch, len(x))
        order = fixed_permutation(len(x))
        sums = [np.zeros(v.shape, np.float64) for v in self._variables]
        starts = range(0, len(x) - size + 1, size)
        for first in starts:
            self._run(tf.constant(x[np.sort(order[first : first + size])]))
            for total, variable in zip(sums, self._variables, strict=True):
                total += variable.numpy()
        for total, variable in zip(sums, self._variables, strict=True):
            variable.assign((total / len(starts)).astype(np.float32))
