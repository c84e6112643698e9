"""Classes that an arm harms, and examples that it breaks in nearly every seed."""

import numpy as np
import pytest

from bench.analysis import Sample, Setting
from bench.analysis.inside import harms
from tests import oracles

LABELS = np.repeat(np.arange(4), 25)
SEEDS = tuple(range(10))


def sample(arm, correct):
    return Sample(
        Setting("d", "m", (), 1, None), arm, "accuracy", "pp", SEEDS, {"ok": 10}, SEEDS,
        100 * correct.mean(axis=1), correct,
    )  # fmt: skip


def pair(break_class):
    """Chance alone, and in one class five examples more wrong in every seed, always the same."""
    rng = np.random.default_rng(2)
    base = rng.random((10, 100)) < 0.9
    other = rng.random((10, 100)) < 0.9
    worse = np.flatnonzero(break_class == LABELS)[:5]
    base[:, worse] = True
    other[:, worse] = False
    return sample("float", base), sample("ptq", other)


def test_the_class_that_is_harmed_is_found_and_its_examples_are_counted():
    base, ptq = pair(2)
    (found,) = harms([base, ptq], {"d": LABELS})
    assert (found.arm, found.seeds, found.examples) == ("ptq", 10, 5)
    mean, p = found.classes[2]
    here = LABELS == 2
    expected = 100 * (ptq.correct[:, here].mean() - base.correct[:, here].mean())
    assert mean == pytest.approx(expected)
    assert p <= 0.05
    assert all(p > 0.05 for label, (_, p) in found.classes.items() if label != 2)


def test_p_values_are_exact_and_corrected_over_the_classes():
    base, ptq = pair(0)
    (found,) = harms([base, ptq], {"d": LABELS})
    raw = []
    for label in range(4):
        here = label == LABELS
        net = ptq.correct[:, here].sum(axis=1) - base.correct[:, here].sum(axis=1)
        raw.append(oracles.sign_flip_p(net))
    expected = oracles.benjamini_hochberg(raw)
    assert [found.classes[label][1] for label in range(4)] == pytest.approx(expected)


def test_no_class_is_harmed_where_both_arms_are_one():
    base, _ = pair(1)
    (found,) = harms([base, sample("qat", base.correct)], {"d": LABELS})
    assert found.examples == 0
    assert all(value == (0.0, 1.0) for value in found.classes.values())
