"""A small network with depthwise convolutions on mine.npz"""

import numpy as np
import tf_keras

study = dict(seeds=10, budgets=[4, 16], batch_norm_momentum=[0.9])


def data():
    d = np.load("mine.npz")
    return (d["x_train"], d["y_train"]), (d["x_test"], d["y_test"])


def model(shape, classes):
    layers = tf_keras.layers
    stack = [layers.Input(shape)]
    for filters in (16, 32):
        stack += [
            layers.DepthwiseConv2D(3, padding="same"),
            layers.Conv2D(filters, 1, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]
    return tf_keras.Sequential([*stack, layers.GlobalAveragePooling2D(), layers.Dense(classes)])
