"""`compare` on real files: against TensorFlow's own interpreter, one example at a time, and
scipy's binomial test."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from bench.pipelines import evaluate
from bench.pipelines import files as compare
from bench.statistics.families import Verdict
from bench.statistics.mcnemar import mcnemar
from tests.compare.conftest import SCALE, N


def predicted(path, x):
    """The oracle: TensorFlow's interpreter, one invocation per example; int (n,)."""
    interpreter = tf.lite.Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    fed, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for image in x.astype(np.float32) / np.float32(SCALE):
        if fed["dtype"] != np.float32:
            step, zero = fed["quantization"]
            limits = np.iinfo(fed["dtype"])
            image = np.clip(np.round(image / step + zero), limits.min, limits.max)
        interpreter.set_tensor(fed["index"], image[None].astype(fed["dtype"]))
        interpreter.invoke()
        found.append(int(np.argmax(interpreter.get_tensor(given["index"])[0])))
    return np.array(found)


PAIRS = [("float", "int8"), ("uint8", "float"), ("longer", "int8"), ("float-io", "longer")]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_counts_and_p_are_those_of_one_example_at_a_time(files, digits, a, b):
    found = compare.compare(files[a], files[b], "digits")
    y, ours, theirs = digits.y_test, *(predicted(files[f], digits.x_test) for f in (a, b))
    fixed = sum(p == t != q for p, q, t in zip(ours, theirs, y, strict=True))
    broken = sum(q == t != p for p, q, t in zip(ours, theirs, y, strict=True))
    assert (found.n, found.fixed, found.broken) == (N, fixed, broken)
    assert found.a.correct == sum(ours == y)
    assert found.b.correct == sum(theirs == y)
    assert found.predictions_differ == sum(ours != theirs)
    assert found.difference == pytest.approx(100 * (fixed - broken) / N)
    if fixed + broken:
        assert found.p == pytest.approx(stats.binomtest(fixed, fixed + broken).pvalue)
    assert found.interval.low < found.difference < found.interval.high
    assert found.interval.low == pytest.approx(100 * mcnemar(fixed, broken, N).interval(0.05).low)


def test_the_pairs_hold_real_churn_and_a_significant_difference(files):
    found = [compare.compare(files[a], files[b], "digits") for a, b in PAIRS]
    assert any(c.fixed and c.broken for c in found)
    assert any(c.p <= 0.05 for c in found)


def test_swapping_the_files_swaps_the_signs(files):
    forth = compare.compare(files["longer"], files["int8"], "digits")
    back = compare.compare(files["int8"], files["longer"], "digits")
    assert (back.fixed, back.broken, back.p) == (forth.broken, forth.fixed, forth.p)
    assert back.difference == -forth.difference
    assert back.interval == pytest.approx((-forth.interval.high, -forth.interval.low))
    assert back.verdict == forth.verdict


@pytest.mark.parametrize(("name", "batch"), [("batch-of-1", 1), ("batch-of-3", 3)])
def test_a_file_whose_batch_is_fixed_is_run_in_its_own(files, digits, name, batch):
    """797 examples are no multiple of 3: the last batch is filled up, and what fills it is cut."""
    x = digits.x_test[..., 0]
    interpreter = tf.lite.Interpreter(model_path=files[name])
    interpreter.resize_tensor_input(0, x.shape)
    with pytest.raises(RuntimeError):
        interpreter.allocate_tensors()
    outputs = evaluate.Evaluator(Path(files[name]).read_bytes(), SCALE).outputs(x)
    assert outputs.shape == (N, 10)
    whole = evaluate.Evaluator(Path(files["float"]).read_bytes(), SCALE).outputs(digits.x_test)
    assert np.allclose(outputs, whole, atol=1e-5)


@pytest.mark.parametrize(
    ("fixed", "broken", "n", "delta", "expected"),
    [
        (150, 86, 10000, 0.005, Verdict.SIZE_UNDECIDED),  # p = 3.7e-5, the known answer
        (150, 86, 10000, 0.01, Verdict.TOO_SMALL),
        (400, 86, 10000, 0.01, Verdict.MATTERS),
        (86, 400, 10000, 0.01, Verdict.MATTERS),
        (20, 22, 10000, 0.005, Verdict.EQUIVALENT),
        (20, 22, 797, 0.005, Verdict.UNDECIDED),
        (30, 25, 2000, 0.01, Verdict.EQUIVALENT),  # 90% interval to 0.0088, 95% to 0.0101
        (20, 10, 10000, 0.005, Verdict.EQUIVALENT),  # p = 0.099
        (0, 0, 10000, 0.005, Verdict.EQUIVALENT),
        (0, 0, 100, 0.005, Verdict.UNDECIDED),
    ],
)
def test_verdicts_of_one_pair(fixed, broken, n, delta, expected):
    assert compare.verdict(mcnemar(fixed, broken, n), delta, 0.05) == expected


def test_equivalence_errs_no_more_often_than_alpha_at_the_margin():
    """10,000 pairs of files whose true difference is the margin itself."""
    rng = np.random.default_rng(0)
    n, delta, churn = 2000, 0.01, 0.04
    shares = [(churn + delta) / 2, (churn - delta) / 2, 1 - churn]
    draws = rng.multinomial(n, shares, 10000)
    equivalent = (Verdict.EQUIVALENT, Verdict.TOO_SMALL)
    cases, times = np.unique(draws[:, :2], axis=0, return_counts=True)
    wrong = sum(
        k * (compare.verdict(mcnemar(int(f), int(b), n), delta, 0.05) in equivalent)
        for (f, b), k in zip(cases, times, strict=True)
    )
    assert 0 < wrong <= stats.binom.ppf(0.9999, 10000, 0.05)


def test_what_the_test_set_can_resolve(files):
    found = compare.compare(files["longer"], files["int8"], "digits", delta=0.5)
    able, m = found.resolution, found.fixed + found.broken
    assert able.discordance == max(m / N, 0.005)
    assert able.fewest_discordant == 6  # 2 / 2**5 > 0.05 >= 2 / 2**6
    significant = [k for k in range(m + 1) if stats.binomtest(k, m).pvalue <= 0.05]
    least = min(abs(2 * k - m) for k in significant)
    assert able.smallest_significant == pytest.approx(100 * least / N)
    assert not able.enough
    wide = compare.compare(files["longer"], files["int8"], "digits", delta=20)
    assert wide.resolution.discordance == 0.2
    assert wide.resolution.enough
