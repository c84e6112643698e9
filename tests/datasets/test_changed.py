"""Training examples and test inputs changed on purpose: how much, which, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import correlate1d

from bench import datasets
from bench.datasets.changed import shifts
from bench.datasets.changed.shifts import KINDS, LEVELS, refusal, shifted
from bench.datasets.changed.training import changed, imbalanced, mislabelled
from bench.study.factors import FACTORS, Shift


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


@pytest.fixture(scope="module")
def colored(digits):
    """uint8 pixels of three channels."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (60, 9, 8, 3), dtype=np.uint8)
    x[0, 0, 0] = 0
    return replace(digits, key="colored", x_train=x[:30], x_test=x[30:], scale=255.0)


def test_the_factors_levels_are_those_that_there_are():
    assert Shift.__args__ == LEVELS
    assert FACTORS["test_shift"].default == shifts.NONE


def test_at_the_defaults_nothing_changes(digits):
    levels = {"train_examples": None, "class_imbalance": 1.0, "label_noise": 0.0}
    assert changed(digits, levels) is digits
    assert shifted(digits, "none") is digits
    assert shifted(digits, None) is digits


@given(st.integers(2, 20), st.floats(0, 0.99), st.integers(20, 300))
def test_noise_is_wrong_in_its_share_of_the_labels(classes, share, n):
    y = np.arange(n) % classes
    noisy = mislabelled(y, classes, share)
    assert (noisy != y).sum() == round(share * n)
    assert noisy.min() >= 0
    assert noisy.max() < classes


def test_more_noise_adds_to_less_and_takes_all_other_classes_alike():
    y = np.zeros(9000, int)
    some, more = (mislabelled(y, 10, share) for share in (0.2, 0.9))
    assert (more[some != 0] == some[some != 0]).all()
    counts = np.bincount(more, minlength=10)[1:]
    # 8,100 draws of nine classes: 900 each, SD 28.
    assert (abs(counts - 900) < 120).all()


@given(st.integers(2, 12), st.floats(1, 100), st.integers(1, 60))
def test_the_last_class_has_a_ratio_th_of_the_first(classes, ratio, each):
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(classes), each))
    kept = imbalanced(y, classes, ratio)
    counts = np.bincount(y[kept], minlength=classes)
    assert (np.diff(kept) > 0).all()
    assert counts[0] == each
    assert counts[-1] == np.ceil(round(each / ratio, 9))
    assert (np.diff(counts) <= 0).all()
    assert counts.min() >= 1


def test_the_tail_is_geometric():
    """Cui et al. (2019): n_c = n * mu^c, mu = ratio^(-1 / (C - 1)); 1000 to 10 in three classes."""
    kept = imbalanced(np.repeat(np.arange(3), 1000), 3, 100.0)
    assert np.bincount(np.repeat(np.arange(3), 1000)[kept]).tolist() == [1000, 100, 10]


def test_what_was_changed_stands_in_the_key_and_the_test_split_stays(digits):
    made = changed(digits, {"train_examples": 500, "class_imbalance": 10.0, "label_noise": 0.2})
    assert made.key == f"{digits.key}/500/imbalance 10/label noise 0.2"
    assert np.array_equal(made.x_test, digits.x_test)
    assert np.array_equal(made.y_test, digits.y_test)
    assert len(made.x_train) == len(made.y_train) < 500
    first = digits.first(500)
    unbalanced = changed(digits, {"train_examples": 500, "class_imbalance": 10.0})
    assert (made.y_train != unbalanced.y_train).sum() == round(0.2 * len(made.y_train))
    whole = {x.tobytes() for x in first.x_train}
    assert {x.tobytes() for x in made.x_train} <= whole


@pytest.mark.parametrize("level", LEVELS[1:])
def test_a_shift_is_deterministic_and_keeps_shape_type_and_range(digits, colored, level):
    for data in (digits, colored):
        made = shifted(data, level)
        shifts._shifted.cache_clear()
        assert np.array_equal(made.x_test, shifted(data, level).x_test)
        assert made.x_test.shape == data.x_test.shape
        assert 0 <= made.x_test.min() <= made.x_test.max() <= data.scale
        assert made.x_test.dtype == (np.uint8 if data is colored else np.float32)
        assert np.array_equal(made.x_train, data.x_train)
        assert not np.array_equal(made.x_test, data.x_test)
        assert made.key != data.key


@pytest.mark.parametrize("kind", KINDS)
def test_more_strength_is_further_away(colored, kind):
    x = colored.x_test.astype(float)
    moved = [np.abs(shifted(colored, f"{kind}-{s}").x_test - x).mean() for s in (1, 2, 3)]
    assert 0 < moved[0] < moved[1] < moved[2]


def test_noise_has_its_standard_deviation():
    x = np.full((4000, 5, 5, 1), 0.5)
    draw = np.random.RandomState(3)
    assert shifts.noise(x, 0.08, draw).std() == pytest.approx(0.08, rel=0.01)


def test_blur_is_a_gaussian_filter_by_hand():
    x = np.random.default_rng(0).random((2, 7, 6, 3))
    at = np.arange(-4, 5)
    weights = np.exp(-(at**2) / 2)  # sigma 1, cut at 4
    weights /= weights.sum()
    expected = correlate1d(correlate1d(x, weights, 1, mode="nearest"), weights, 2, mode="nearest")
    assert shifts.blur(x, 1.0, np.random.RandomState(0)) == pytest.approx(expected)


def test_contrast_and_brightness_by_hand():
    draw = np.random.RandomState(0)
    x = np.array([0.2, 0.6]).reshape(1, 1, 2, 1)
    assert shifts.contrast(x, 0.15, draw).ravel() == pytest.approx([0.37, 0.43])
    assert shifts.brightness(x, 0.3, draw).ravel() == pytest.approx([0.5, 0.9])
    # HSV: (0.4, 0.2, 0.1) has the value 0.4, which becomes 0.7; black has no hue; 0.9 is cut at 1.
    colors = np.array([[0.4, 0.2, 0.1], [0, 0, 0], [0.9, 0.9, 0.0]]).reshape(1, 1, 3, 3)
    raised = shifts.brightness(colors, 0.3, draw)[0, 0]
    assert raised == pytest.approx(np.array([[0.7, 0.35, 0.175], [0.3, 0.3, 0.3], [1, 1, 0]]))


def test_brightness_is_hsvs(colored):
    from matplotlib.colors import hsv_to_rgb, rgb_to_hsv

    x = colored.x_test / 255
    hsv = rgb_to_hsv(x)
    hsv[..., 2] = np.clip(hsv[..., 2] + 0.15, 0, 1)
    expected = np.round(255 * hsv_to_rgb(hsv))
    assert abs(shifted(colored, "brightness-2").x_test - expected).max() <= 1


def test_floats_are_shifted_within_the_training_inputs_range(digits):
    x = (digits.x_test / 4.0 - 2).astype(np.float32)
    train = (digits.x_train / 4.0 - 2).astype(np.float32)  # -2 to 2
    data = replace(digits, key="floats", x_train=train, x_test=x, scale=1.0)
    ours, theirs = (shifted(d, "contrast-2").x_test for d in (data, digits))
    assert ours == pytest.approx(theirs / 4 - 2, abs=1e-5)


def test_rows_of_a_table_are_no_images(digits):
    table = replace(digits, key="table", x_test=digits.x_test.reshape(len(digits.x_test), -1))
    assert refusal(table, "noise-1") is None
    assert refusal(table, "blur-1") == "inputs of shape (64,) are no images"
    with pytest.raises(ValueError, match="no images"):
        shifted(table, "blur-1")
