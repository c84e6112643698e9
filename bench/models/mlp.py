"""Two Dense layers of 64 units with ReLU: for tables, whose rows are no images."""

from typing import Any

from bench.models import Cost

COST = Cost(0.2, 0.0064, 1.2)


def build(shape: tuple[int, ...], classes: int) -> Any:
    import tf_keras

    layers = tf_keras.layers
    stack = [layers.Input(shape)]
    if len(shape) > 1:
        stack.append(layers.Flatten())
    for _ in range(2):
        stack.append(layers.Dense(64, activation="relu"))
    return tf_keras.Sequential([*stack, layers.Dense(classes)])
