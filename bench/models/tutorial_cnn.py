"""The MNIST network of TFMOT's tutorial: one 3x3 convolution (12 filters), pooling, dense."""

from typing import Any

from bench.models import Cost

COST = Cost(0.35, 0.054, 1.5)


def build(shape: tuple[int, ...], classes: int, width: float = 1.0) -> Any:
    import tf_keras

    layers = tf_keras.layers
    return tf_keras.Sequential(
        [
            layers.Input(shape),
            layers.Conv2D(max(1, round(12 * width)), 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(classes),
        ]
    )
