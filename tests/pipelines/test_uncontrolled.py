"""Randomness and hidden state that no seed determines are refused by name, and nothing else is."""

import random

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bench.pipelines import cell, train
from tests.pipelines import networks
from tests.pipelines.networks import SHAPE, digest, layers, trained, trainer_of


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    cell.prepare()


class Own(layers.Layer):
    """A layer of somebody's own; `draw` is what it adds to its input while training."""

    draw = staticmethod(lambda x: 0.0)

    def call(self, x, training=None):
        return x + self.draw(x) if training else x


def own(draw):
    return type("Own", (Own,), {"draw": staticmethod(draw)})


KEPT = np.random.default_rng(0)
COUNTER = []

UNCONTROLLED = {
    "tf.random": lambda x: tf.random.normal(tf.shape(x)),
    "seeded": lambda x: tf.random.uniform(tf.shape(x), seed=3),
    "dropout": lambda x: tf.nn.dropout(x, 0.5),
    "shuffle": lambda x: tf.random.shuffle(x),
    "in a branch": lambda x: tf.cond(
        tf.reduce_sum(x) > 0, lambda: tf.random.normal(tf.shape(x)), lambda: x
    ),
    "in a loop": lambda x: tf.map_fn(lambda one: one + tf.random.normal(()), x),
    "numpy": lambda x: np.random.rand(),  # noqa: NPY002
    "default_rng": lambda x: np.random.default_rng().normal(),
    "kept generator": lambda x: KEPT.normal(),
    "python": lambda x: random.random(),
    "stateless by chance": lambda x: tf.random.stateless_normal(
        tf.shape(x), [random.randrange(10**9), 0]
    ),
    "py_function": lambda x: tf.numpy_function(lambda: np.float32(0), (), tf.float32),
    "count of calls": lambda x: COUNTER.append(0) or float(len(COUNTER)),
}


@pytest.mark.parametrize("kind", UNCONTROLLED)
def test_what_cannot_be_controlled_is_refused_by_name(kind):
    made = own(UNCONTROLLED[kind])
    build = networks.stack(lambda: layers.Conv2D(2, 3), lambda: made(name="mine"))
    with pytest.raises(train.Uncontrolled, match=r"layer mine \(Own\)"):
        trainer_of(build)


PLAIN = {
    "LSTM": lambda: layers.LSTM(3),  # holds a version for GPUs that has a seed
    "GRU": lambda: layers.GRU(3),
    "normalization": lambda: layers.TimeDistributed(layers.LayerNormalization()),
    "renormalization": lambda: layers.BatchNormalization(renorm=True),
    "swish": lambda: layers.Dense(3, activation="swish"),
    "function": lambda: layers.Lambda(lambda x: x[:, ::2] * 2),
    "loss": lambda: layers.ActivityRegularization(0.1),
    "own": lambda: own(lambda x: tf.ones_like(x))(),
    "own and seeded": lambda: own(lambda x: tf.random.stateless_normal(tf.shape(x), [1, 2]))(),
    "fixed regions": lambda: layers.Lambda(
        lambda x: tf.nn.fractional_max_pool(x[..., None], [1, 1.5, 1.5, 1], seed=5)[0]
    ),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_what_draws_nothing_is_not_refused(kind):
    trainer = trainer_of(networks.stack(lambda: layers.Reshape(SHAPE[:2]), PLAIN[kind]))
    first = digest(trained(trainer))
    trained(trainer, 4)
    assert first == digest(trained(trainer))


def test_a_metric_of_a_layer_is_no_hidden_state():
    class Measured(layers.Layer):
        def call(self, x):
            self.add_metric(tf.reduce_mean(x), name="mean")
            self.add_loss(tf.reduce_mean(x**2))
            return x

    trained(trainer_of(networks.stack(Measured)))


def test_randomness_in_inference_is_refused():
    """Dropout that is always on is under control in training, but not in the converted file."""

    def build(shape, classes):
        inputs = layers.Input(shape)
        x = layers.Dropout(0.5, name="always")(layers.Flatten()(inputs), training=True)
        return tf_keras.Model(inputs, layers.Dense(classes)(x))

    with pytest.raises(train.Uncontrolled, match=r"layer always \(Dropout\) .* in inference"):
        trainer_of(build)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Lambda(lambda x: x + tf.random.normal(tf.shape(x)), name="mine"),
        lambda: layers.Dense(4, activation=lambda x: tf.nn.dropout(x, 0.5), name="mine"),
        lambda: layers.TimeDistributed(own(UNCONTROLLED["tf.random"])(name="mine")),
    ],
)
def test_functions_and_wrapped_layers_that_draw_are_refused_by_name(make):
    x, y = networks.tensors(8)
    with pytest.raises(train.Uncontrolled, match="layer mine"):
        trainer_of(networks.stack(make)).trace(x, y)


def test_a_regularizer_that_draws_is_refused_before_a_step():
    def draws(kernel):
        return tf.random.uniform(()) * tf.reduce_sum(kernel)

    build = networks.stack(lambda: layers.Dense(3, kernel_regularizer=draws, name="mine"))
    trainer = trainer_of(build)
    start = trainer.state
    with pytest.raises(train.Uncontrolled, match="RandomUniform"):
        trained(trainer)
    trainer.load(start)


def test_a_generator_of_a_layers_own_is_refused():
    class Drawing(layers.Layer):
        def __init__(self):
            super().__init__(name="mine")
            self.generator = tf.random.Generator.from_seed(1)

        def call(self, x, training=None):
            return x + self.generator.normal(tf.shape(x)) if training else x

    with pytest.raises(train.Uncontrolled, match="mine"):
        trainer_of(networks.stack(Drawing))


def test_a_hidden_variable_is_refused():
    hidden = tf.Variable(1.0, name="hidden")

    def draw(x):
        hidden.assign_add(1.0)
        return hidden

    made = own(draw)
    with pytest.raises(train.Uncontrolled, match="hidden"):
        trainer_of(networks.stack(lambda: made(name="mine")))


@pytest.mark.parametrize("draw", [np.random.default_rng, lambda: np.random.RandomState()])
def test_an_initializer_that_no_seed_reaches_is_refused(draw):
    def initializer(shape, dtype=None, **_):
        return tf.constant(draw().normal(size=tuple(shape)), dtype)

    build = networks.stack(lambda: layers.Dense(3, kernel_initializer=initializer, name="mine"))
    with pytest.raises(train.Uncontrolled, match="weight mine/kernel:0"):
        trainer_of(build).initial(1, {})


def test_an_initializer_that_draws_from_numpys_global_state_is_seeded():
    def initializer(shape, dtype=None, **_):
        return tf.constant(np.random.standard_normal(tuple(shape)), dtype)  # noqa: NPY002

    trainer = trainer_of(networks.stack(lambda: layers.Dense(3, kernel_initializer=initializer)))
    first = trainer.initial(1, {}).weights
    assert np.array_equal(first[0], trainer.initial(1, {}).weights[0])
    assert not np.array_equal(first[0], trainer.initial(2, {}).weights[0])
