"""Functions beside a network: what they are given, what follows, and what they may not return."""

import re
from pathlib import Path

import numpy as np
import pytest

from bench import datasets, models, study
from bench.errors import InputError
from bench.pipelines import cell, hooks, trainers
from bench.pipelines.calibration import calibration_of
from bench.plan.cells import cells
from bench.plan.data import check_data
from bench.plan.forecast import describe, forecast
from bench.plan.trajectories import trajectories
from bench.runner import probes

NETWORK = """
import re

import numpy as np
import tf_keras
from tf_keras import layers

def model(shape, classes):
    return tf_keras.Sequential([
        layers.Input(shape), layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization(),
        layers.ReLU(), layers.Flatten(), layers.Dense(classes)])

def data():
    rng = np.random.default_rng(0)
    y = np.arange(150) % 3
    x = rng.integers(0, 120, (150, 6, 6, 1)) + 60 * (y[:, None, None, None] == np.arange(3)[
        None, :, None, None].repeat(2, 1))
    x = x.astype(np.uint8)
    return (x[:100], y[:100]), (x[100:], y[100:])
"""


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    cell.prepare()


def planned(path, *overrides):
    drawn = [] if "def representative" in Path(path).read_text() else ["calibration_examples=20"]
    made = study.load(path, ["seeds=1", "budgets=1", *drawn, *overrides])
    return made, trajectories(cells(made))


def rows(path, *overrides):
    """The rows of a study of one data set, by arm (and budget, where it has several)."""
    made, found = planned(path, *overrides)
    data = datasets.load(made.datasets[0])
    done = {}
    for trajectory in found:
        checkpoint = None
        for segment in trajectory.segments:
            checkpoint = cell.run_segment(data, segment, checkpoint)
            for fork in segment.forks:
                for row in cell.run_fork(data, segment, fork, checkpoint):
                    assert row["status"] in ("ok", "diverged"), row["error"]
                    done[row["arm"], row["budget"], row["seed"]] = row
    return done


def weights(path, *overrides):
    """Float weights after the first segment."""
    made, found = planned(path, *overrides)
    segment = found[0].segments[0]
    return cell.run_segment(datasets.load(made.datasets[0]), segment, None).state.weights


def same(a, b):
    return all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


def wrong(path):
    """What a run is told before anything trains."""
    made, _ = planned(path)
    (probe, *_) = probes.probes(cells(made))
    data = probes.few(datasets.load(made.datasets[0]))
    return cell.probe(data, *probe.pieces[0])["unusable"]


def test_augmentation_is_an_epochs_and_a_seeds(written):
    """What it returns is what trains; every arm sees the same, and the stream is numpy's child."""
    plain = weights(written(NETWORK))
    nothing = "\ndef augment(x, y, rng):\n    rng.random()\n    return x\n"
    assert same(weights(written(NETWORK + nothing)), plain)
    shifts = (
        "\ndef augment(x, y, rng):\n"
        "    x[:] = np.roll(x, rng.integers(-1, 2), axis=1)\n    return x, y\n"
    )
    path = written(NETWORK + shifts)
    first = weights(path)
    assert not same(first, plain)
    assert same(weights(path), first)
    made, _ = planned(path)
    data = datasets.load(made.datasets[0])
    (model,) = made.models
    x, y = hooks.augmented(data, model, 4, 7, {})
    by = np.random.default_rng(np.random.SeedSequence(7, spawn_key=(3, 4))).integers(-1, 2)
    assert np.array_equal(x, np.roll(data.x_train, by, axis=1))
    assert np.array_equal(y, data.y_train)
    assert np.array_equal(x, hooks.augmented(data, model, 4, 9, {"augmentation": 7})[0])


SHIFTS = (
    "\ndef augment(x, y, rng):\n"
    "    x[:] = np.roll(x, rng.integers(-1, 2, 2), axis=(1, 2))\n    return x, y\n"
)


def test_calibration_with_augmentation_left_on(written):
    """The examples that a plain draw takes, as augment() makes them for the epoch of its number."""
    made, (trajectory,) = planned(
        written(NETWORK + SHIFTS), "calibration_draw=[random,augmented]", "calibration_draws=2",
        "arms=ptq",
    )  # fmt: skip
    data, (model,) = datasets.load(made.datasets[0]), made.models
    check_data(made)
    drawn = {}
    for each in trajectory.cells:
        place = each.recipe["calibration_draw"], each.recipe["draw"]
        drawn[place] = calibration_of(data, model, each.seed, each.recipe)
    assert len(drawn) == 4
    for draw in (0, 1):
        x, _ = hooks.augmented(data, model, draw, 0, {})
        rows = [np.flatnonzero((data.x_train == one).all(axis=(1, 2, 3)))[0]
                for one in drawn["random", draw]]  # fmt: skip
        assert np.array_equal(drawn["augmented", draw], x[rows])
        assert not np.array_equal(drawn["augmented", draw], drawn["random", draw])


def test_augmentation_off_in_the_training_more_leaves_the_float_training(written):
    made, (trajectory,) = planned(
        written(NETWORK + SHIFTS), "extra_augmentation=[on,off]", "arms=[float,float+k]"
    )
    (segment,) = trajectory.segments
    data = datasets.load(made.datasets[0])
    checkpoint = cell.run_segment(data, segment, None)
    found = [r for fork in segment.forks for r in cell.run_fork(data, segment, fork, checkpoint)]
    assert [row["arm"] for row in found] == ["float", "float+k", "float+k"]
    assert len({row["sha256"] for row in found}) == 3
    off = next(row for row in found if row["extra_augmentation"] == "off")
    # Without augment() the same weights train on as they do when it is off.
    plain, (other,) = planned(written(NETWORK), "arms=float+k")
    (bare,) = other.segments
    data = datasets.load(plain.datasets[0])
    (row,) = cell.run_fork(data, bare, bare.forks[0], checkpoint)
    assert row["sha256"] == off["sha256"]


def test_an_optimizer_of_ones_own_trains_as_the_built_in_one_of_the_same_kind(written):
    theirs = "\ndef optimizer(learning_rate):\n    return tf_keras.optimizers.SGD(RATE)\n"
    plain = written(NETWORK)
    by_name = weights(plain, "optimizer=sgd", "learning_rate=0.02")
    asked = written(NETWORK + theirs.replace("RATE", "2 * learning_rate"))
    assert same(weights(asked, "learning_rate=0.01"), by_name)
    assert not same(weights(asked, "learning_rate=0.02"), by_name)
    decaying = "tf_keras.optimizers.schedules.ExponentialDecay(learning_rate, 1, 0.5)"
    scheduled = written(NETWORK + theirs.replace("RATE", decaying))
    assert not same(weights(scheduled, "learning_rate=0.02"), by_name)
    with pytest.raises(InputError, match=r"set, but own\d+\.py has no need of it: optimizer\(\)"):
        study.load(asked, ["optimizer=sgd"])


def test_what_annotate_leaves_out_stays_in_float(written):
    annotate = """
def annotate(model):
    import tensorflow_model_optimization as tfmot
    quantize = tfmot.quantization.keras.quantize_annotate_layer
    def chosen(layer):
        return layer if isinstance(layer, layers.Dense) else quantize(layer)
    return tf_keras.models.clone_model(model, clone_function=chosen)
"""
    arms = "arms=[float,ptq,qat]"
    whole, part = rows(written(NETWORK), arms), rows(written(NETWORK + annotate), arms)
    assert whole["qat", 1, 0]["float_ops"] == 0
    assert part["qat", 1, 0]["float_ops"] > 0
    assert "FULLY_CONNECTED" not in part["qat", 1, 0]["granularity"]
    for arm in ("float", "ptq"):
        assert part[arm, 1, 0]["sha256"] == whole[arm, 1, 0]["sha256"]


def test_inputs_feed_training_calibration_and_the_file_alike(written):
    """Dividing by 255 oneself is what uint8 get without it, up to the rounding of a division."""
    divided = "\ndef inputs(x):\n    assert x.dtype == np.uint8\n    return x / np.float32(255)\n"
    arms = "arms=[float,ptq,qat-cal]"
    plain, own = rows(written(NETWORK), arms), rows(written(NETWORK + divided), arms)
    for place, row in plain.items():
        assert row["loss"] == pytest.approx(own[place]["loss"], rel=1e-3)
        assert row["cell"] != own[place]["cell"]
    halved = "\ndef inputs(x):\n    return x[:, ::2] / 255\n"
    made = rows(written(NETWORK + halved), "arms=float")
    assert made["float", 1, 0]["bytes"] < plain["float", 1, 0]["bytes"]


def test_calibration_examples_of_ones_own(written):
    """PTQ's input range is that of what representative() gives."""
    narrow = "\ndef representative():\n    return data()[0][0][:30] // 4\n"
    path = written(NETWORK + narrow)
    made, _ = planned(written(NETWORK))
    data = datasets.load(made.datasets[0])
    made, found = planned(path, "arms=[float,ptq]")
    (model,) = made.models
    assert np.array_equal(hooks.representative(data, model), data.x_train[:30] // 4)
    segment = found[0].segments[0]
    trainer = trainers.trainer_of(data, segment, False)
    assert "calibration_examples" not in dict(segment.forks[0].cells[-1].recipe.levels)
    assert trainer is trainers.trainer_of(data, segment, False)
    clipped = rows(path, "arms=ptq")["ptq", 1, 0]
    assert clipped["sha256"] != rows(written(NETWORK), "arms=ptq")["ptq", 1, 0]["sha256"]
    text = Path(path).read_text() + "\nstudy = dict(calibration_examples=50)\n"
    with pytest.raises(InputError, match="no need of it: representative"):
        study.load(written(text))


def test_functions_without_a_network_go_with_the_built_in_one(written):
    hooked = "\ndef augment(x, y, rng):\n    return x[:, ::-1]\n"
    path = written(hooked)
    made = study.load(path)
    (model,) = made.models
    assert model.endswith(".bncnn")
    assert made.datasets == ("digits",)
    assert models.cost(model) == models.cost("bncnn")
    assert models.normalizes(model)
    assert {c.id for c in cells(made)}.isdisjoint(c.id for c in cells(study.load("digits")))
    assert study.load(path, ["models=resnet8"]).models[0].endswith(".resnet8")


PRETRAINED = NETWORK.replace(
    "    return tf_keras", "    tf_keras.utils.set_random_seed(1)\n    return tf_keras"
)


def test_a_pretrained_network_may_have_no_epochs(written):
    path = written(PRETRAINED)
    overrides = ("seeds=2", "budgets=[0,1]", "arms=[float,ptq,float+k,qat]")
    found = rows(path, *overrides)
    assert found["float", 0, 0]["sha256"] == found["float", 0, 1]["sha256"]
    assert found["ptq", 0, 0]["sha256"] != found["ptq", 0, 1]["sha256"]  # another calibration draw
    assert found["float", 0, 0]["steps"] == 0
    assert found["float", 1, 0]["batch_norm_start_left"] is None
    # An epoch more behind no epoch is the first epoch.
    assert found["float+k", 0, 0]["sha256"] == found["float", 1, 0]["sha256"]
    made, _ = planned(path, *overrides)
    said = describe(made, forecast(made, (), (1.0,), 2), "assumed")
    assert "initialization does not vary" in said


def test_no_epochs_need_trained_weights(written):
    made, _ = planned(written(NETWORK), "budgets=0")
    (probe, *_) = probes.probes(cells(made))
    data = probes.few(datasets.load(made.datasets[0]))
    assert "each seed draws other weights" in cell.probe(data, *probe.pieces[0])["unusable"]
    for path in ("digits", written("def inputs(x):\n    return x / 16\n")):
        with pytest.raises(InputError, match="bncnn has no weights before it is trained"):
            study.load(path, ["budgets=[0,1]"])


WRONG = {
    "def augment(x, y, rng):\n    return x[1:]": r"augment\(\) of .* an array of shape \(7, 6, 6",
    "def augment(x, y, rng):\n    return x / 2": "type float64; allowed: x of shape .* type uint8",
    "def augment(x, y, rng):\n    return x, y + 9": "labels 9 to 11",
    "def augment(x, y, rng):\n    return None": "augment.. of .* returned .*object",
    "def augment(x, y, rng):\n    return np.random.permutation(x)": "`rng` does not determine",
    "def augment(x, y, rng):\n    return 1 / 0": r"failed: ZeroDivisionError: .*own\d+\.py:\d+",
    "def inputs(x):\n    return x[1:]": r"inputs\(\) of .* numbers of shape \(8, ...\)",
    "def inputs(x):\n    return np.log(x * 0.0)": "not finite",
    "def inputs(x):\n    return 3": "inputs.. of .* returned int",
    "def optimizer(learning_rate):\n    return 'sgd'": "returned builtins.str; allowed: an optim",
    "def representative():\n    return np.zeros((4, 5, 5, 1), np.uint8)": r"\(4, 5, 5, 1\)",
    "def representative():\n    return np.zeros((4, 6, 6, 1))": "float64; allowed: .* uint8",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_a_function_may_not_return(written, text):
    with np.errstate(divide="ignore"):
        assert re.search(WRONG[text], wrong(written(f"{NETWORK}\n{text}\n")))


def test_parameters_nobody_knows(written):
    for text in ("augment(images, y, rng)", "inputs(x, y)", "representative(n)", "annotate(net)"):
        name = text.partition("(")[0]
        with pytest.raises(InputError, match=rf"{name}\(\): parameter '\w+' is not known"):
            study.load(written(f"{NETWORK}\ndef {text}: ...\n"))


def test_tf_data_is_one_clear_error(written):
    text = NETWORK + (
        "\ndef data():\n    import tensorflow as tf\n"
        "    d = tf.data.Dataset.from_tensor_slices((np.zeros((9, 6, 6, 1)), np.arange(9) % 3))\n"
        "    return d, d\n"
    )
    with pytest.raises(InputError, match=r"data beyond it and tf\.data are not taken"):
        check_data(study.load(written(text)))


def test_they_are_part_of_what_identifies_a_cell(written):
    hook = "\ndef augment(x, y, rng):\n    return x + np.uint8(\n        STEP\n    )\n"
    ids = [
        {
            c.id
            for c in planned(written(NETWORK + hook.replace("STEP", step), "same.py"))[1][0].cells
        }
        for step in ("1", "2", "1  # a comment")
    ]
    assert ids[0] == ids[2]
    assert ids[0].isdisjoint(ids[1])
