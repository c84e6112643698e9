"""The graph loop is the plain loop; states go on anywhere with the same bits; streams are apart."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from bench import datasets, models
from bench.pipelines import cell, streams, train
from tests.pipelines import networks

SHAPE, CLASSES, SCALE = (8, 8, 1), 10, 16.0
# 100 examples at batch 32: three whole steps and one of four examples.
EXAMPLES, BATCH, RATE = 100, 32, 1e-3


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    cell.prepare()


@pytest.fixture(scope="module")
def data():
    digits = datasets.load("digits")
    return digits.x_train[:EXAMPLES], digits.y_train[:EXAMPLES]


@pytest.fixture(scope="module")
def base():
    return train.Trainer(models.get("bncnn").build, SHAPE, CLASSES, "adam", SCALE)


@pytest.fixture(scope="module")
def quantized(base):
    return train.Trainer(models.get("bncnn").build, SHAPE, CLASSES, "adam", SCALE, base.model)


def orders(epochs, seed=3):
    return [streams.data_order(EXAMPLES, epoch, seed, {}) for epoch in epochs]


def run(trainer, data, epochs):
    trainer.run(tf.constant(data[0]), tf.constant(data[1]), orders(epochs), BATCH, RATE)


def equal(a: train.State, b: train.State) -> bool:
    pairs = zip((*a.weights, *a.optimizer), (*b.weights, *b.optimizer), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


def plain_loop(model, data, epochs):
    """The oracle: a Python loop over batches cut by NumPy, an eager tape, a stock optimizer."""
    x, y = data[0].astype(np.float32) / np.float32(SCALE), data[1]
    optimizer = tf_keras.optimizers.Adam(RATE)
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for order in orders(epochs):
        for first in range(0, EXAMPLES, BATCH):
            chosen = order[first : first + BATCH]
            with tf.GradientTape() as tape:
                value = loss(y[chosen], model(x[chosen], training=True))
            gradients = tape.gradient(value, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return [v.numpy() for v in model.weights]


def test_float_training_is_the_plain_loop_bit_for_bit(base, data):
    start = base.initial(3, {})
    base.load(start)
    run(base, data, [0, 1])
    model = models.get("bncnn").build(SHAPE, CLASSES)
    model.set_weights(start.weights)
    expected = plain_loop(model, data, [0, 1])
    assert all(np.array_equal(a, b) for a, b in zip(base.state.weights, expected, strict=True))


def test_qat_is_the_plain_loop_on_a_fresh_quantize_model_bit_for_bit(base, quantized, data):
    start = base.initial(4, {})
    quantized.load(quantized.forked(start.weights))
    run(quantized, data, [0])
    model = models.get("bncnn").build(SHAPE, CLASSES)
    model.set_weights(start.weights)
    fresh = tfmot.quantization.keras.quantize_model(model)
    # `optimizer_step` is TFMOT's and unused; Keras gives both models one order of variables.
    expected = plain_loop(fresh, data, [0])
    assert all(np.array_equal(a, b) for a, b in zip(quantized.state.weights, expected, strict=True))


@pytest.mark.parametrize("quantizes", [False, True])
def test_a_graph_that_was_traced_ahead_is_the_one_that_trains(base, data, quantizes):
    fresh = train.Trainer(
        models.get("bncnn").build, SHAPE, CLASSES, "adam", SCALE, base.model if quantizes else None
    )
    fresh.trace(tf.constant(data[0]), tf.constant(data[1]))
    assert equal(fresh.state, fresh.start), "no step was taken"
    run(fresh, data, [0])
    assert not equal(fresh.state, fresh.start)
    assert fresh._epochs[train.PLAIN].experimental_get_tracing_count() == 1


def test_a_training_cut_in_two_is_the_same_training(base, data):
    base.load(base.initial(5, {}))
    run(base, data, [0, 1, 2])
    whole = base.state
    base.load(base.initial(5, {}))
    run(base, data, [0])
    middle = base.state
    base.load(base.initial(6, {}))  # another training in between
    run(base, data, [0, 1])
    base.load(middle)
    run(base, data, [1, 2])
    assert equal(base.state, whole)


def test_initial_weights_are_the_seeds_alone(base):
    first = base.initial(7, {})
    models.get("resnet8").build(SHAPE, CLASSES)
    tf.random.uniform(())
    assert equal(base.initial(7, {}), first)
    assert not equal(base.initial(8, {}), first)
    assert equal(base.initial(8, {"initialization": 7}), first)
    assert equal(base.initial(7, {"order": 1}), first)


def test_a_fork_has_the_floats_weights_and_a_fresh_optimizer(base, quantized, data):
    base.load(base.initial(9, {}))
    run(base, data, [0])
    named = networks.named_weights(base, base.state)
    for trainer in (base, quantized):
        forked = trainer.forked(base.state.weights)
        assert all(not np.any(slot) for slot in forked.optimizer)
        there = networks.named_weights(trainer, forked)  # of this network TFMOT leaves the names
        assert all(np.array_equal(there[name], value) for name, value in named.items())
    ranges = networks.named_weights(quantized, quantized.forked(base.state.weights))
    # TFMOT 0.8.1 starts observers at [-6, 6] (quantizers.py, _QuantizeHelper).
    outputs = {name: float(v) for name, v in ranges.items() if "/output_m" in name}
    assert len(outputs) == 8  # three ReLU and the pooling
    assert all(v == (-6 if "_min" in name else 6) for name, v in outputs.items())


def test_every_epoch_sees_every_example_once_in_an_order_of_its_own():
    first, second = (streams.data_order(50, epoch, 1, {}) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(range(50))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, streams.data_order(50, 0, 2, {}))
    assert np.array_equal(first, streams.data_order(50, 0, 2, {"order": 1}))


def test_streams_are_those_of_seedsequence_spawn():
    children = np.random.SeedSequence(11).spawn(len(streams.STREAMS))
    for name, child in zip(streams.STREAMS, children, strict=True):
        assert np.array_equal(
            streams.stream(name, 11, {}).generate_state(4), child.generate_state(4)
        )


def test_the_calibration_draw_has_no_repeats_and_a_pin():
    draw = networks.drawn(1000, 200, 5, {})
    assert len(set(draw.tolist())) == 200
    assert np.array_equal(draw, networks.drawn(1000, 200, 6, {"calibration": 5}))
    assert np.array_equal(draw[:50], networks.drawn(1000, 50, 5, {}))
    assert len(networks.drawn(100, 200, 5, {})) == 100


def test_a_layer_that_branches_on_tensors_is_traced_with_autograph(data):
    class Branching(tf_keras.layers.Layer):
        def call(self, x):
            if tf.reduce_sum(x) > 0:
                x = 2 * x
            return x

    def build(shape, classes):
        layers = tf_keras.layers
        return tf_keras.Sequential(
            [layers.Input(shape), layers.Flatten(), Branching(), layers.Dense(classes)]
        )

    trainer = train.Trainer(build, SHAPE, CLASSES, "adam", SCALE)
    start = trainer.initial(3, {})
    trainer.load(start)
    run(trainer, data, [0])
    expected = plain_loop(rebuilt(build, start), data, [0])
    assert all(np.array_equal(a, b) for a, b in zip(trainer.state.weights, expected, strict=True))


def rebuilt(build, start):
    model = build(SHAPE, CLASSES)
    model.set_weights(start.weights)
    return model


def test_a_model_that_tfmot_refuses_is_unsupported():
    class Own(tf_keras.layers.Layer):  # no QuantizeConfig is registered for it
        def call(self, x):
            return x

    def build(shape, classes):
        layers = tf_keras.layers
        return tf_keras.Sequential(
            [layers.Input(shape), Own(), layers.Flatten(), layers.Dense(classes)]
        )

    refused = train.Trainer(build, SHAPE, CLASSES, "adam", SCALE)
    with pytest.raises(train.Unsupported):
        train.Trainer(build, SHAPE, CLASSES, "adam", SCALE, refused.model)
