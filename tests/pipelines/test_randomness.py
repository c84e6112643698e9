"""What layers draw depends on seed, epoch, step and layer alone; the rest is refused by name."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from scipy import stats

from bench import models
from bench.pipelines import cell, streams, train
from tests.pipelines import networks
from tests.pipelines.networks import CLASSES, SHAPE, digest, layers, trained, trainer_of

FEATURES = int(np.prod(SHAPE))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    cell.prepare()


def noisy(shape, classes):
    """A layer of each kind that draws, some within models within models."""
    return networks.stack(
        lambda: layers.RandomFlip(),
        lambda: layers.RandomTranslation(0.2, 0.2),
        lambda: layers.RandomRotation(0.1),
        lambda: layers.RandomContrast(0.1),
        lambda: layers.GaussianNoise(0.1),
        lambda: networks.nested(shape, 16),
        lambda: layers.Reshape((4, 4, 1)),
        lambda: layers.SpatialDropout2D(0.2),
        lambda: layers.GaussianDropout(0.2),
        lambda: layers.AlphaDropout(0.2),
        lambda: layers.TimeDistributed(layers.Dropout(0.2)),
    )(shape, classes)


def recurrent(shape, classes):
    return networks.stack(
        lambda: layers.Reshape(shape[:2]),
        lambda: layers.Bidirectional(layers.LSTM(5, dropout=0.2, return_sequences=True)),
        lambda: layers.RNN(layers.GRUCell(5, dropout=0.2, recurrent_dropout=0.2)),
    )(shape, classes)


def attentive(shape, classes):
    inputs = layers.Input(shape)
    x = layers.Reshape(shape[:2])(inputs)
    x = layers.MultiHeadAttention(2, 4, dropout=0.3)(x, x)
    return tf_keras.Model(inputs, layers.Dense(classes)(layers.Flatten()(x)))


KINDS = {"noisy": noisy, "recurrent": recurrent, "attentive": attentive}


@pytest.fixture(scope="module")
def fresh():
    """The digests of `trained` for each kind, in a process that has done nothing else."""
    program = (
        "from tests.pipelines import test_randomness as t; t.cell.prepare()\n"
        "for kind in reversed(t.KINDS):\n"
        "    print(kind, t.digest(t.trained(t.trainer_of(t.KINDS[kind]))))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        cwd=Path(__file__).parents[2],
    )
    return dict(line.split() for line in ran.stdout.splitlines())


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_in_a_fresh_process_and_after_other_work(kind, fresh):
    tf_keras.utils.set_random_seed(99)
    models.get("tutorial_cnn").build(SHAPE, CLASSES)
    tf.random.normal((7,)), np.random.rand(), random.random()  # noqa: NPY002
    trained(trainer_of(networks.branches), 5)
    trainer = trainer_of(KINDS[kind])
    trained(trainer, 4, (2,))  # another seed, another epoch
    here = digest(trained(trainer))
    assert here == digest(trained(trainer))
    assert here != digest(trained(trainer, 4))
    assert here == fresh[kind]


def masks(trainer, seed, epoch, weights=None, steps=2):
    """bool (steps, features): which inputs of the last layer each step kept, one example a step.

    The gradient of a dense kernel is zero in the rows whose input was dropped. A run of one step
    more shows what that step changed.
    """
    x = tf.constant(np.full((CLASSES, *SHAPE), 16, np.uint8))
    y = tf.constant(np.arange(CLASSES, dtype=np.int32))
    start = trainer.forked(weights or trainer.initial(1, {}).weights)
    kept = []
    for last in range(steps + 1):
        trainer.load(start)
        noise = [streams.noise(epoch, seed, {})]
        trainer.run(x, y, [np.arange(last, dtype=np.int32)], 1, 1e-3, noise)
        kept.append(trainer.float_weights(trainer.state)[-2])
    return np.any(np.abs(np.diff(kept, axis=0)) > 1e-7, axis=2)


def dropping(rate):
    return networks.stack(lambda: layers.Dropout(rate))


def test_masks_differ_between_epochs_steps_and_seeds():
    trainer = trainer_of(dropping(0.5))
    one = masks(trainer, 1, 0)
    assert one.shape == (2, FEATURES)
    assert np.array_equal(one, masks(trainer, 1, 0))
    others = [masks(trainer, 1, 1), masks(trainer, 2, 0)]
    drawn = [*one, *(mask for other in others for mask in other)]
    # Two masks of 64 fair coins are equal once in 2**64.
    assert len({mask.tobytes() for mask in drawn}) == len(drawn) == 6


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_the_share_that_is_dropped_is_the_rate(rate):
    trainer = trainer_of(dropping(rate))
    kept = np.array([masks(trainer, seed, 0) for seed in range(10)])
    low, high = stats.binom.ppf([0.0005, 0.9995], kept.size, 1 - rate)
    assert low <= kept.sum() <= high


def test_float_and_qat_see_the_same_masks():
    base = trainer_of(dropping(0.5))
    quantized = trainer_of(dropping(0.5), base.model)
    weights = base.initial(1, {}).weights
    for seed, epoch in ((1, 0), (1, 3), (2, 0)):
        assert np.array_equal(
            masks(base, seed, epoch, weights), masks(quantized, seed, epoch, weights)
        )


def test_layers_have_masks_of_their_own_and_the_same_ones_in_both_arms():
    """By the layers' outputs: ones go in, zeros are what was dropped."""

    def build(shape, classes):
        inputs = layers.Input(shape)
        # Made in the order opposite to that in which they are connected.
        late, early = layers.Dropout(0.5), layers.Dropout(0.5)
        x = late(layers.Flatten()(early(inputs)))
        return tf_keras.Model(inputs, layers.Dense(classes)(x))

    def dropped(trainer):
        trainer.randomness.begin(streams.noise(2, 6, {}))
        found = [x for x in trainer.model._flatten_layers() if type(x) is layers.Dropout]
        with trainer.randomness.controlled():
            ones = tf.ones((5, 64))
            return {x.name: x(ones, training=True).numpy() == 0 for x in found}

    base = trainer_of(build)
    quantized = trainer_of(build, base.model)
    ours, theirs = dropped(base), dropped(quantized)
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    first, second = ours.values()
    assert not np.array_equal(first, second)


def test_a_shared_layer_draws_twice_a_step():
    def build(shape, classes):
        inputs = layers.Input(shape)
        shared = layers.Dropout(0.5)
        x = layers.Flatten()(layers.Concatenate()([shared(inputs), shared(inputs)]))
        return tf_keras.Model(inputs, layers.Dense(classes)(x))

    trainer = trainer_of(build)
    kept = masks(trainer, 1, 0, steps=1).reshape(-1, 2)
    assert not np.array_equal(kept[:, 0], kept[:, 1])


def test_a_layer_within_a_loop_draws_anew_at_each_turn():
    class Cell(layers.Layer):
        state_size = output_size = 1

        def __init__(self):
            super().__init__()
            self.drop = layers.Dropout(0.5)

        def call(self, x, states, training=None):
            out = self.drop(tf.ones_like(x[:, :1]), training=training)
            return out, [out]

    build = networks.stack(
        lambda: layers.Reshape((FEATURES, 1)), lambda: layers.RNN(Cell(), return_sequences=True)
    )
    trainer = trainer_of(build)
    kept = masks(trainer, 1, 0, steps=1)
    low, high = stats.binom.ppf([0.0005, 0.9995], FEATURES, 0.5)
    assert low <= kept.sum() <= high  # one mask for all turns would give 0 or 64


def test_one_graph_serves_all_epochs_and_seeds():
    trainer = trainer_of(networks.branches)
    trained(trainer, 3, (0, 1, 2))
    trained(trainer, 4)
    assert trainer._epochs[train.PLAIN].experimental_get_tracing_count() == 1


def test_epochs_without_a_stream_are_an_error_where_layers_draw():
    trainer = trainer_of(dropping(0.5))
    x, y = networks.tensors(4)
    with pytest.raises(ValueError, match="dropout"):
        trainer.run(x, y, [np.arange(4, dtype=np.int32)], 4, 1e-3)


def test_after_tracing_the_layers_are_as_they_were():
    """Keras's generators are back after tracing: inference, saving, conversion see no change."""
    trainer = trainer_of(noisy)
    trained(trainer)
    for layer in trainer.model._flatten_layers():
        generator = vars(layer).get("_random_generator")
        if generator is not None:
            assert "make_seed_for_stateless_op" not in vars(generator)
        assert "call" not in vars(layer)
    x, _ = networks.examples(9)
    assert np.array_equal(trainer.logits(x), trainer.logits(x))


def test_autograph_traces_control_too():
    """A layer whose Python branches on tensors: no graph is traced without AutoGraph."""

    class Branching(layers.Layer):
        def call(self, x):
            if tf.reduce_sum(x) > 0:
                x = 2 * x
            return x

    trainer = trainer_of(networks.stack(Branching, lambda: layers.Dropout(0.5)))
    first = digest(trained(trainer))
    assert first == digest(trained(trainer))
    assert first != digest(trained(trainer, epochs=(0, 2)))
    kept = masks(trainer, 1, 0)
    assert 0 < kept.sum() < kept.size


def test_keras_own_generator_in_a_layer_of_somebodys_own_is_controlled():
    class Jitter(layers.Layer):
        def __init__(self):
            super().__init__()
            self.source = tf_keras.src.backend.RandomGenerator()

        def call(self, x, training=None):
            return x + self.source.random_normal(tf.shape(x)) if training else x

    trainer = trainer_of(networks.stack(Jitter))
    assert digest(trained(trainer)) == digest(trained(trainer))
    assert digest(trained(trainer)) != digest(trained(trainer, epochs=(0, 2)))


def test_a_weight_that_counts_steps_is_part_of_the_state():
    class Fading(layers.Layer):
        def build(self, _):
            self.steps = self.add_weight("steps", (), initializer="zeros", trainable=False)

        def call(self, x, training=None):
            if training:
                self.steps.assign_add(1.0)
            return x / (1.0 + self.steps)

    trainer = trainer_of(networks.stack(Fading))
    first = digest(trained(trainer))
    trained(trainer, 4)
    assert first == digest(trained(trainer))


def test_constants_that_a_layer_draws_when_it_is_built_are_the_same_everywhere():
    class Projection(layers.Layer):
        def __init__(self):
            super().__init__()
            self.matrix = np.random.rand(FEATURES, 8).astype(np.float32)  # noqa: NPY002

        def call(self, x):
            return tf.reshape(x, (-1, FEATURES)) @ self.matrix

    build = networks.stack(Projection)
    first = digest(trained(trainer_of(build)))
    np.random.rand(5)  # noqa: NPY002
    assert first == digest(trained(trainer_of(build)))


def test_other_optimizers_and_learning_rates_in_a_process_change_no_bit():
    """Graphs of one trainer share nothing with those of another."""
    mine = trainer_of(networks.branches, optimizer="adam")
    first = digest(trained(mine))
    for optimizer in ("sgd", "adam"):
        trained(trainer_of(networks.branches, optimizer=optimizer), 8)
    x, y = networks.tensors(40)
    mine.run(x, y, [np.arange(40, dtype=np.int32)], 40, 0.5, [streams.noise(9, 9, {})])
    assert first == digest(trained(mine))
    assert first == digest(trained(trainer_of(networks.branches, optimizer="adam")))


def test_a_seed_is_part_of_no_layer():
    """A layer's own `seed` says nothing here: the study's seed decides."""
    same = [
        digest(trained(trainer_of(networks.stack(lambda s=seed: layers.Dropout(0.5, seed=s)))))
        for seed in (None, 1, 2)
    ]
    assert len(set(same)) == 1
