"""Measures what `plan` estimates with: seconds per training step and per pixel, for each model.

    python docs/benchmarks/step_cost.py

Prints one line per model, the values of COST in bench/models/. One thread; the median of five.
"""

import os
import time

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from bench import models
from bench.pipelines import cell, train

SIDES, EXAMPLES, BATCH = (8, 28), 1024, 32


def epoch_seconds(trainer: train.Trainer, side: int) -> float:
    rng = np.random.default_rng(0)
    x = tf.constant(rng.integers(0, 256, (EXAMPLES, side, side, 1), dtype=np.uint8))
    y = tf.constant(rng.integers(0, 10, EXAMPLES, dtype=np.int32))
    order = [np.arange(EXAMPLES, dtype=np.int32)]
    noise = [np.random.SeedSequence(0)]
    trainer.run(x, y, order, BATCH, 1e-3, noise)  # traces
    times = []
    for _ in range(5):
        started = time.perf_counter()
        trainer.run(x, y, order, BATCH, 1e-3, noise)
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def main() -> None:
    cell.prepare()
    for name in models.names():
        build = models.get(name).build
        seconds = {}
        for side in SIDES:
            base = train.Trainer(build, (side, side, 1), 10, "adam", 255.0)
            quantized = train.Trainer(build, (side, side, 1), 10, "adam", 255.0, base.model)
            seconds[side] = (epoch_seconds(base, side), epoch_seconds(quantized, side))
        (small, small_qat), (large, large_qat) = (seconds[side] for side in SIDES)
        pixels = EXAMPLES * (SIDES[1] ** 2 - SIDES[0] ** 2)
        per_pixel = (large - small) / pixels
        per_step = (small - per_pixel * EXAMPLES * SIDES[0] ** 2) / (EXAMPLES / BATCH)
        factor = (small_qat + large_qat) / (small + large)
        print(f"{name}: Cost({per_step * 1e3:.2g}, {per_pixel * 1e6:.2g}, {factor:.2g})")


if __name__ == "__main__":
    main()
