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
from bench.pipelines import files as pairs
from bench.statistics.mcnemar import mcnemar
from tests.test_gate_command import shell, steps


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
    assert any("come in 10 groups" in warning for warning in made.warnings)


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
