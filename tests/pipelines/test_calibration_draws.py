"""What calibration examples are drawn, and what files become of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import datasets, study
from bench.datasets.changed.shifts import moved
from bench.errors import InputError
from bench.pipelines import cell, streams
from bench.pipelines.calibration import calibration_of, positions
from bench.plan.cells import Recipe, cells
from bench.plan.data import check_data
from bench.plan.trajectories import trajectories

KINDS = ("random", "one-class", "skewed", "shifted", "uniform-noise")


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


def recipe(kind="random", n=100, pin=()):
    return Recipe((("calibration_examples", n), ("calibration_draw", kind)), pin)


def rng(seed):
    return np.random.default_rng(seed)


@given(st.sampled_from(("random", "one-class", "skewed")), st.integers(0, 99), st.integers(1, 40))
def test_no_example_is_drawn_twice(kind, seed, n):
    y = np.arange(60) % 3
    found = positions(kind, y, 3, n, rng(seed))
    assert len(set(found.tolist())) == len(found) == min(n, 20 if kind == "one-class" else 60)
    assert found.min() >= 0
    assert found.max() < 60


def test_random_is_what_it_always_was(digits):
    """A permutation by the seed's calibration stream, its first n."""
    stream = np.random.SeedSequence(7, spawn_key=(2,))
    expected = digits.x_train[np.random.default_rng(stream).permutation(1000)[:100]]
    assert np.array_equal(calibration_of(digits, "bncnn", 7, recipe()), expected)


def test_one_class_is_one_and_another_for_another_seed(digits):
    classes = set()
    for seed in range(30):
        generator = np.random.default_rng(streams.calibration(seed, {}, 0))
        found = digits.y_train[positions("one-class", digits.y_train, 10, 500, generator)]
        assert len(set(found.tolist())) == 1
        assert len(found) == (digits.y_train == found[0]).sum()  # fewer than 500: all
        classes.add(int(found[0]))
    assert len(classes) > 5


def test_skewed_halves_from_class_to_class():
    y = np.arange(300_000) % 5
    found = np.bincount(y[positions("skewed", y, 5, 3100, rng(0))], minlength=5)
    expected = 3100 * np.array([16, 8, 4, 2, 1]) / 31
    assert np.sort(found)[::-1] == pytest.approx(expected, abs=4 * np.sqrt(3100 / 4))
    orders = {tuple(np.argsort(np.bincount(y[positions("skewed", y, 5, 3100, rng(s))])))
              for s in range(8)}  # fmt: skip
    assert len(orders) > 3


def test_shifted_are_the_random_ones_of_less_contrast(digits):
    plain = calibration_of(digits, "bncnn", 0, recipe())
    found = calibration_of(digits, "bncnn", 0, recipe("shifted"))
    assert np.array_equal(found, moved(plain, digits, "contrast-3"))
    assert found.max() < plain.max()


@pytest.mark.parametrize("scale", [16.0, 1.0])
def test_noise_is_uniform_over_the_inputs_range(digits, scale):
    data = digits
    if scale == 1.0:
        x = (digits.x_train / 8 - 1).astype(np.float32)
        data = replace(digits, key="floats", x_train=x, scale=1.0)
    found = calibration_of(data, "bncnn", 0, recipe("uniform-noise", 300))
    low, high = data.x_train.min(), data.x_train.max()
    assert found.dtype == data.x_train.dtype
    assert found.shape == (300, 8, 8, 1)
    assert low <= found.min() <= found.max() <= high
    assert found.mean() == pytest.approx((float(low) + high) / 2, rel=0.05, abs=0.02)


def test_the_draws_of_a_seed_are_the_seeds_own():
    states = {streams.calibration(s, {}, d).generate_state(2).tobytes() for s in range(4)
              for d in range(4)}  # fmt: skip
    assert len(states) == 16
    pinned = [streams.calibration(s, {"calibration": 9}, 1).generate_state(2) for s in (0, 1)]
    assert np.array_equal(*pinned)


def test_calibration_on_what_it_never_saw_clips():
    """In a real training: files of all draws are int8 and unlike; the float file is one; outputs of
    PTQ calibrated on faint inputs stay within ranges that are too narrow."""
    cell.prepare()
    fields = {"seeds": 1, "budgets": 4, "train_examples": 300, "calibration_examples": 60}
    fields |= {"arms": ["float", "ptq"], "primary": [], "calibration_draw": list(KINDS)}
    fields |= {"batch_norm_momentum": 0.8, "learning_rate": 0.005}
    (trajectory,) = trajectories(cells(study.validate(fields, "test")))
    (segment,) = trajectory.segments
    data = datasets.load("digits", 300)
    checkpoint = cell.run_segment(data, segment, None)
    rows = [r for fork in segment.forks for r in cell.run_fork(data, segment, fork, checkpoint)]
    by_draw = {row["calibration_draw"]: row for row in rows if row["arm"] == "ptq"}
    assert len(rows) == 1 + len(KINDS)
    assert by_draw.keys() == {*KINDS}
    assert {row["number_format"] for row in by_draw.values()} == {"int8"}
    assert len({row["sha256"] for row in by_draw.values()}) == len(KINDS)
    right = {kind: row["accuracy"] for kind, row in by_draw.items()}
    assert right["random"] > right["shifted"] + 0.1  # 797 examples: SD 0.014 and less
    assert right["random"] > 0.8
    # Of one class alone: the outputs of the others are beyond the ranges that it takes.
    clipped = {kind: row["outputs_at_limit"] / row["n"] for kind, row in by_draw.items()}
    assert clipped["one-class"] > clipped["random"] + 0.2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"calibration_draw": "augmented"}, "no augment.. stands beside bncnn"),
        ({"calibration_draw": "sharp"}, "calibration_draw"),
        (
            {"task": "regression", "metrics": "mae", "calibration_draw": "one-class"},
            "one-class for a task",
        ),
        (
            {"task": "regression", "metrics": "mae", "label_noise": 0.1},
            "label_noise: 0.1 for a task of regression",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(fields, said):
    with pytest.raises(InputError, match=said):
        check_data(study.validate(fields, "test"))
