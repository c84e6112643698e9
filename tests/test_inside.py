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


LAYERS = {
    "quant_dense/output / range_ratio": 1.0,
    "quant_re_lu/output / range_ratio": 8.0,
    "quant_re_lu_1/output / range_ratio": 19.0,
    "quantize_layer/quantize_layer / range_ratio": 1.0,
    "quant_dense/output / saturated": 0.03,
    "batch_normalization / mean_off": 0.9,
    "batch_normalization / variance_ratio": 95.0,
    "0 CONV_2D / sqnr_db": 31.0,
    "1 FULLY_CONNECTED / sqnr_db": 12.5,
    "1 FULLY_CONNECTED / error_steps": 0.75,
    "1 FULLY_CONNECTED / channel_range_ratio": 6.0,
    "1 FULLY_CONNECTED / distinct_scales": 1.0,
    "0 CONV_2D / channel_range_ratio": 9.0,
    "0 CONV_2D / distinct_scales": 16.0,
}
"""Of the first two seeds alone."""

COLD = {"batch_norm_start_left": 0.5, "range_start_left": 0.97}

FINDINGS = [
    (
        {"float_ops": 2},
        "2 operators of a file run in float, not in int8. The most in any of 5 files.",
    ),
    (
        {"clipped_inputs": 0.002},
        "0.20% of the test inputs are beyond what the file's input can hold. The most in any of 5"
        " files.",
    ),
    (
        COLD,
        "97% of each range is still TFMOT's start of 6 after 100 steps of QAT, and the median "
        "range is 8.0 times what calibration finds (of 2 seeds). Mean over 5 seeds.",
    ),
    (
        COLD,
        "50% of batch normalization's start is left in its averages, which have not converged; a "
        "moving variance of `batch_normalization` is 95 times the data's (of 2 seeds). Mean over "
        "5 seeds.",
    ),
    (
        {},
        "a moving mean of `batch_normalization` is 0.9 SDs off that of the training data; a "
        "moving variance of `batch_normalization` is 95 times the data's. Mean over 2 seeds.",
    ),
    (
        {},
        "the range of `quant_re_lu_1/output` is 19 times what calibration finds. Mean over 2 "
        "seeds.",
    ),
    (
        {},
        "3.0% of the activations on the test data lie outside of the range of "
        "`quant_dense/output`. Mean over 2 seeds.",
    ),
    (
        {"outputs_at_limit": 100},
        "10.0% of the test examples have an output at the limit of its type. Mean over 5 seeds.",
    ),
    (
        {},
        "the output of `1 FULLY_CONNECTED` has 12.5 dB of signal to quantization noise, the least"
        " of 2 operators: an error of 0.75 steps of its scale, where rounding alone makes 0.289. "
        "Mean over 2 seeds.",
    ),
    (
        {"ties": 40},
        "4.0% of the test examples have two highest outputs that are equal: the order of the "
        "classes decides. Mean over 5 seeds.",
    ),
    (
        {"keras_flips": 30, "keras_flips_tied": 10},
        "the file classifies 3.0% of the test examples otherwise than the Keras model that it was"
        " made of, 1.0% by a tie. Mean over 2 seeds.",
    ),
    (
        {},
        "one scale serves all channels of `1 FULLY_CONNECTED`, whose widest has 6.0 times the "
        "range of the median one. Mean over 2 seeds.",
    ),
    (
        {"requantizations": 3},
        "3 operators of a file only turn one integer scale into another. The most in any of 5 "
        "files.",
    ),
]


@pytest.mark.parametrize(("columns", "said"), FINDINGS, ids=[str(n) for n in range(len(FINDINGS))])
def test_each_thing_that_is_measured_has_a_finding_with_its_number(tmp_path, columns, said):
    """And with how many seeds it rests on; where nothing is wrong nothing is said."""
    fields = {"seeds": 5, "budgets": [1], "arms": ["float", "qat"], "primary": ["qat - float"]}

    def text(wrong):
        def edit(row):
            plain = {"float_ops": 0, "clipped_inputs": 0.0, "outputs_at_limit": 0, "ties": 0}
            plain |= {"requantizations": 0, "batch_norm_start_left": 0.0, "range_start_left": 0.0}
            row |= plain | {"steps": 132 if row["arm"] == "qat" else 32}
            if row["arm"] == "qat" and wrong is not None:
                flips = {n: v for n, v in wrong.items() if n.startswith("keras")}
                row |= {n: v for n, v in wrong.items() if n not in flips}
                if row["seed"] < 2:
                    row |= {"layers": LAYERS} | flips
            return row

        folder = tmp_path / ("plain" if wrong is None else "wrong")
        folder.mkdir()
        made = analyze(
            store.read(synthetic.write(folder, synthetic.study(**fields), n=1000, edit=edit))
        )
        return markdown.render(build.build(made), "seeds")

    assert f"`qat` (E = 1): {said}" in text(columns)
    assert "Nothing that was measured is out of the ordinary." in text(None)
