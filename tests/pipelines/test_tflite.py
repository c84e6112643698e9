"""The fast conversion is the stock one; a file is what its audit says; batches change no bit."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_optimization as tfmot

from bench import datasets, models
from bench.pipelines import cell, convert, evaluate, streams, train
from bench.pipelines.audit import audit
from tests.pipelines.networks import drawn

SCALE = 16.0


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    cell.prepare()


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


@pytest.fixture(scope="module")
def calibration(digits):
    return digits.x_train[drawn(1000, 100, 0, {})]


@pytest.fixture(scope="module", params=["bncnn", "tutorial_cnn", "resnet8"])
def trained(request, digits):
    """(float model, its QAT model), trained for a moment so that no range is degenerate."""
    build = models.get(request.param).build
    base = train.Trainer(build, (8, 8, 1), 10, "adam", SCALE)
    base.load(base.initial(1, {}))
    x, y = tf.constant(digits.x_train), tf.constant(digits.y_train)
    base.run(x, y, [streams.data_order(1000, e, 1, {}) for e in range(2)], 32, 1e-3)
    quantized = train.Trainer(build, (8, 8, 1), 10, "adam", SCALE, base.model)
    quantized.load(quantized.forked(base.state.weights))
    quantized.run(x, y, [streams.data_order(1000, 2, 1, {})], 32, 1e-3)
    return base.model, quantized.model


def stock(model, calibration=None, int8=True):
    """The oracle: the converter as the public tutorials call it."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if calibration is not None:
            x = calibration.astype(np.float32) / np.float32(SCALE)
            converter.representative_dataset = lambda: ([x[i : i + 1]] for i in range(len(x)))
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def outputs(blob, x):
    return evaluate.Evaluator(blob, SCALE).outputs(x)


def one_at_a_time(blob, x):
    """The oracle: TensorFlow's own interpreter, one invocation per example."""
    interpreter = tf.lite.Interpreter(model_content=blob, num_threads=1)
    interpreter.allocate_tensors()
    fed, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    results = []
    for image in x.astype(np.float32) / np.float32(SCALE):
        if fed["dtype"] == np.int8:
            step, zero = fed["quantization"]
            image = np.clip(np.round(image / step + zero), -128, 127).astype(np.int8)
        interpreter.set_tensor(fed["index"], image[None])
        interpreter.invoke()
        results.append(interpreter.get_tensor(given["index"])[0])
    return np.array(results)


def test_fast_float_conversion_is_the_stock_one(trained, digits):
    fast = convert.Converter(trained[0], SCALE).float32()
    assert np.array_equal(
        outputs(fast, digits.x_test), outputs(stock(trained[0], int8=False), digits.x_test)
    )
    assert audit(fast).number_format == "float32"


def test_fast_ptq_conversion_is_the_stock_one(trained, digits, calibration):
    fast = convert.Converter(trained[0], SCALE).ptq(calibration)
    assert np.array_equal(
        outputs(fast, digits.x_test), outputs(stock(trained[0], calibration), digits.x_test)
    )
    assert audit(fast).number_format == "int8"


def test_fast_qat_conversion_is_the_stock_one(trained, digits):
    fast = convert.Converter(trained[1], SCALE).qat()
    assert np.array_equal(outputs(fast, digits.x_test), outputs(stock(trained[1]), digits.x_test))
    assert audit(fast).number_format == "int8"


def test_a_converter_takes_the_weights_of_the_moment(trained, digits):
    model = trained[0]
    converter = convert.Converter(model, SCALE)
    before = converter.float32()
    weights = model.get_weights()
    model.set_weights([2 * w for w in weights])
    assert converter.float32() != before
    model.set_weights(weights)
    assert np.array_equal(
        outputs(converter.float32(), digits.x_test), outputs(before, digits.x_test)
    )


def test_the_same_file_is_converted_once(trained, calibration):
    """Of each format the last one is kept, and no other is taken for it."""
    model = trained[0]
    converter = convert.Converter(model, SCALE)
    blob, quantized = converter.float32(), converter.ptq(calibration)
    assert converter.float32() is blob
    assert converter.ptq(calibration) is quantized
    assert converter.route == "frozen"
    others = [
        converter.ptq(calibration[1:] // 2),
        converter.ptq(calibration, granularity="per-tensor"),
        converter.ptq(calibration, "int8-float-io"),
    ]
    assert len({quantized, *others}) == 4
    again = converter.ptq(calibration)
    assert again is not quantized
    assert again == quantized


def test_a_converter_of_many_models_makes_the_file_of_a_fresh_one(trained, calibration):
    """Byte for byte, though it freezes its graph only once."""
    for model, made in (
        (trained[0], lambda converter: converter.float32()),
        (trained[0], lambda converter: converter.ptq(calibration)),
        (trained[1], lambda converter: converter.qat()),
    ):
        converter = convert.Converter(model, SCALE)
        first = made(converter)
        weights = model.get_weights()
        model.set_weights([0.5 * w for w in weights])
        changed = made(converter)
        assert changed != first
        assert changed == made(convert.Converter(model, SCALE))
        model.set_weights(weights)
        assert made(converter) == first


def test_one_batch_gives_the_bits_of_one_example_at_a_time(trained, digits, calibration):
    blob = convert.Converter(trained[0], SCALE).ptq(calibration)
    assert np.array_equal(outputs(blob, digits.x_test), one_at_a_time(blob, digits.x_test))


def test_chunks_of_unequal_length_change_nothing(trained, digits, calibration, monkeypatch):
    blob = convert.Converter(trained[0], SCALE).ptq(calibration)
    whole = outputs(blob, digits.x_test)
    monkeypatch.setattr(evaluate, "CHUNK", 64)  # 797 = 12 * 64 + 29
    assert np.array_equal(outputs(blob, digits.x_test), whole)


def test_uint8_and_float_inputs_are_quantized_alike(trained, digits, calibration):
    blob = convert.Converter(trained[0], SCALE).ptq(calibration)
    assert np.array_equal(
        outputs(blob, digits.x_test), outputs(blob, digits.x_test.astype(np.float32))
    )


def test_zero_steps_of_qat_with_calibrated_ranges_are_close_to_ptq(digits, calibration):
    # From chance with TFMOT's own ranges: they were never set.
    build = models.get("tutorial_cnn").build
    base = train.Trainer(build, (8, 8, 1), 10, "adam", SCALE)
    base.load(base.initial(2, {}))
    x, y = tf.constant(digits.x_train), tf.constant(digits.y_train)
    base.run(x, y, [streams.data_order(1000, e, 2, {}) for e in range(8)], 32, 1e-3)
    quantized = train.Trainer(build, (8, 8, 1), 10, "adam", SCALE, base.model)
    cold = quantized.forked(base.state.weights)

    def accuracy(blob):
        return np.mean(outputs(blob, digits.x_test).argmax(1) == digits.y_test)

    converter = convert.Converter(quantized.model, SCALE)
    quantized.load(cold)
    chance = accuracy(converter.qat())
    quantized.calibrate(calibration, 32)
    calibrated = accuracy(converter.qat())
    ptq = accuracy(convert.Converter(base.model, SCALE).ptq(calibration))
    assert chance < 0.5 < 0.8 < ptq
    assert abs(calibrated - ptq) < 0.01


def test_an_unquantized_operator_makes_a_file_mixed(trained):
    """Dynamic-range weights with float activations are the thread's sibling's mistake."""
    converter = tf.lite.TFLiteConverter.from_keras_model(trained[0])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    found = audit(converter.convert())
    if found.int8_tensors:  # TFLite leaves weights under 1,024 elements as they are
        assert found.number_format == "mixed"
    assert found.float_ops > 0


def test_ties_are_counted_where_the_highest_two_are_equal():
    scores = np.array([[1, 5, 5], [5, 1, 4], [7, 7, 7], [0, 1, 2]], dtype=np.int8)
    assert evaluate.ties(scores).tolist() == [True, False, True, False]


def test_dequantized_logits_are_step_times_distance_from_zero(trained, digits, calibration):
    evaluator = evaluate.Evaluator(convert.Converter(trained[0], SCALE).ptq(calibration), SCALE)
    raw = evaluator.outputs(digits.x_test[:20])
    step, zero = evaluator._output["quantization"]
    assert np.allclose(evaluator.logits(raw), step * (raw.astype(int) - zero), rtol=1e-6)


def test_tfmot_is_the_version_whose_start_values_the_report_names():
    assert tfmot.__version__.startswith("0.8.")


def test_latency_is_of_one_example_alone(trained, calibration):
    converter = convert.Converter(trained[0], SCALE)
    for blob in (converter.float32(), converter.ptq(calibration)):
        evaluator = evaluate.Evaluator(blob, SCALE)
        before = evaluator.outputs(calibration[:3])
        taken = evaluator.latency(calibration)
        assert 0 < taken < 1e6
        assert np.array_equal(evaluator.outputs(calibration[:3]), before)
