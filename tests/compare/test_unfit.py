"""Every file, option and data set that `compare` cannot use: one message each."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from bench.errors import InputError
from bench.pipelines import files as compare
from bench.pipelines import one_file
from bench.pipelines.testset import load_test
from tests.compare.conftest import edited, png_folder, spec, traced, written


def test_a_parquet_folder_gives_what_the_embedded_data_give(files, digits, tmp_path):
    folder = png_folder(tmp_path / "mine", digits.x_test[..., 0], digits.y_test)
    found = compare.compare(files["longer"], files["int8"], folder, scales=[16])
    expected = compare.compare(files["longer"], files["int8"], "digits", scales=[16])
    assert found.dataset == "mine"
    assert (found.fixed, found.broken) == (expected.fixed, expected.broken)
    assert found.a == expected.a
    unscaled = compare.compare(files["float"], files["int8"], folder)
    assert unscaled.a.feed.scale == 255


W = np.random.default_rng(0).normal(size=(64, 10)).astype(np.float32)


def linear(x):
    return tf.matmul(tf.reshape(x, (-1, 64)), W)


def an_operator_nobody_has():
    def rename(model):
        for code in model.operatorCodes:
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
            code.customCode = "Nobodys"

    return edited(traced(linear, spec(1, 8, 8, 1)), rename)


def a_step_that_is_no_number():
    def spoil(model):
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].quantization.scale = [float("nan")]

    images = np.random.default_rng(0).random((10, 8, 8, 1), np.float32)
    return edited(traced(linear, spec(1, 8, 8, 1), calibration=images), spoil)


def rows_that_know_each_other():
    """Three examples at once, each less their mean: no answer is of one example."""
    return traced(
        lambda x: linear(x - tf.reduce_mean(tf.reshape(x, (3, 8, 8, 1)), 0, keepdims=True)),
        spec(3, 8, 8, 1),
    )


UNFIT = {
    "two inputs": (
        lambda: traced(lambda x, z: linear(x + z), spec(1, 8, 8, 1), spec(1, 8, 8, 1)),
        "2 inputs (x, z)",
    ),
    "two outputs": (
        lambda: traced(lambda x: (linear(x), 2 * x), spec(1, 8, 8, 1)),
        "2 outputs",
    ),
    "strings": (
        lambda: traced(lambda x: tf.reshape(x, (-1, 64)), spec(1, 8, 8, 1, dtype=tf.string)),
        "an input of string",
    ),
    "int32 input": (
        lambda: traced(lambda x: linear(tf.cast(x, tf.float32)), spec(1, 8, 8, 1, dtype=tf.int32)),
        "an input of int32; allowed: float32, int8 or uint8",
    ),
    "a class number": (
        lambda: traced(lambda x: tf.argmax(linear(x), 1), spec(1, 8, 8, 1)),
        "an output of int64",
    ),
    "a map of scores": (
        lambda: traced(lambda x: 2 * x, spec(1, 8, 8, 1)),
        "an output of shape 1 x 8 x 8 x 1",
    ),
    "seven classes": (
        lambda: traced(lambda x: linear(x)[:, :7], spec(1, 8, 8, 1)),
        "gives 7 scores; allowed: 10, the classes of digits",
    ),
    "one sigmoid": (
        lambda: traced(lambda x: tf.sigmoid(linear(x)[:, :1]), spec(1, 8, 8, 1)),
        "gives one score (a sigmoid, or no class at all); allowed: 10, the classes of digits",
    ),
    "a step that is no number": (
        a_step_that_is_no_number,
        "an input quantized in steps of nan; allowed: a finite step above 0",
    ),
    "rows that know each other": (
        rows_that_know_each_other,
        "it takes 3 examples at once, and an example's outputs depend on those beside it",
    ),
    "three channels": (
        lambda: traced(lambda x: linear(x[..., 0]), spec(1, 8, 8, 3)),
        "takes images of 8 x 8 x 3: 3 channels for images of 1; allowed: 8 x 8 x 1",
    ),
    "another size": (
        lambda: traced(lambda x: linear(x[:, :8, :8]), spec(1, 28, 28, 1)),
        "takes images of 28 x 28 x 1; allowed: 8 x 8 x 1",
    ),
    "channels first": (
        lambda: traced(linear, spec(1, 1, 8, 8)),
        "takes images of 1 x 8 x 8: channels first",
    ),
    "an unknown operator": (an_operator_nobody_has, "cannot be run ("),
    "an empty file": (lambda: b"", "no whole TFLite file"),
    "no TFLite file": (lambda: b"PK\x03\x04" + bytes(500), "no whole TFLite file"),
    "a torn file": (lambda: traced(linear, spec(1, 8, 8, 1))[:-200], "no whole TFLite file"),
}


@pytest.fixture(scope="module")
def test_set():
    return load_test("digits")


@pytest.mark.parametrize("case", UNFIT)
def test_a_file_that_does_not_fit_is_one_message(case, test_set):
    build, said = UNFIT[case]
    with pytest.raises(InputError) as caught:
        one_file.evaluated("unfit.tflite", build(), test_set, None, None)
    assert str(caught.value).startswith("unfit.tflite: ")
    assert said in str(caught.value)
    assert "allowed: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_whichever_file_does_not_fit_is_named(files, tmp_path):
    path = written(tmp_path, "unfit", UNFIT["seven classes"][0]())
    for pair in ((path, files["int8"]), (files["int8"], path)):
        with pytest.raises(InputError) as caught:
            compare.compare(*pair, "digits")
        assert str(caught.value) == f"{path}: {UNFIT['seven classes'][1]}"


def test_a_file_torn_anywhere_is_refused(files, test_set):
    blob = Path(files["int8"]).read_bytes()
    for length in range(0, len(blob), len(blob) // 25):
        with pytest.raises(InputError, match="no whole TFLite file"):
            one_file.evaluated("torn.tflite", blob[:length], test_set, None, None)


def test_one_score_for_two_classes_is_no_answer(tmp_path):
    """What a sigmoid gives: above or below a half, for two classes."""
    folder = png_folder(tmp_path / "two", [np.zeros((8, 8), np.uint8)] * 2, [0, 1])
    path = written(tmp_path, "sigmoid", UNFIT["one sigmoid"][0]())
    with pytest.raises(InputError, match=r"gives one score .*; allowed: at least 2"):
        compare.compare(path, path, folder)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"delta": 0.0}, "--delta: found 0; allowed: above 0, at most 100 pp"),
        ({"delta": float("nan")}, "--delta: found nan"),
        ({"alpha": 0.5}, "--alpha: found 0.5; allowed: between 0 and 0.5"),
        ({"scales": [0.0]}, "--input-scale: found 0; allowed: greater than 0"),
        ({"scales": [1, -2]}, "--input-scale: found -2"),
        ({"scales": [1, 2, 3]}, "--input-scale: found 3 values; allowed: once"),
        ({"offsets": [float("inf")]}, "--input-offset: found inf; allowed: any finite number"),
        ({"scales": [1e-320]}, "--input-scale: found 9.99989e-321: x / scale overflows"),
        ({"data": "digts"}, "--data: no dataset 'digts'; did you mean 'digits'?"),
        ({"data": "./nowhere"}, "--data: no folder './nowhere'"),
        ({"a": "nowhere.tflite"}, "nowhere.tflite: no such file"),
        ({"b": "."}, ".: not readable (Is a directory)"),
    ],
)
def test_a_wrong_option_is_one_message(files, options, said):
    arguments = {"a": files["float"], "b": files["int8"], "data": "digits"} | options
    with pytest.raises(InputError) as caught:
        compare.compare(**arguments)
    assert str(caught.value).startswith(said)


def test_labels_must_fit_the_scores(files, tmp_path):
    grey = np.zeros((8, 8), np.uint8)
    eleven = png_folder(tmp_path / "eleven", [grey], [10])
    with pytest.raises(InputError, match="gives 10 scores; allowed: at least 11"):
        compare.compare(files["float"], files["int8"], eleven)
    named = {"class_names": json.dumps(["cat", "dog"])}
    two = png_folder(tmp_path / "two", [grey], [1], named)
    with pytest.raises(InputError, match="gives 10 scores; allowed: 2, the classes of two"):
        compare.compare(files["float"], files["int8"], two)
    beyond = png_folder(tmp_path / "beyond", [grey], [2], named)
    with pytest.raises(InputError, match="label 2; allowed: 0 to 1, the named classes"):
        compare.compare(files["float"], files["int8"], beyond)
    colour = png_folder(tmp_path / "colour", [np.zeros((8, 8, 3), np.uint8)], [1])
    with pytest.raises(InputError, match="8 x 8 x 1: 1 channels for images of 3"):
        compare.compare(files["float"], files["int8"], colour)
