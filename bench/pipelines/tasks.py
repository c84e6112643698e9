"""What differs between tasks: the outputs that a model has, its loss, and what its answers are."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bench import models
from bench.datasets import Dataset
from bench.metrics import Task
from bench.pipelines.lean import tf, tf_keras

Loss = Callable[[Any, Any, Any], Any]
"""(labels, inputs, outputs) of a batch -> its mean loss, all tensors."""


def classes(data: Dataset, task: Task) -> int:
    """What `build(shape, classes)` is told: of a regression one output is asked for."""
    return 1 if task == "regression" else len(data.classes)


def shapes(task: Task, shape: tuple[int, ...], classes: int) -> dict[tuple[int, ...], str]:
    """The shapes that a model's output may have, without the examples' axis, and what they are."""
    if task == "regression":
        return {(1,): "the number that is asked for"}
    if task == "reconstruction":
        return {shape: "the inputs again"}
    logits = {(classes,): f"logits of {classes} classes"}
    return logits | ({(1,): "the logit of class 1"} if classes == 2 else {})


def loss(model: str, task: Task, name: str) -> Loss:
    """The loss that a model's training lowers: `loss(y, outputs)` of its own file, else a built-in
    one by name."""
    part = models.hook(model, "loss")
    if part is None:
        return LOSSES[task, name]
    asked = part.own.parameters(part.function)

    def own(y: Any, inputs: Any, outputs: Any) -> Any:
        given = {"y": y, "outputs": outputs, "x": inputs}
        value = part(**{name: each for name, each in given.items() if name in asked})
        return tf.reduce_mean(tf.cast(value, tf.float32))

    return own


_cross_entropy = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _of_classes(y: Any, inputs: Any, outputs: Any) -> Any:
    if outputs.shape[-1] == 1:  # one logit z is the two logits 0 and z
        outputs = tf.concat([tf.zeros_like(outputs), outputs], axis=-1)
    return _cross_entropy(y, outputs)


def _of_numbers(power: Callable[[Any], Any]) -> Loss:
    return lambda y, inputs, outputs: tf.reduce_mean(power(outputs - tf.reshape(y, (-1, 1))))


def _of_inputs(power: Callable[[Any], Any]) -> Loss:
    return lambda y, inputs, outputs: tf.reduce_mean(power(outputs - inputs))


LOSSES: dict[tuple[Task, str], Loss] = {
    ("classification", "cross_entropy"): _of_classes,
    ("regression", "mse"): _of_numbers(tf.square),
    ("regression", "mae"): _of_numbers(tf.abs),
    ("reconstruction", "mse"): _of_inputs(tf.square),
    ("reconstruction", "mae"): _of_inputs(tf.abs),
}
"""As study.objective lists them."""


def answers(task: Task, outputs: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """What metrics get as outputs, float64: see bench.metrics.Task.

    outputs: float (n, ...), as the model gives them; inputs: float (n, ...), what it was fed.
    """
    real = outputs.astype(np.float64)
    if task == "regression":
        return real.reshape(len(real))
    if task == "reconstruction":
        with np.errstate(over="ignore", invalid="ignore"):
            errors: np.ndarray = ((real - inputs) ** 2).reshape(len(real), -1).mean(axis=1)
        return errors
    if real.shape[1] == 1:
        real = np.concatenate([np.zeros_like(real), real], axis=1)
    return real


def fed(x: np.ndarray, scale: float) -> np.ndarray:
    """What a model is fed of these examples, float32."""
    return x.astype(np.float32) / np.float32(scale)


def constant(task: Task, name: str, data: Dataset) -> float:
    """The loss on the test set that the best constant answer has: who is no better is no model.

    name: of a built-in loss, mse or mae.
    """
    wanted = data.y_test.astype(np.float64)[:, None]
    if task == "reconstruction":
        normal = data.x_test[data.y_test == 0]
        wanted = fed(normal, data.scale).reshape(len(normal), -1).astype(np.float64)
    if name == "mae":
        return float(np.abs(wanted - np.median(wanted, axis=0)).mean())
    return float(((wanted - wanted.mean(axis=0)) ** 2).mean())
