"""MLPerf Tiny's autoencoder for anomalies: dense layers of 128 units around a code of 8.

Banbury et al. (2021), which is the baseline of DCASE 2020's task 2 (Koizumi et al. 2020): four
layers, the code, four layers, each with batch normalization and ReLU, and as many outputs as there
are inputs: 269,992 parameters for 640 inputs. For the task `reconstruction`.

The dense layers are written as 1x1 convolutions of one pixel, which is the same sum: the converter
folds a batch normalization that was trained with simulated quantization into a convolution, but
leaves one behind a Dense layer in float.
"""

from typing import Any

from bench.models import Cost

COST = Cost(2.8, 0.072, 1.5)

UNITS, CODE = 128, 8


def build(shape: tuple[int, ...], classes: int) -> Any:
    import math

    import tf_keras

    layers, features = tf_keras.layers, math.prod(shape)
    stack = [layers.Input(shape), layers.Reshape((1, 1, features))]
    for units in (*[UNITS] * 4, CODE, *[UNITS] * 4):
        stack += [layers.Conv2D(units, 1), layers.BatchNormalization(), layers.ReLU()]
    return tf_keras.Sequential([*stack, layers.Conv2D(features, 1), layers.Flatten()])
