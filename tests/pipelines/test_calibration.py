"""`qat-cal`'s ranges against plain Keras: pass by pass, layer by layer; momentum of averages."""

import numpy as np
import pytest
import tf_keras

from bench import models
from bench.pipelines import batch_norm, cell, streams, train
from tests.pipelines import networks
from tests.pipelines.networks import CLASSES, SCALE, SHAPE, layers


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    cell.prepare()


def dropping(shape, classes):
    return networks.stack(
        lambda: layers.Conv2D(4, 3, use_bias=False),
        layers.BatchNormalization,
        layers.ReLU,
        lambda: layers.Dropout(0.5),
        lambda: layers.Conv2D(4, 3, activation="relu"),
        lambda: layers.SpatialDropout2D(0.5),
    )(shape, classes)


CHAINS = {
    "bncnn": models.get("bncnn").build,
    "tutorial_cnn": models.get("tutorial_cnn").build,
    "twins": networks.twins,
    "dropping": dropping,
}


def pair(build):
    """(float trainer, its quantized one), after an epoch: averages are on their way."""
    base = train.Trainer(build, SHAPE, CLASSES, "adam", SCALE)
    x, y = networks.tensors(64)
    base.load(base.initial(2, {}))
    base.run(x, y, [streams.data_order(64, 0, 2, {})], 16, 1e-2, [streams.noise(0, 2, {})])
    quantized = train.Trainer(build, SHAPE, CLASSES, "adam", SCALE, base.model)
    quantized.load(quantized.forked(base.state.weights))
    return base, quantized


def expected(base, build, x, batch):
    """The oracle: {layer: (least, greatest)} of what each layer of a chain gives, zero included.

    A fresh Keras model is called layer by layer on each whole batch.
    """
    model = build(SHAPE, CLASSES)
    model.set_weights(base.state.weights)
    names = [layer.name for layer in base.model.layers]
    extremes = {name: [0.0, 0.0] for name in ("input", *names)}
    size = min(batch, len(x))
    for number in range(len(x) // size):
        tensor = x[number * size : (number + 1) * size].astype(np.float32) / np.float32(SCALE)
        steps = [("input", lambda t: t)]
        for name, layer in zip(names, model.layers, strict=True):
            if isinstance(layer, layers.Dropout):
                steps.append((name, lambda t: t))
            elif isinstance(layer, layers.BatchNormalization):
                steps.append((name, lambda t, layer=layer: layer(t, training=True)))
            else:
                steps.append((name, layer))
        for name, step in steps:
            tensor = step(tensor)
            low, high = extremes[name]
            extremes[name] = [min(low, np.min(tensor)), max(high, np.max(tensor))]
    return extremes


def equal(ours, theirs):
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def check(quantized, extremes):
    """Every range of an activation is the oracle's. Returns how many there are."""
    ranges = networks.named_weights(quantized, quantized.state)
    number = 0
    for name, high in ranges.items():
        scope, _, variable = name.partition("/")
        layer = "input" if scope.startswith("quantize_layer") else scope.removeprefix("quant_")
        if variable.endswith("_max:0") and "kernel" not in variable:
            low = ranges[name.replace("_max:0", "_min:0")]
            assert np.isclose(low, extremes[layer][0], rtol=1e-4, atol=1e-6), name
            assert np.isclose(high, extremes[layer][1], rtol=1e-4, atol=1e-6), name
            number += 1
    return number


@pytest.mark.parametrize("name", CHAINS)
def test_ranges_are_what_plain_keras_takes_on_each_batch(name):
    base, quantized = pair(CHAINS[name])
    x, _ = networks.examples(45, 5)  # two whole batches of 20; five examples are left out
    x[40:] = 16 * (x[40:] % 2)  # they would widen the ranges
    before = quantized.float_weights(quantized.state)
    quantized.calibrate(x, 20)
    assert check(quantized, expected(base, CHAINS[name], x, 20)) >= 3
    after = quantized.float_weights(quantized.state)
    assert equal(before, after)
    # The weights' ranges are set as well: TFMOT's are symmetric.
    ranges = networks.named_weights(quantized, quantized.state)
    dense = base.model.layers[-1].name
    kernel = base.state.weights[-2]
    assert np.isclose(ranges[f"quant_{dense}/kernel_max:0"], np.abs(kernel).max())


def test_a_network_with_branches_is_calibrated_like_its_keras_model():
    build = models.get("resnet8").build
    base, quantized = pair(build)
    x, _ = networks.examples(24, 6)
    quantized.calibrate(x, 8)
    model = build(SHAPE, CLASSES)
    model.set_weights(base.state.weights)
    outputs = tf_keras.Model(model.input, [layer.output for layer in model.layers])
    names = ["input", *(layer.name for layer in base.model.layers[1:])]
    batches = x.reshape(3, 8, *SHAPE).astype(np.float32) / np.float32(SCALE)
    seen = [outputs(batch, training=True) for batch in batches]
    extremes = {
        name: (min(0, *map(np.min, tensors)), max(0, *map(np.max, tensors)))
        for name, tensors in zip(names, zip(*seen, strict=True), strict=True)
    }
    assert check(quantized, extremes) >= 10


def test_fewer_examples_than_a_batch_are_one_batch():
    _, quantized = pair(CHAINS["bncnn"])
    x, _ = networks.examples(12, 7)
    quantized.calibrate(x, 32)
    few = quantized.state
    quantized.calibrate(x, 12)
    assert all(
        np.array_equal(a, b) for a, b in zip(few.weights, quantized.state.weights, strict=True)
    )


def test_ranges_do_not_depend_on_what_was_calibrated_before():
    base, quantized = pair(CHAINS["dropping"])
    x, _ = networks.examples(32, 9)
    quantized.calibrate(x, 16)
    first = quantized.state
    quantized.calibrate(16 - x // 2, 8)
    quantized.load(quantized.forked(base.state.weights))
    quantized.calibrate(x, 16)
    assert all(
        np.array_equal(a, b) for a, b in zip(first.weights, quantized.state.weights, strict=True)
    )


def test_a_layer_that_is_used_twice_has_the_range_of_both_uses():
    def build(shape, classes):
        inputs = layers.Input(shape)
        shared = layers.Conv2D(1, 3, padding="same", activation="relu", name="shared")
        x = layers.Flatten()(shared(shared(inputs)))
        return tf_keras.Model(inputs, layers.Dense(classes)(x))

    base = train.Trainer(build, SHAPE, CLASSES, "adam", SCALE)
    quantized = train.Trainer(build, SHAPE, CLASSES, "adam", SCALE, base.model)
    weights = list(base.start.weights)
    weights[0] = np.full_like(weights[0], 0.01)  # the second use gives less than the first
    quantized.load(quantized.forked(tuple(weights)))
    x, _ = networks.examples(16, 1)
    quantized.calibrate(x, 16)
    base.load(train.State(tuple(weights), base.start.optimizer))
    first = base.model.get_layer("shared")(x.astype(np.float32) / np.float32(SCALE))
    ranges = networks.named_weights(quantized, quantized.state)
    assert np.isclose(ranges["quant_shared/post_activation_max:0"], np.max(first), rtol=1e-5)


def test_a_float_trainer_has_no_ranges():
    base = train.Trainer(CHAINS["tutorial_cnn"], SHAPE, CLASSES, "adam", SCALE)
    with pytest.raises(ValueError, match="no ranges"):
        base.calibrate(networks.examples(8)[0], 8)


class Subclass(layers.BatchNormalization):
    pass


def averaging(shape, classes):
    within = tf_keras.Sequential([layers.Conv2D(2, 3), layers.BatchNormalization(momentum=0.7)])
    return networks.stack(
        layers.BatchNormalization,
        lambda: within,
        Subclass,
        lambda: layers.TimeDistributed(layers.BatchNormalization()),
        lambda: layers.BatchNormalization(synchronized=True),
    )(shape, classes)


def momenta(model):
    return [x.momentum for x in model._flatten_layers() if hasattr(x, "momentum")]


def test_momentum_reaches_every_batch_normalization_or_none():
    model = averaging(SHAPE, CLASSES)
    assert batch_norm.set_momentum(model, None) == 5
    assert momenta(model) == [0.99, 0.7, 0.99, 0.99, 0.99]
    assert batch_norm.set_momentum(model, 0.5) == 5
    assert momenta(model) == [0.5] * 5
    assert batch_norm.set_momentum(models.get("tutorial_cnn").build(SHAPE, 3), 0.5) == 0


@pytest.mark.parametrize("momentum", [None, 0.5, 0.9])
def test_a_step_leaves_that_much_of_the_averages_in_float_and_qat(momentum):
    build = networks.stack(lambda: layers.Conv2D(2, 3, use_bias=False), layers.BatchNormalization)
    base = train.Trainer(build, SHAPE, CLASSES, "sgd", SCALE, None, momentum)
    quantized = train.Trainer(build, SHAPE, CLASSES, "sgd", SCALE, base.model)
    x, y = networks.tensors(32)
    start = base.initial(1, {})
    base.load(start)
    mean = np.mean(base.model.layers[0](base.inputs(x)), axis=(0, 1, 2))
    place = [v.name.endswith("moving_mean:0") for v in base.model.weights].index(True)
    for trainer in (base, quantized):
        assert len(batch_norm.layers_of(trainer.model)) == 1
        trainer.load(trainer.forked(start.weights))
        trainer.run(x, y, [np.arange(32, dtype=np.int32)], 32, 1e-3)
        average = trainer.float_weights(trainer.state)[place]
        # QAT's kernel and input have eight bits.
        tolerance = 1e-4 if trainer is base else 5e-2
        assert np.allclose(average, (1 - (momentum or 0.99)) * mean, rtol=tolerance)
