"""TensorFlow, tf_keras and TFMOT with their unused dependencies hidden, for a faster start.

TFMOT's pruning imports Keras 3, which imports scikit-learn, SciPy's statistics and matplotlib;
tf_keras tries pandas and SciPy for kinds of input that no pipeline gives it. Without them a worker
starts in three fifths of the time and takes 150 MB less memory (docs/performance.md).
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = [
    "QuantizeLayer",
    "forget_gradients",
    "quant_ops",
    "tf",
    "tf_keras",
    "tfmot",
    "without_autograph",
]

Made = TypeVar("Made")
Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


@contextmanager
def _absent(*names: str) -> Iterator[None]:
    """Let imports of these packages fail, unless they are there already."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # None: `import` raises ModuleNotFoundError
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _absent("keras", "pandas", "scipy"):
    import tensorflow as tf
    import tensorflow_model_optimization as tfmot
    import tf_keras
    from tensorflow.python.framework.ops import gradient_registry
    from tensorflow_model_optimization.python.core.quantization.keras import quant_ops
    from tensorflow_model_optimization.python.core.quantization.keras.quantize_layer import (
        QuantizeLayer,
    )


def without_autograph(make: Callable[[Wrap], Made]) -> Made:
    """make(wrap), where wrapped functions are traced without AutoGraph, which would rewrite the
    source of every layer: most of quantize_model's time. The graphs compute the same bits.

    make is called again, with AutoGraph, if a layer's Python branches on tensors.
    """
    try:
        return make(tf.autograph.experimental.do_not_convert)
    except tf.errors.OperatorNotAllowedInGraphError:
        return make(lambda function: function)


def forget_gradients() -> None:
    """Let go of graphs that only TensorFlow's registry of gradients still holds.

    Each use of a custom gradient (swish has one) is registered for ever, its graph with it. They
    serve to differentiate a graph; those of this package hold their gradients already.
    """
    registered = gradient_registry._registry
    for name in [name for name in registered if name.startswith("CustomGradient-")]:
        del registered[name]
