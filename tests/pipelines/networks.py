"""Networks that the tests of pipelines share, beside those that are shipped."""

import hashlib

import numpy as np
import tensorflow as tf
import tf_keras

from bench.pipelines import streams, train
from bench.pipelines.calibration import positions

layers = tf_keras.layers

SHAPE, CLASSES, SCALE = (8, 8, 1), 10, 16.0


def stack(*between):
    """build(shape, classes) of these layers, made anew each time, with a dense layer behind."""

    def build(shape, classes):
        made = [make() for make in between]
        return tf_keras.Sequential(
            [layers.Input(shape), *made, layers.Flatten(), layers.Dense(classes)]
        )

    return build


def separable(shape, classes):
    return stack(
        lambda: layers.Conv2D(6, 3, padding="same", activation="relu"),
        lambda: layers.SeparableConv2D(8, 3, padding="same", activation="relu"),
        layers.MaxPooling2D,
        lambda: layers.SeparableConv2D(8, 3, padding="same", use_bias=False),
        layers.BatchNormalization,
        layers.ReLU,
        layers.GlobalAveragePooling2D,
    )(shape, classes)


def twins(shape, classes):
    """Layers of equal configuration, a depthwise one with batch normalization, a transposed one."""
    return stack(
        lambda: layers.Conv2D(4, 3, padding="same", activation="relu"),
        lambda: layers.Conv2D(4, 3, padding="same", activation="relu"),
        lambda: layers.Conv2D(4, 3, padding="same", activation="relu"),
        lambda: layers.DepthwiseConv2D(3, use_bias=False),
        layers.BatchNormalization,
        lambda: layers.Activation("relu"),
        lambda: layers.Conv2DTranspose(3, 3),
        layers.BatchNormalization,
    )(shape, classes)


def branches(shape, classes):
    """A functional model in which two branches of equal layers are joined."""
    inputs = layers.Input(shape)
    ends = []
    for _ in range(2):
        x = layers.Conv2D(3, 3, use_bias=False)(inputs)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        ends.append(layers.Dropout(0.5)(x))
    x = layers.Concatenate()(ends)
    return tf_keras.Model(inputs, layers.Dense(classes)(layers.Flatten()(x)))


def nested(shape, classes):
    """A model within a model within a model, dropout and batch normalization in each."""

    def block(within=None):
        made = [layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization()]
        return tf_keras.Sequential([*made, layers.Dropout(0.3), *([within] if within else [])])

    return stack(lambda: block(block()), lambda: layers.Dropout(0.2))(shape, classes)


def examples(n, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(1, 17, (n, *SHAPE), dtype=np.uint8)
    return x, rng.integers(0, CLASSES, n).astype(np.int32)


def tensors(n, seed=0):
    x, y = examples(n, seed)
    return tf.constant(x), tf.constant(y)


def trainer_of(build, float_model=None, optimizer="sgd"):
    return train.Trainer(build, SHAPE, CLASSES, optimizer, SCALE, float_model)


def trained(trainer, seed=3, epochs=(0, 1), n=40):
    """The state after these epochs of 16 examples a step, from the seed's initialization."""
    x, y = tensors(n)
    trainer.load(trainer.initial(seed, {}))
    orders = [streams.data_order(n, epoch, seed, {}) for epoch in epochs]
    trainer.run(x, y, orders, 16, 1e-2, [streams.noise(epoch, seed, {}) for epoch in epochs])
    return trainer.state


def named_weights(trainer, state):
    """A state's weights and ranges by the names that they have in this process."""
    return {v.name: a for v, a in zip(trainer.model.weights, state.weights, strict=True)}


def digest(state):
    arrays = (*state.weights, *state.optimizer)
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def drawn(n, count, seed=0, pin=None):
    """The training examples, of n, that a seed calibrates on."""
    rng = np.random.default_rng(streams.calibration(seed, pin or {}, 0))
    return positions("random", np.zeros(n, int), 1, count, rng)
