"""Three 3x3 convolutions (16, 32, 64 filters), each with batch normalization and ReLU."""

from typing import Any

from bench.models import Cost

COST = Cost(0.9, 0.38, 1.2)


def build(
    shape: tuple[int, ...], classes: int, width: float = 1.0, activation: str = "relu"
) -> Any:
    import tf_keras

    layers = tf_keras.layers
    stack = [layers.Input(shape)]
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        stack += [
            layers.Conv2D(max(1, round(width * filters)), 3, stride, "same", use_bias=False),
            layers.BatchNormalization(),
        ]
        if activation != "none":
            stack.append(layers.ReLU(6.0 if activation == "relu6" else None))
    return tf_keras.Sequential([*stack, layers.GlobalAveragePooling2D(), layers.Dense(classes)])
