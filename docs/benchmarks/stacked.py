"""What training several seeds of the tutorial CNN in one graph would save (decision 5).

    python docs/benchmarks/stacked.py

A hand-written step (plain SGD, no quantization) on one thread, seeds side by side in the channels:
as convolutions apart, as one with a block-diagonal kernel, and as one in groups. Not a part of the
program. Prints a Markdown table, milliseconds for one seed and step.
"""

import os
import time
from collections.abc import Callable
from typing import Any

from bench.runner.worker import WORKER_ENVIRONMENT

os.environ.update(WORKER_ENVIRONMENT)

import numpy as np

from bench.pipelines import cell
from bench.pipelines.lean import tf

BATCH, SIDE, FILTERS, CLASSES = 32, 28, 12, 10
POOLED = ((SIDE - 2) // 2) ** 2
STEPS, TRIES = 200, 7
SEEDS = (1, 2, 4, 8)


def network(kind: str, seeds: int, rng: np.random.Generator) -> tuple[list[Any], Callable[[], Any]]:
    """Variables, and a function that gives the logits (seeds, batch, classes)."""
    apart = kind == "apart"
    inputs = seeds if kind == "block-diagonal" else 1
    kernels = rng.normal(0, 0.1, (3, 3, inputs, FILTERS * seeds)).astype(np.float32)
    images = rng.random((BATCH, SIDE, SIDE, seeds)).astype(np.float32)
    dense = tf.Variable(rng.normal(0, 0.02, (seeds, POOLED * FILTERS, CLASSES)).astype(np.float32))
    parts = seeds if apart else 1
    convolutions = [tf.Variable(part) for part in np.split(kernels, parts, axis=-1)]
    x = [tf.constant(part) for part in np.split(images, parts, axis=-1)]
    biases = [tf.Variable(tf.zeros(FILTERS * seeds // parts)) for _ in range(parts)]
    own = np.kron(np.eye(seeds), np.ones(FILTERS))[None, None].astype(np.float32)

    def pooled(i: int) -> Any:
        kernel = convolutions[i] * own if kind == "block-diagonal" else convolutions[i]
        hidden = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x[i], kernel, 1, "VALID"), biases[i]))
        hidden = tf.nn.max_pool2d(hidden, 2, 2, "VALID")
        each = tf.reshape(hidden, (BATCH, POOLED, seeds // parts, FILTERS))
        return tf.reshape(tf.transpose(each, (2, 0, 1, 3)), (seeds // parts, BATCH, -1))

    def logits() -> Any:
        return tf.concat([pooled(i) for i in range(parts)], axis=0) @ dense

    return [*convolutions, *biases, dense], logits


def milliseconds(kind: str, seeds: int) -> float:
    """One seed and step, the fastest of a few tries."""
    rng = np.random.default_rng(0)
    variables, logits = network(kind, seeds, rng)
    labels = tf.constant(rng.integers(0, CLASSES, (seeds, BATCH)).astype(np.int32))

    @tf.function
    def train(steps: Any) -> None:
        for _ in tf.range(steps):
            with tf.GradientTape() as tape:
                each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits())
                loss = tf.reduce_sum(tf.reduce_mean(each, axis=1))
            for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
                variable.assign_sub(0.01 * gradient)

    times = []
    for _ in range(1 + TRIES):
        started = time.perf_counter()
        train(tf.constant(STEPS))
        times.append(time.perf_counter() - started)
    return min(times[1:]) / STEPS / seeds * 1e3


def main() -> None:
    cell.prepare()
    kinds = ("apart", "block-diagonal", "groups")
    print(f"| seeds in one graph | {' | '.join(kinds)} |")
    print(f"| ---: |{' ---: |' * len(kinds)}")
    for seeds in SEEDS:
        found = [milliseconds(kind, seeds) for kind in kinds]
        print(f"| {seeds} | {' | '.join(f'{ms:.2f}' for ms in found)} |", flush=True)


if __name__ == "__main__":
    main()
