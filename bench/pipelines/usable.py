"""Is what a model's file builds a model that a study can train, convert and evaluate?"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.metrics import Task
from bench.pipelines import tasks
from bench.pipelines.lean import tf, tf_keras


def unusable(
    model: Any,
    shape: tuple[int, ...],
    classes: int,
    x: np.ndarray,
    task: Task = "classification",
) -> str | None:
    """Why not, in a line, None if it is.

    model: what `build(shape, classes)` returned; x: float32 (n, *shape), some inputs.
    """
    return next(_reasons(model, shape, classes, x, task), None)


def _reasons(
    model: Any, shape: tuple[int, ...], classes: int, x: np.ndarray, task: Task
) -> Iterator[str]:
    kind = type(model)
    if not isinstance(model, tf_keras.Model):
        keras3 = kind.__module__.partition(".")[0] == "keras"
        yield (
            "is a Keras 3 model, and TFMOT knows Keras 2 only: `import tf_keras` in place of "
            "`keras`, or of `tensorflow.keras`"
            if keras3
            else f"is no tf_keras model but a {kind.__module__}.{kind.__name__}"
        )
        return
    if not model.inputs:
        yield "has no input of a known shape: Sequential or functional, with Input(shape)"
        return
    if len(model.inputs) > 1:
        yield f"has {len(model.inputs)} inputs, of shapes {_shapes(model.inputs)}; one is allowed"
    if not _fits(model.inputs[0].shape, (None, *shape)):
        yield f"takes inputs of shape {_shape(model.inputs[0])}, not {_written((None, *shape))}"
    allowed = tasks.shapes(task, shape, classes)
    said = " or ".join(f"{_written((None, *each))}: {what}" for each, what in allowed.items())
    wanted = f"one output of shape {said} is needed"
    if len(allowed) == 1:
        wanted = f"one output of shape {said.replace(': ', ' is needed: ')}"
    if len(model.outputs) != 1:
        yield f"has {len(model.outputs)} outputs, of shapes {_shapes(model.outputs)}; {wanted}"
    if not any(_fits(model.outputs[0].shape, (None, *each)) for each in allowed):
        yield f"has an output of shape {_shape(model.outputs[0])}; {wanted}"
    policy = tf_keras.mixed_precision.global_policy().name
    other = [layer for layer in model._flatten_layers() if layer.compute_dtype != "float32"]
    if policy != "float32" or other or model.outputs[0].dtype != tf.float32:
        found = f"layer {other[0].name} in {other[0].compute_dtype}" if other else policy
        yield f"computes in mixed precision ({found}); float32 is needed throughout"
    if task != "classification":
        return
    last = getattr(model.layers[-1], "activation", None)
    if last is tf_keras.activations.sigmoid:
        yield f"ends in a sigmoid, with an output of shape {_shape(model.outputs[0])}; {wanted}"
    outputs = model(tf.constant(x), training=False).numpy()
    if outputs.shape[1] == 1:
        return
    if (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
        yield (
            f"gives probabilities of shape {_shape(model.outputs[0])} that sum to 1, as after a "
            f"softmax; {wanted}"
        )


def batch_norms(model: Any) -> int:
    """How many BatchNormalization layers there are, nested ones too."""
    kind = tf_keras.layers.BatchNormalization
    return sum(isinstance(layer, kind) for layer in model._flatten_layers())


def _fits(shape: Any, wanted: tuple[int | None, ...]) -> bool:
    dimensions = tuple(shape)
    return len(dimensions) == len(wanted) and all(
        found is None or found == each for found, each in zip(dimensions, wanted, strict=True)
    )


def _shapes(tensors: Any) -> str:
    return ", ".join(map(_shape, tensors))


def _shape(tensor: Any) -> str:
    return _written(tuple(tensor.shape))


def _written(shape: tuple[int | None, ...]) -> str:
    """Such as (n, 8, 8, 1)."""
    return f"({', '.join('n' if size is None else str(size) for size in shape)})"
