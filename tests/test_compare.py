"""`compare` on real files: against TensorFlow's own interpreter, one example at a time, and
scipy's binomial test; and every file that it cannot feed."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import flatbuffers
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from PIL import Image
from scipy import stats

from bench import datasets, models
from bench.cli import comparison as compare_terminal
from bench.errors import InputError
from bench.pipelines import cell, convert, evaluate, train
from bench.pipelines import files as compare
from bench.statistics.families import Verdict
from bench.statistics.mcnemar import mcnemar

SCALE = 16.0
N = 797
LITE = tf.lite.OpsSet


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


@pytest.fixture(scope="module")
def trainer(digits):
    """The tutorial CNN after three epochs."""
    cell.prepare()
    made = train.Trainer(models.get("tutorial_cnn").build, (8, 8, 1), 10, "adam", SCALE)
    made.load(made.initial(1, {}))
    x, y = tf.constant(digits.x_train), tf.constant(digits.y_train)
    made.run(x, y, [train.data_order(1000, e, 1, {}) for e in range(3)], 32, 1e-3)
    return made


def stock(model, calibration, **settings):
    """The converter as the public tutorials call it, from a Keras model."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if calibration is not None:
        x = calibration.astype(np.float32) / np.float32(SCALE)
        converter.representative_dataset = lambda: ([x[i : i + 1]] for i in range(len(x)))
    for name, value in settings.items():
        where = converter.target_spec if name.startswith("supported") else converter
        setattr(where, name, value)
    return converter.convert()


def traced(function, *specs):
    """A float file of any function."""
    concrete = tf.function(function).get_concrete_function(*specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    converter.experimental_lower_to_saved_model = False
    return converter.convert()


def spec(*shape, dtype=tf.float32):
    return tf.TensorSpec(shape, dtype)


@pytest.fixture(scope="module")
def files(trainer, digits, tmp_path_factory):
    """Path by name, of every kind of file that can be fed."""
    model, calibration = trainer.model, digits.x_train[:100]
    converter = convert.Converter(model, SCALE)
    int8 = {"supported_ops": [LITE.TFLITE_BUILTINS_INT8]}
    uint8 = {"inference_input_type": tf.uint8, "inference_output_type": tf.uint8}
    int16 = [LITE.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    blobs = {
        "float": converter.float32(),
        "int8": converter.ptq(calibration),
        "uint8": stock(model, calibration, **int8, **uint8),
        "float-io": stock(model, calibration),
        "dynamic": stock(model, None),
        "half": stock(model, None, supported_types=[tf.float16]),
        "int16": stock(model, calibration, supported_ops=int16),
        "raw-float": traced(lambda x: model(x / SCALE), spec(1, 8, 8, 1)),
        "raw-uint8": traced(
            lambda x: model(tf.cast(x, tf.float32) / SCALE), spec(1, 8, 8, 1, dtype=tf.uint8)
        ),
        "centred": traced(lambda x: model((x + 1) / 2), spec(1, 8, 8, 1)),
        "grey": traced(lambda x: model(x[..., None]), spec(1, 8, 8)),
        "flat": traced(lambda x: model(tf.reshape(x, (-1, 8, 8, 1))), spec(1, 64)),
        "batch-of-1": traced(lambda x: model(tf.reshape(x, (1, 8, 8, 1))), spec(1, 8, 8)),
        "batch-of-3": traced(lambda x: model(tf.reshape(x, (3, 8, 8, 1))), spec(3, 8, 8)),
    }
    x, y = tf.constant(digits.x_train), tf.constant(digits.y_train)
    trainer.run(x, y, [train.data_order(1000, 3, 1, {})], 32, 1e-3)
    blobs["longer"] = converter.float32()
    folder = tmp_path_factory.mktemp("files")
    for name, blob in blobs.items():
        (folder / f"{name}.tflite").write_bytes(blob)
    return {name: str(folder / f"{name}.tflite") for name in blobs}


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
    unlike = any("unlike number formats" in said for said in found.warnings)
    assert unlike == (number_format != "float32")


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


def test_outputs_that_are_not_finite_count_as_wrong(digits, tmp_path):
    """The logarithm of a pixel that is 0 in some images is -inf."""
    label_0 = np.eye(10, dtype=np.float32)[0]
    blob = traced(lambda x: x[:, 3, 3] * label_0 + tf.math.log(x[:, 3, 3]), spec(1, 8, 8, 1))
    (tmp_path / "log.tflite").write_bytes(blob)
    path = str(tmp_path / "log.tflite")
    found = compare.compare(path, path, "digits")
    dark = digits.x_test[:, 3, 3, 0] == 0
    assert found.a.not_finite == dark.sum() > 0
    assert found.a.correct == ((digits.y_test == 0) & ~dark).sum()
    assert any("nan or infinity" in said for said in found.warnings)


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


def png_folder(folder, images, labels, metadata=None):
    """test.parquet alone: a folder need not have training images."""
    column = []
    for i, image in enumerate(images):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        column.append({"bytes": buffer.getvalue(), "path": f"{i}.png"})
    table = pa.table({"image": column, "label": pa.array(labels, pa.int64())})
    folder.mkdir()
    pq.write_table(table.replace_schema_metadata(metadata), folder / "test.parquet")
    return f"{folder}/"


def test_a_parquet_folder_gives_what_the_embedded_data_give(files, digits, tmp_path):
    folder = png_folder(tmp_path / "mine", digits.x_test[..., 0], digits.y_test)
    found = compare.compare(files["longer"], files["int8"], folder, scales=[16])
    expected = compare.compare(files["longer"], files["int8"], "digits")
    assert found.dataset == "mine"
    assert (found.fixed, found.broken) == (expected.fixed, expected.broken)
    assert found.a == expected.a
    unscaled = compare.compare(files["float"], files["int8"], folder)
    assert unscaled.a.feed.scale == 255


W = np.random.default_rng(0).normal(size=(64, 10)).astype(np.float32)


def linear(x):
    return tf.matmul(tf.reshape(x, (-1, 64)), W)


def an_operator_nobody_has():
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(traced(linear, spec(1, 8, 8, 1)), 0))
    for code in model.operatorCodes:
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = "Nobodys"
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


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


@pytest.mark.parametrize("case", UNFIT)
def test_a_file_that_does_not_fit_is_one_message(case, files, tmp_path):
    build, said = UNFIT[case]
    path = tmp_path / "unfit.tflite"
    path.write_bytes(build())
    for pair in ((str(path), files["int8"]), (files["int8"], str(path))):
        with pytest.raises(InputError) as caught:
            compare.compare(*pair, "digits")
        assert str(caught.value).startswith(f"{path}: ")
        assert said in str(caught.value)
        assert "allowed: " in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_file_torn_anywhere_is_refused(files, tmp_path):
    blob = Path(files["int8"]).read_bytes()
    path = tmp_path / "torn.tflite"
    for length in range(0, len(blob), len(blob) // 25):
        path.write_bytes(blob[:length])
        with pytest.raises(InputError, match="no whole TFLite file"):
            compare.compare(str(path), files["int8"], "digits")


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
        ({"data": "digts"}, "--data: no dataset 'digts'; did you mean 'digits'?"),
        ({"data": "./nowhere"}, "--data: no 'nowhere/test.parquet'"),
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


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "bench", "compare", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "", "COLUMNS": "1000"},
    )


def test_the_command_says_what_the_json_says(files, tmp_path):
    path = tmp_path / "found.json"
    done = command(files["longer"], files["int8"], "--data", "digits", "--json", path)
    assert done.returncode == 0, done.stderr
    said = json.loads(path.read_text())
    found = compare.compare(files["longer"], files["int8"], "digits")
    assert said == json.loads(compare_terminal.as_json(found))
    assert said["interval"] == list(found.interval)
    assert said["b"]["audit"]["number_format"] == "int8"
    for text in (
        compare_terminal.answer(found),
        *compare_terminal.resolution(found),
        *compare_terminal.churn(found),
        "two files on new examples",
        "warning: unlike number formats: A is float32, B is int8",
        said["a"]["audit"]["sha256"],
        said["b"]["audit"]["sha256"],
        f"{100 * found.b.accuracy:.2f}% ({found.b.correct})",
    ):
        assert text in done.stdout
    assert "nan" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.tflite"], "error: nowhere.tflite: no such file; allowed: a TFLite file"),
        (["--alpha", "2"], "error: --alpha: found 2; allowed: between 0 and 0.5"),
        (["--json", "/nowhere/x.json"], "error: --json: cannot write '/nowhere/x.json'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(files, arguments, said):
    two = [files["int8"]] if arguments[0].endswith("tflite") else [files["int8"], files["float"]]
    done = command(*two, *arguments, "--data", "digits")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_neither_tensorflow_nor_ray_is_imported(files):
    probe = (
        "import sys; sys.argv[1:] = ['compare', *sys.argv[1:], '--data', 'digits']\n"
        "from bench.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "loaded = {'tensorflow', 'ray', 'tf_keras', 'pandas', 'scipy.stats'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run(
        [sys.executable, "-c", probe, files["float"], files["int8"]], check=True, timeout=60
    )


@pytest.mark.parametrize(
    ("fixed", "broken", "said"),
    [
        (150, 86, "A is above B; whether by more than 0.5 pp is undecided"),
        (86, 150, "A is below B; whether by more than 0.5 pp is undecided"),
        (400, 86, "A is above B, by more than 0.5 pp"),
        (30, 10, "A is above B, but by less than 0.5 pp"),
        (20, 22, "A and B are equivalent within 0.5 pp"),
        (150, 149, "A and B are equivalent within 0.5 pp"),
        (300, 280, "Whether A and B differ is undecided"),
    ],
)
def test_every_verdict_has_its_sentence(files, fixed, broken, said):
    made = compare.compare(files["int8"], files["int8"], "digits")
    counts = mcnemar(fixed, broken, 10000)
    fields = {
        "verdict": compare.verdict(counts, 0.005, 0.05),
        "difference": 100 * counts.difference,
        "p": counts.p,
    }
    sentence = compare_terminal.answer(replace(made, **fields))
    assert sentence.startswith(f"{said}: A − B = ")
    assert ("p < 0.0001" in sentence) == (counts.p < 0.0001)
