"""MLPerf Tiny's DS-CNN for keywords: a convolution of 10x4, four depthwise separable ones.

Banbury et al. (2021), after Zhang et al. (2017), "Hello Edge": 24,908 parameters for inputs of 49 x
10 and 12 classes. As there, dropout of 0.2 behind the first convolution and 0.4 before the pooling;
their L2 penalty is left out.
"""

from typing import Any

from bench.models import Cost

COST = Cost(2.4, 0.89, 1.2)


def build(shape: tuple[int, ...], classes: int) -> Any:
    import tf_keras

    layers = tf_keras.layers

    def normalized(convolution: Any) -> list[Any]:
        return [convolution, layers.BatchNormalization(), layers.ReLU()]

    stack = [
        layers.Input(shape),
        *normalized(layers.Conv2D(64, (10, 4), 2, "same")),
        layers.Dropout(0.2),
    ]
    for _ in range(4):
        stack += normalized(layers.DepthwiseConv2D(3, padding="same"))
        stack += normalized(layers.Conv2D(64, 1))
    stack += [layers.Dropout(0.4), layers.GlobalAveragePooling2D(), layers.Dense(classes)]
    return tf_keras.Sequential(stack)
