"""Batch normalization's averages against the statistics of the training data."""

from typing import Any

import numpy as np

from bench.pipelines.batch_norm import layers_of

BATCH, EXAMPLES = 250, 2000


def of(trainer: Any, train: np.ndarray) -> dict[str, float]:
    """Per layer: `mean_off`, the largest distance of a moving mean from the mean of the training
    data, in SDs of these; `variance_ratio`, the moving variance that is farthest from the data's,
    divided by it.

    The trainer has other statistics afterwards: its state is for the caller to put back.
    """
    layers = layers_of(trainer.model)
    if not layers:
        return {}
    before = [(layer.moving_mean.numpy(), layer.moving_variance.numpy()) for layer in layers]
    trainer.reestimate(train[:EXAMPLES], BATCH)
    found = {}
    for layer, (mean, variance) in zip(layers, before, strict=True):
        true = layer.moving_variance.numpy() + layer.epsilon
        off = np.abs(mean - layer.moving_mean.numpy()) / np.sqrt(true)
        ratio = (variance + layer.epsilon) / true
        found[f"{layer.name} / mean_off"] = float(off.max())
        found[f"{layer.name} / variance_ratio"] = float(ratio[np.abs(np.log(ratio)).argmax()])
    return found
