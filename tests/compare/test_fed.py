"""What a file is, what it is fed, and when there is no verdict because of that."""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from bench.cli import comparison as compare_terminal
from bench.pipelines import files as compare
from bench.statistics.families import Verdict
from tests.compare.conftest import SCALE, N, png_folder, spec, traced, written


@pytest.mark.parametrize(
    ("name", "number_format"),
    [
        ("float", "float32"), ("int8", "int8"), ("uint8", "int8"), ("float-io", "int8-float-io"),
        ("dynamic", "mixed"), ("half", "float16"), ("int16", "int16x8-float-io"),
        ("raw-uint8", "float32"),
    ],
)  # fmt: skip
def test_a_file_is_what_its_tensors_say(files, name, number_format):
    found = compare.compare(files[name], files["float"], "digits")
    assert found.a.audit.number_format == number_format
    assert found.a.audit.bytes == Path(files[name]).stat().st_size
    said = "number formats are unlike" in compare_terminal.answer(found)
    assert said == found.unlike_formats == (number_format != "float32")


@pytest.mark.parametrize("other", ["uint8", "float-io"])
def test_int8_files_that_differ_in_input_and_output_alone_are_alike(files, other):
    found = compare.compare(files["int8"], files[other], "digits")
    assert found.warnings == ()
    assert found.a.ties == found.b.ties > 0
    assert found.predictions_differ == 0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("raw-float", {"scales": (16, 1)}),
        ("raw-uint8", {}),
        ("raw-uint8", {"scales": (16, 1), "offsets": (0, 0)}),
        ("centred", {"scales": (16, 8), "offsets": (0, -1)}),
        ("grey", {}),
        ("flat", {"scales": (16,), "offsets": (0,)}),
        ("batch-of-1", {}),
        ("batch-of-3", {}),
    ],
)
def test_however_a_file_takes_its_input_it_sees_the_same_images(files, name, options):
    found = compare.compare(files["float"], files[name], "digits", **options)
    assert found.predictions_differ == 0
    assert found.a.correct > N / 2
    assert found.warnings == ()


def test_what_was_fed_is_said(files):
    found = compare.compare(
        files["float"], files["int8"], "digits", scales=(16, 8), offsets=(0, -1)
    )
    assert (found.a.feed.scale, found.a.feed.offset, found.a.feed.holds) == (16, 0, None)
    assert (found.b.feed.low, found.b.feed.high) == (-1, 1)
    assert found.b.feed.holds == pytest.approx((0, 1), abs=0.01)
    assert compare_terminal.fed(found.a) == "x / 16"
    assert compare_terminal.fed(found.b) == "x / 8 − 1"


def test_a_wrong_scale_is_hinted_at(files, digits):
    found = compare.compare(files["float"], files["longer"], "digits", offsets=[1])
    assert 0.3 < found.a.accuracy < found.b.accuracy < 0.5  # far above the commonest class
    assert "both files are often wrong" in " ".join(found.warnings)
    found = compare.compare(files["float"], files["longer"], "digits", offsets=[1, 0])
    assert found.warnings == ()  # a model that is bad by itself
    found = compare.compare(files["int8"], files["float"], "digits", scales=[1])
    clipped = float((digits.x_test > 1.002).mean())
    (said,) = [w for w in found.warnings if "clipped" in w]
    assert f"A was fed 0 to 16, but its input holds 0 to 1: {clipped:.1%}" in said
    assert found.a.feed.clipped == pytest.approx(clipped)


def test_the_same_file_twice_is_said(files):
    found = compare.compare(files["int8"], files["int8"], "digits")
    assert "same file" in found.warnings[0]
    assert (found.difference, found.p, found.fixed, found.broken) == (0, 1, 0, 0)
    assert found.resolution.smallest_significant is None
    assert found.verdict == Verdict.EQUIVALENT


def test_there_is_no_verdict_on_outputs_that_are_not_finite(digits, files, tmp_path):
    """The logarithm of a pixel that is 0 in some images is -inf; 0 / 0 is nan in all."""
    label_0 = np.eye(10, dtype=np.float32)[0]
    some = traced(lambda x: x[:, 3, 3] * label_0 + tf.math.log(x[:, 3, 3]), spec(1, 8, 8, 1))
    every = traced(
        lambda x: (x[:, 3, 3] - x[:, 3, 3]) / (0 * x[:, 3, 3]) * label_0, spec(1, 8, 8, 1)
    )
    dark = digits.x_test[:, 3, 3, 0] == 0
    path = written(tmp_path, "log", some)
    found = compare.compare(files["float"], path, "digits")
    assert found.b.not_finite == dark.sum() > 0
    assert found.b.correct == ((digits.y_test == 0) & ~dark).sum()
    assert (found.verdict, found.b.constant) == (None, None)
    assert found.withheld == (f"B gives nan or infinity on {dark.sum()} of 797 examples",)
    path = written(tmp_path, "nan", every)
    found = compare.compare(path, path, "digits")  # no p-value calls these equivalent
    assert found.verdict is None
    assert found.withheld[0] == "A gives nan or infinity on 797 of 797 examples"
    assert (found.a.correct, found.a.constant) == (0, None)


@pytest.mark.parametrize(
    ("name", "scale", "offset"),
    [("centred", 8, -1), ("raw", 1, 0), ("bytes", 16 / 255, 0), ("normalized", 4.8, -0.667)],
)
def test_a_misfed_file_gets_no_verdict_until_its_input_is_chosen(
    misfed, files, name, scale, offset
):
    """The options that are named give the accuracy of the network that the file was made from."""
    expected = compare.compare(files["longer"], files["longer"], "digits").a
    pairs = {"A": (misfed[name], files["int8"]), "B": (files["int8"], misfed[name])}
    for letter, pair in pairs.items():
        found = compare.compare(*pair, "digits")
        assert found.verdict is None
        said, choose = found.withheld
        assert said.startswith(f"{letter} was fed 0 to 1, but its input holds ")
        scales, offsets, kept = options(choose)
        at = "AB".index(letter)
        assert (scales[at], offsets[at]) == pytest.approx((scale, offset), rel=0.01)
        assert (scales[1 - at], offsets[1 - at]) == (16, 0)
        chosen = compare.compare(*pair, "digits", scales=scales, offsets=offsets)
        assert chosen.verdict is not None
        assert chosen.withheld == chosen.warnings == ()
        assert (chosen.a, chosen.b)[at].accuracy == pytest.approx(expected.accuracy, abs=0.02)
        as_fed = compare.compare(*pair, "digits", scales=kept[0], offsets=kept[1])
        assert as_fed.verdict is not None
        assert "were given, and are taken as they are" in as_fed.warnings[0]
        assert (as_fed.fixed, as_fed.broken) == (found.fixed, found.broken)


@pytest.mark.parametrize(
    ("given", "holds"), [({"scales": [8], "offsets": [-1]}, (0, 1)), ({"scales": [1]}, (0, 1))]
)
def test_the_other_direction_is_clipped_and_said(files, given, holds):
    """A file for [0, 1] that is fed [-1, 1] or [0, 16], as the options say."""
    found = compare.compare(files["int8"], files["float-io"], "digits", **given)
    (said,) = [text for text in found.warnings if "A was fed" in text]
    assert f"but its input holds {holds[0]} to {holds[1]}: {found.a.feed.clipped:.1%} of" in said


def test_data_of_another_range_than_the_file_withhold_the_verdict(files, digits, tmp_path):
    """A folder of digits as 0 to 16, whose own scale is 255: they use a sixteenth of the range."""
    dark = png_folder(tmp_path / "dark", digits.x_test[..., 0], digits.y_test)
    found = compare.compare(files["int8"], files["longer"], dark)
    assert found.verdict is None
    assert found.a.feed.used == pytest.approx(16 / 255, rel=0.01)
    assert "only 6.3% of that was used" in found.withheld[0]


def test_dark_and_bright_images_that_a_file_was_made_for_are_no_misfeeding(digits, tmp_path):
    """All pixels between 0.6 and 1: the quantized range starts at 0 all the same."""
    x = 0.6 + 0.4 * digits.x_train[:50] / SCALE
    weights = np.random.default_rng(0).normal(size=(64, 10)).astype(np.float32)
    blob = traced(
        lambda x: tf.matmul(tf.reshape(x, (-1, 64)), weights),
        spec(1, 8, 8, 1),
        calibration=x.astype(np.float32),
    )
    bright = (0.6 * 255 + 0.4 * 255 / 16 * digits.x_test[..., 0]).astype(np.uint8)
    folder = png_folder(tmp_path / "bright", bright, digits.y_test)
    path = written(tmp_path, "bright", blob)
    found = compare.compare(path, path, folder)
    assert found.withheld == ()
    assert found.a.feed.used == pytest.approx(1, abs=0.02)


def test_a_float_file_beside_a_misfed_one_is_taken_to_be_like_it(misfed, files):
    found = compare.compare(files["float"], misfed["centred"], "digits")
    assert "does not tell" in found.withheld[-1]
    assert options(found.withheld[-1]) == ([8, 8], [-1, -1], ([16, 16], [0, 0]))


def test_one_class_for_every_example_is_said(files, tmp_path):
    third = np.eye(10, dtype=np.float32)[3]
    path = written(tmp_path, "constant", traced(lambda x: 0 * x[:, 0, 0] + third, spec(1, 8, 8, 1)))
    found = compare.compare(path, files["longer"], "digits")
    assert found.a.constant == 3
    assert "A answers class 3 for every example" in found.warnings
    assert found.b.constant is None


def options(text):
    """([scales], [offsets], ([scales], [offsets])) of the two ways that are named: fits, keeps."""
    fits, keeps = (
        [
            [float(n) for n in re.findall(rf"--input-{name} (\S+)", part)]
            for name in ("scale", "offset")
        ]
        for part in text.split(";")
    )  # once for both files, or for each
    fits, keeps = ([values * (3 - len(values)) for values in way] for way in (fits, keeps))
    return *fits, tuple(keeps)
