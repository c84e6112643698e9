"""What a factor of a training does to it, where theory says it; and nothing else."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bench import datasets
from bench.pipelines import batch_norm, cell, modes, starts, streams, train, trainers
from bench.pipelines.modes import Course, Mode, Quantized
from bench.plan.cells import cells
from bench.plan.extent import Extent
from bench.plan.trajectories import trajectories
from bench.store.schema import EVALUATED
from bench.study import load
from tests.pipelines import networks

layers = tf_keras.layers

EXAMPLES, BATCH = 96, 32
STEPS = EXAMPLES // BATCH


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    cell.prepare()


@pytest.fixture(scope="module")
def data():
    return datasets.load("digits", EXAMPLES)


def piece(*overrides, arm="qat"):
    """The segment and the fork of one arm's cell."""
    made = load("digits", ["seeds=1", "budgets=1", f"arms={arm}", f"train_examples={EXAMPLES}",
                           "batch_norm_momentum=0.9", "calibration_examples=40",
                           *overrides])  # fmt: skip
    (trajectory,) = trajectories(cells(made))
    (segment,) = trajectory.segments
    return segment, segment.forks[0]


@pytest.fixture(scope="module")
def checkpoint(data):
    return cell.run_segment(data, piece()[0], None)


def weights_behind(data, checkpoint, *overrides, arm="qat", epochs=1):
    """Names and values of what a fork's training leaves."""
    segment, fork = piece(*overrides, arm=arm)
    trainer, state = starts.STARTS[fork.training](data, segment, fork, checkpoint)
    course = cell.course_of(data, fork, STEPS, epochs)
    state = trainers.trained(trainer, data, segment, state, course, 0, course.total, 1)
    return networks.named_weights(trainer, state)


def same(a, b, names=None):
    return all(np.array_equal(a[n], b[n]) for n in (names or a))


def ranges(named):
    """Of the activations: not of weights, and not of the model's input."""
    return {
        n: v for n, v in named.items()
        if ("output_m" in n or "post_activation_m" in n) and "quantize_layer" not in n
    }  # fmt: skip


def test_pieces_are_the_steps_in_order_each_once():
    quantized = Quantized(behind=2, ranges_frozen=9, activations_after=4)
    course = Course(Extent(70, 16), batch_norm_frozen=6, quantized=quantized)  # 5 steps an epoch
    found = list(course.pieces(3, 12, epoch=7))
    steps = [(p.epoch, s) for p in found for s in range(p.first, p.last)]
    assert steps == [(7 + n // 5, n % 5) for n in range(3, 12)]
    for p in found:
        for at in range(p.step, p.step + p.last - p.first):
            assert p.mode.batch_norm_frozen == (at >= 6)
            assert p.mode.ranges_frozen == (at + 2 >= 9)
            assert p.mode.activations == (at + 2 >= 4)
    assert Course(Extent(70, 16)).mode(3) == Mode() == train.PLAIN
    assert list(course.pieces(4, 4, 0)) == []


def test_schedules_are_what_they_say():
    cosine = Course(Extent(10, 1), 2.0, "cosine", total=101).rates(0.5, 0, 101)
    assert cosine[0] == 1
    assert cosine[-1] == pytest.approx(0.01)
    assert cosine[50] == pytest.approx(0.505)  # halfway from 1 to 0.01
    assert (np.diff(cosine) < 0).all()
    warm = Course(Extent(10, 1), 1.0, "warm-up", total=50).rates(0.5, 0, 50)
    assert warm[:6] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.5])
    whole = Course(Extent(10, 1), 1.0, "cosine", total=40)
    assert np.array_equal(whole.rates(1, 0, 40)[10:20], whole.rates(1, 10, 20))


def test_scheduled_steps_are_steps_of_these_rates(data):
    x, y = tf.constant(data.x_train), tf.constant(data.y_train)
    order = streams.data_order(EXAMPLES, 0, 1, {})
    rates = np.array([0.1, 0.02, 0.003], np.float32)
    one = networks.trainer_of(networks.stack())
    one.load(one.initial(1, {}))
    one.steps(x, y, order, BATCH, rates, mode=Mode(scheduled=True))
    at_once = one.state
    one.load(one.initial(1, {}))
    for step, rate in enumerate(rates):
        one.steps(x, y, order, BATCH, rates[step:], step, step + 1)
        assert float(one.optimizer.learning_rate) == rate
    assert networks.digest(one.state) == networks.digest(at_once)


def test_cold_ranges_keep_the_decays_share_of_their_start(data, checkpoint):
    """r <- d r + (1 - d) batch: two starts keep d**n of their distance while both see one batch
    stream; here what is left of [-6, 6] behind a ReLU, whose batches' minimum is 0 exactly."""
    for decay in (0.999, 0.9):
        named = weights_behind(data, checkpoint, f"qat_ranges_decay={decay}", epochs=2)
        lows = np.array([v for n, v in ranges(named).items() if "re_lu" in n and "_min" in n])
        assert len(lows) == 3
        assert lows == pytest.approx(-6 * decay ** (2 * STEPS), rel=1e-5)


def test_a_frozen_range_does_not_move(data, checkpoint):
    at_once = ranges(weights_behind(data, checkpoint, "qat_ranges_frozen=0"))
    assert len(at_once) >= 8
    assert all(v == (-6 if "_min" in n else 6) for n, v in at_once.items())
    later = ranges(weights_behind(data, checkpoint, "qat_ranges_frozen=2"))
    lows = np.array([v for n, v in later.items() if "re_lu" in n and "_min" in n])
    assert lows == pytest.approx(-6 * 0.999**2, rel=1e-6)
    never = weights_behind(data, checkpoint)
    assert same(weights_behind(data, checkpoint, "qat_ranges_frozen=50"), never)


def test_unquantized_activations_are_observed(data, checkpoint):
    """Before they are quantized their ranges move as ever."""
    plain = weights_behind(data, checkpoint, "extra_examples=32")  # one step
    passing = weights_behind(data, checkpoint, "extra_examples=32", "qat_activations_after=9")
    first = [n for n in ranges(plain) if "re_lu" in n and "re_lu_1" not in n and "re_lu_2" not in n]
    assert len(first) == 2
    for n in first:  # the first layer sees the same but for its input's rounding
        assert plain[n] == pytest.approx(passing[n], abs=1e-2)
    assert not same(plain, passing, [n for n in plain if "kernel:0" in n])
    assert same(weights_behind(data, checkpoint, "qat_activations_after=0"),
                weights_behind(data, checkpoint))  # fmt: skip


def test_frozen_batch_norm_keeps_its_statistics_and_trains_its_scale(data, checkpoint):
    for arm in ("float+k", "qat"):
        before = checkpoint.state.weights
        trainer = trainers.trainer_of(data, piece(arm=arm)[0], False)
        start = networks.named_weights(trainer, train.State(before, ()))
        frozen = weights_behind(data, checkpoint, "extra_batch_norm_frozen=0", arm=arm)
        statistics = [n for n in frozen if "moving_" in n]
        assert len(statistics) == 6
        assert same(frozen, start, statistics)
        assert not same(frozen, start, [n for n in frozen if "gamma" in n])
        later = weights_behind(data, checkpoint, "extra_batch_norm_frozen=1", arm=arm)
        assert not same(later, start, statistics)
        plain = weights_behind(data, checkpoint, arm=arm)
        assert same(weights_behind(data, checkpoint, "extra_batch_norm_frozen=99", arm=arm), plain)


def test_reestimated_statistics_are_the_mean_of_the_batches(data, checkpoint):
    """Of the first layer, whose inputs no other layer changes: computed by NumPy."""
    segment, _ = piece(arm="float+k")
    trainer = trainers.trainer_of(data, segment, False)
    trainer.load(checkpoint.state)
    kernel = trainer.model.weights[0].numpy()
    trainer.reestimate(data.x_train, BATCH)
    first = batch_norm.layers_of(trainer.model)[0]
    x = data.x_train.astype(np.float32) / data.scale
    made = tf.nn.conv2d(x, kernel, 1, "SAME").numpy()
    order = datasets.fixed_permutation(EXAMPLES)
    parts = [made[np.sort(order[i : i + BATCH])] for i in range(0, EXAMPLES, BATCH)]
    n = parts[0][..., 0].size
    means = np.mean([p.mean((0, 1, 2)) for p in parts], 0)
    variances = np.mean([p.var((0, 1, 2)) * n / (n - 1) for p in parts], 0)
    assert first.moving_mean.numpy() == pytest.approx(means, rel=1e-4, abs=1e-5)
    assert first.moving_variance.numpy() == pytest.approx(variances, rel=1e-4, abs=1e-5)
    kept = networks.named_weights(trainer, trainer.state)
    plain = networks.named_weights(trainer, checkpoint.state)
    assert same(kept, plain, [n for n in kept if "moving" not in n])


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
def test_a_carried_over_optimizer_goes_on_where_it_was(data, optimizer):
    """The control with the optimizer's state is float training that was never interrupted."""
    overrides = (f"optimizer={optimizer}", "extra_optimizer_state=carried-over")
    segment, _ = piece(*overrides, arm="float+k")
    checkpoint = cell.run_segment(data, segment, None)
    control = weights_behind(data, checkpoint, *overrides, arm="float+k")
    longer, _ = piece(*overrides, "budgets=2", arm="float")
    trainer = trainers.trainer_of(data, segment, False)
    assert same(
        control, networks.named_weights(trainer, cell.run_segment(data, longer, None).state)
    )
    fresh = weights_behind(data, checkpoint, overrides[0], arm="float+k")
    assert same(control, fresh) == (optimizer == "sgd")  # without momentum it has no state


def test_an_optimizers_state_goes_with_its_weights_into_qat(data, checkpoint):
    """Matched by structure: with fake quantization off, QAT would go on as float training does."""
    segment, fork = piece("extra_optimizer_state=carried-over")
    trainer, state = starts.STARTS["qat"](data, segment, fork, checkpoint)
    base = trainers.trainer_of(data, segment, False)
    trainer.load(state)
    base.load(checkpoint.state)
    matched = 0
    for own, of in ((base.optimizer._momentums, trainer.optimizer._momentums),
                    (base.optimizer._velocities, trainer.optimizer._velocities)):  # fmt: skip
        for theirs, variable in zip(own, base.model.trainable_variables, strict=True):
            place = trainer.optimizer._index_dict[
                trainer.optimizer._var_key(
                    next(
                        v
                        for v in trainer.model.trainable_variables
                        if np.array_equal(np.ravel(v), np.ravel(variable))
                        and v.name.split("/")[-1] == variable.name.split("/")[-1]
                        and variable.name.split("/")[0] in v.name
                    )
                )
            ]
            assert np.array_equal(np.ravel(theirs), np.ravel(of[place]))
            matched += 1
    assert matched == 2 * len(base.model.trainable_variables)
    assert any(np.any(m) for m in trainer.optimizer._momentums)


def test_another_optimizers_state_cannot_be_carried_over(data, checkpoint):
    segment, fork = piece("extra_optimizer=sgd", "extra_optimizer_state=carried-over")
    (row,) = cell.run_fork(data, segment, fork, checkpoint)
    assert row["status"] == "unsupported"
    assert "the state of adam cannot be carried over to sgd" in row["error"]


def test_weight_decay_shrinks_kernels_and_nothing_else(data, checkpoint):
    """Decoupled: SGD at rate r with decay d takes r d of a kernel beside the gradient's share."""
    common = ("extra_optimizer=sgd", "extra_examples=32", "learning_rate=0.5")
    plain = weights_behind(data, checkpoint, *common, arm="float+k")
    decayed = weights_behind(data, checkpoint, *common, "extra_weight_decay=0.1", arm="float+k")
    trainer = trainers.trainer_of(data, piece(arm="float")[0], False)
    start = networks.named_weights(trainer, checkpoint.state)
    for name, value in start.items():
        taken = plain[name] - decayed[name]
        expected = 0.5 * 0.1 * value if value.ndim > 1 else 0 * value
        assert taken == pytest.approx(expected, abs=1e-6), name


def test_a_subset_and_a_batch_of_ones_own(data, checkpoint):
    segment, fork = piece("extra_examples=40", "extra_batch_size=16", arm="float+k")
    (row,) = cell.run_fork(data, segment, fork, checkpoint)
    assert row["steps"] == STEPS + 3
    assert row["examples_seen"] == EXAMPLES + 40
    assert row["extra_examples"] == 40


def test_qat_from_scratch_is_qat_from_the_first_step(data, checkpoint):
    named = weights_behind(data, checkpoint, "qat_start=scratch")
    lows = np.array([v for n, v in ranges(named).items() if "re_lu" in n and "_min" in n])
    assert lows == pytest.approx(-6 * 0.999 ** (2 * STEPS), rel=1e-5)  # E epochs and k
    segment, fork = piece("qat_start=scratch")
    (row,) = cell.run_fork(data, segment, fork, checkpoint)
    assert row["range_start_left"] == pytest.approx(0.999 ** (2 * STEPS))
    assert row["steps"] == 2 * STEPS


def test_calibrated_starts(data, checkpoint):
    """In inference mode ranges are what the model takes with its moving statistics."""
    segment, fork = piece("qat_ranges_start=calibrated-inference")
    trainer, state = starts.STARTS[fork.training](data, segment, fork, checkpoint)
    inference = ranges(networks.named_weights(trainer, state))
    by_name = {n: float(v) for n, v in inference.items()}
    base = trainers.trainer_of(data, segment, False)
    base.load(checkpoint.state)
    chosen = data.x_train[networks.drawn(EXAMPLES, 40, 0, {})][:32]  # whole batches
    x = tf.constant(chosen, tf.float32) / data.scale
    for layer in base.model.layers:
        x = layer(x, training=False)
        if isinstance(layer, layers.ReLU):
            mine = f"quant_{layer.name}/"
            (high,) = (v for n, v in by_name.items() if mine in n and "_max" in n)
            assert high == pytest.approx(float(tf.reduce_max(x)), rel=1e-5)
    training = piece("qat_ranges_start=calibrated")
    assert training[1].training == "qat-cal"
    assert training[1].cells[0].id == piece(arm="qat-cal")[1].cells[0].id


def noisy(shape, classes):
    return networks.stack(
        lambda: layers.RandomTranslation(0.3, 0.3),
        lambda: layers.Dropout(0.5),
    )(shape, classes)


def test_dropout_and_augmentation_are_switched_apart():
    x, y = networks.tensors(32)
    order = np.arange(32, dtype=np.int32)

    start = networks.trainer_of(noisy).initial(1, {})

    def trained(build, mode):
        trainer = networks.trainer_of(build)
        trainer.load(start)
        trainer.randomness.begin(*(streams.noise(0, 1, {}, of) for of in trainers.AUGMENTING))
        trainer.steps(x, y, order, 16, np.array([0.1], np.float32), mode=mode)
        return [w.tobytes() for w in trainer.state.weights]

    both = trained(noisy, Mode())
    no_dropout, no_augmentation = Mode(dropout=False), Mode(augmentation=False)
    neither = trained(noisy, Mode(dropout=False, augmentation=False))
    made = [both, trained(noisy, no_dropout), trained(noisy, no_augmentation), neither]
    assert len({tuple(m) for m in made}) == 4
    assert neither == trained(networks.stack(), Mode())


def test_a_pinned_stream_of_noise_holds_its_own_layers_alone():
    trainer = networks.trainer_of(noisy)

    def states(pin):
        trainer.randomness.begin(*(streams.noise(0, 5, pin, of) for of in trainers.AUGMENTING))
        return [tuple(s.numpy()) for _, _, s in trainer.randomness._sources]

    plain, dropout, augmentation = states({}), states({"dropout": 9}), states({"augmentation": 9})
    kinds = [name[0].startswith("dropout") for name in trainer.randomness.names]
    assert sorted(kinds) == [False, True]
    for at, is_dropout in enumerate(kinds):
        assert (plain[at] != dropout[at]) == is_dropout
        assert (plain[at] != augmentation[at]) == (not is_dropout)


def test_a_training_cut_in_the_middle_of_an_epoch_is_the_same_training(data):
    """With layers that draw: their counts travel with the state."""
    segment, _ = piece(arm="float")
    trainer = networks.trainer_of(noisy)
    course = modes.of_float(segment.recipe, EXAMPLES, 2)
    whole = trainers.trained(trainer, data, segment, trainer.initial(0, {}), course, 0, 6)
    state = trainer.initial(0, {})
    for start, end in ((0, 2), (2, 4), (4, 6)):
        state = trainers.trained(trainer, data, segment, state, course, start, end)
        trainer.load(trainer.initial(3, {}))
        trainer.randomness.begin(streams.noise(8, 8, {}))
    assert networks.digest(state) == networks.digest(whole)


def results(data, *overrides):
    """What is independent of the clock in each cell's row."""
    made = load("digits", ["seeds=1", f"train_examples={EXAMPLES}", "arms=[float,ptq,float+k,qat]",
                           "batch_norm_momentum=0.9", "calibration_examples=40",
                           "diagnostics=0", *overrides])  # fmt: skip
    (trajectory,) = trajectories(cells(made))
    before, rows = None, []
    for segment in trajectory.segments:
        before = cell.run_segment(data, segment, before)
        for fork in segment.forks:
            rows += cell.run_fork(data, segment, fork, before)
    kept = ("arm", "sha256", "predictions", "loss", "epochs", "steps", "examples_seen",
            "batch_norm_start_left", "range_start_left", "status")  # fmt: skip
    return [{name: row.get(name) for name in kept} for row in rows], rows


def test_steps_give_the_bits_of_the_epochs_that_they_make(data):
    in_epochs, by_epoch = results(data, "budgets=[1,2]", "extra=[1,2]")
    units = ("budget_unit=steps", "extra_unit=steps")
    in_steps, by_step = results(data, *units, "budgets=[3,6]", "extra=[3,6]")
    assert in_steps == in_epochs
    assert {row["status"] for row in in_steps} <= EVALUATED
    assert {row["budget_unit"] for row in by_step} == {"steps"}
    assert {row["extra_unit"] for row in by_step} == {"steps", None}
    assert {row["budget_unit"] for row in by_epoch} == {"epochs"}
    assert not {row["cell"] for row in by_step} & {row["cell"] for row in by_epoch}


def test_a_snapshot_within_an_epoch_changes_nothing_behind_it(data):
    alone, _ = results(data, "budget_unit=steps", "budgets=[5]", "extra=[1]")
    within, _ = results(data, "budget_unit=steps", "budgets=[1,5]", "extra=[1]")
    assert within[len(alone):] == alone  # fmt: skip
    first, last = within[0], alone[0]
    assert (first["steps"], first["examples_seen"], first["epochs"]) == (1, BATCH, None)
    assert (last["steps"], last["examples_seen"], last["epochs"]) == (5, EXAMPLES + 2 * BATCH, None)


def test_the_tutorials_qat_is_two_steps(data):
    tutorial = ("extra_examples=64", "extra_batch_size=32", "extra_unit=steps", "extra=[2]")
    found, _ = results(data, "budgets=[1]", *tutorial)
    for row in found:
        more = row["arm"] in ("qat", "float+k")
        assert row["steps"] == STEPS + 2 * more
        assert row["examples_seen"] == EXAMPLES + 64 * more
        assert row["epochs"] == 1 + more
