"""Classes that an arm harms, and examples that it breaks in nearly every seed."""

import numpy as np
import pytest

from bench.analysis import Sample, Setting, analyze
from bench.analysis.inside import harms
from bench.report import build, markdown
from bench.store import folder as store
from tests import oracles, synthetic

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


def test_why_looking_failed_is_kept_and_said(tmp_path):
    """Of three files: one that would not be looked into, one that looking changed, one fine."""
    study = synthetic.study(
        seeds=4, budgets=[1], arms=["float", "ptq"], primary=["ptq - float"], kernels="reference"
    )

    def edit(row):
        if row["arm"] == "ptq":
            row |= {"kernel_flips": 20, "kernel_outputs": 5 * row["seed"]}
            row["layers"] = {
                0: {"file / left_out": 3.0},
                1: {"file / left_out": 1.0},
                2: {"0 CONV_2D / sqnr_db": 30.0},
            }.get(row["seed"])
            row["layers_error"] = "KeyError: no *such* `op`" if row["seed"] == 0 else None
        return row

    made = analyze(store.read(synthetic.write(tmp_path, study, n=1000, edit=edit)))
    (inside,) = (each for each in made.insides if each.arm == "ptq")
    assert inside.looked_into == 3
    assert sorted(inside.left_out.items()) == [
        (("keeping the tensors changed the outputs", ""), 1),
        (("looking failed", "KeyError: no *such* `op`"), 1),
    ]
    assert (inside.kernels, inside.kernel_outputs) == (0.02, 0.0075)
    text = markdown.render(build.build(made), "seeds")
    assert "`ptq` (E = 1): the tensors inside of 2 files could not be compared" in text
    assert "1 because looking failed, `KeyError: no *such* op` and 1 because keeping" in text
    assert "2.00% of the test examples are classified otherwise than by XNNPACK's kernels" in text
    assert "of 0.75% the largest output is more than a step away" in text
