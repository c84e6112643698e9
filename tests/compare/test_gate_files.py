"""`gate` of two files: Tango's limits on the counts that `compare` finds; the CI's command."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from bench.analysis.gating import Asked
from bench.cli import gated
from bench.cli.comparison import answer, groups, resolution
from bench.pipelines import files as pairs
from bench.statistics.families import Verdict
from bench.statistics.mcnemar import mcnemar
from tests import oracles
from tests.compare.conftest import SCALE
from tests.compare.test_numbers import predicted
from tests.gates import shell, steps


def gate(new, old, margin, **options):
    return gated.of_files(
        [str(new), str(old)], "digits", Asked("", margin), options.get("scales", ()), ()
    )


def test_the_interval_is_tangos_at_twice_alpha(files):
    found = pairs.compare(files["longer"], files["int8"], "digits")
    counts = mcnemar(found.fixed, found.broken, found.n)
    low, high = (100 * end for end in counts.interval(0.1))
    assert low < 100 * counts.difference < high
    inside, beyond = max(-low, 0.01) + 0.001, -low - 0.001
    (one,) = gate(files["longer"], files["int8"], inside).settings
    assert tuple(one.interval) == pytest.approx((low, high))
    assert (one.outcome, one.n) == ("passed", 797)
    if beyond > 0:
        assert gate(files["longer"], files["int8"], beyond).outcome != "passed"


def test_new_minus_old(files):
    better = gate(files["longer"], files["int8"], 0.5)
    worse = gate(files["int8"], files["longer"], 0.5)
    assert better.settings[0].mean == -worse.settings[0].mean
    assert better.contrast.endswith(".tflite")
    if worse.settings[0].interval.high < -0.5:
        assert worse.outcome == "failed"
        assert better.outcome == "passed"


def test_undecided_says_how_many_examples_it_would_take(files):
    by = abs(gate(files["int8"], files["longer"], 0.5).settings[0].mean)
    assert by > 0
    found = gate(files["int8"], files["longer"], by)  # worse by the margin itself
    assert found.outcome == "undecided"
    assert f"{found.settings[0].needed:,} test examples would pass with" in gated.line(found)


def test_misfed_files_are_withheld(misfed, files):
    found = gate(misfed["centred"], files["float"], 5)
    assert found.outcome == "withheld"
    assert "A was fed 0 to 1" in gated.line(found)
    said = json.loads(gated.as_json(found))
    assert said["settings"][0]["mean"] is said["settings"][0]["low"] is None


def test_groups_of_test_examples_are_counted_as_groups(files, digits, tmp_path):
    """797 examples of 10 writers: t on the groups' differences, by the protocol's formula."""
    sizes = np.array([160, 140, 120, 100, 80, 60, 50, 40, 30, 17])
    writers = np.repeat(np.arange(10), sizes)
    path = tmp_path / "grouped.npz"
    np.savez(
        path, x_train=digits.x_train * 15, y_train=digits.y_train, x_test=digits.x_test * 15,
        y_test=digits.y_test, groups_test=writers,
    )  # fmt: skip
    found = gated.of_files(
        [str(files["int8"]), str(files["longer"])], str(path), Asked("", 5), (), ()
    )
    (one,) = found.settings
    made = pairs.compare(files["int8"], files["longer"], str(path))
    assert one.mean == pytest.approx(made.difference)
    assert (found.counted, one.n) == ("groups", 10)
    estimate = made.grouped
    # statistics.md: h_g = G n_g / N; nu for these sizes is below G - 1 = 9
    assert 2 < estimate.df < 9
    half = stats.t.ppf(0.95, estimate.df) * estimate.se
    assert tuple(one.interval) == pytest.approx((one.mean - half, one.mean + half))
    assert json.loads(gated.as_json(found))["settings"][0]["groups"] == 10
    # `compare` says the same at its own level, with the sign-flip test over groups for McNemar's.
    half = stats.t.ppf(0.975, estimate.df) * estimate.se
    assert tuple(made.interval) == pytest.approx((one.mean - half, one.mean + half))
    fed = digits.x_test * (15 * SCALE / 255)  # what `predicted` divides by SCALE
    right = [predicted(files[name], fed) == digits.y_test for name in ("int8", "longer")]
    d = right[0].astype(int) - right[1]
    assert made.p == pytest.approx(oracles.sign_flip_p([d[writers == g].sum() for g in range(10)]))
    assert made.ungrouped_p == mcnemar(made.fixed, made.broken, made.n).p
    assert made.verdict == pairs.verdict_of_groups(estimate, 0.5, 0.05)
    said = answer(made), *groups(made)
    assert "797 test examples in 10 groups" in said[0]
    assert "McNemar" not in said[0]
    width = made.interval.high - made.interval.low
    single = made.ungrouped_interval.high - made.ungrouped_interval.low
    assert f"make the interval {width / single:.2f} times as wide" in said[1]
    assert resolution(made) == ()


def test_too_few_groups_get_no_verdict(files, digits, tmp_path):
    """4 of them: 2 / 2**4 is above 0.05."""
    path = tmp_path / "grouped.npz"
    np.savez(
        path, x_train=digits.x_train * 15, y_train=digits.y_train, x_test=digits.x_test * 15,
        y_test=digits.y_test, groups_test=np.arange(797) % 4,
    )  # fmt: skip
    made = pairs.compare(files["int8"], files["longer"], str(path))
    assert made.verdict == Verdict.TOO_FEW_GROUPS
    assert answer(made).startswith("4 groups of test examples: too few for a verdict: A − B = ")


def test_the_workflows_command_runs(files, digits, tmp_path):
    for folder in ("build", "released", "testset"):
        (tmp_path / folder).mkdir()
    shutil.copy(files["int8"], tmp_path / "build" / "new.tflite")
    shutil.copy(files["int8"], tmp_path / "released" / "model.tflite")
    for split, x, y in (
        ("train", digits.x_train, digits.y_train),
        ("test", digits.x_test, digits.y_test),
    ):
        write_images(tmp_path / "testset" / f"{split}.parquet", x, y)
    summary = tmp_path / "step.md"
    done = shell(steps()["The new file against the released one"], tmp_path, summary)
    # 797 examples without any discordant one: Tango's limits are within 0.5 pp
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("passed: new.tflite - model.tflite is shown not to be worse")
    assert summary.read_text().startswith("### ✅ Passed: `new.tflite - model.tflite`")
    assert json.loads((tmp_path / "gate.json").read_text())["outcome"] == "passed"


def write_images(path, x, y):
    """A shard of PNGs; digits has 17 levels of grey, which 255 / 16 keeps apart."""
    import io

    import numpy as np
    from PIL import Image

    rows = []
    for image, label in zip(x, y, strict=True):
        out = io.BytesIO()
        Image.fromarray((image[..., 0] * 15).astype(np.uint8)).save(out, "PNG")
        rows.append({"image": {"bytes": out.getvalue()}, "label": int(label)})
    pq.write_table(pa.Table.from_pylist(rows), path)
