"""The granularity of weights by distinct scales, and formats by what flows, on real files."""

from contextlib import suppress

import flatbuffers
import numpy as np
import pytest
import tf_keras
from ai_edge_litert import schema_py_generated as schema

from bench import datasets
from bench.pipelines import cell, convert, streams, train
from bench.pipelines.audit import audit, operators, state

L = tf_keras.layers
KIND = schema.BuiltinOperator


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    cell.prepare()


@pytest.fixture(scope="module")
def calibration():
    return datasets.load("digits").x_train[:50]


def build(shape, classes):
    """Two convolutions, one of them to a single channel, a depthwise one, two dense layers."""
    tf_keras.utils.set_random_seed(0)
    return tf_keras.Sequential([
        L.Input(shape), L.Conv2D(8, 3), L.DepthwiseConv2D(3), L.Conv2D(1, 1), L.Flatten(),
        L.Dense(12), L.Dense(classes),
    ])  # fmt: skip


@pytest.fixture(scope="module")
def trainer():
    return train.Trainer(build, (8, 8, 1), 10, "adam", 16.0)


@pytest.fixture(scope="module")
def ptq(trainer, calibration):
    return convert.Converter(trainer.model, 16.0).ptq(calibration)


def changed(blob, change):
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(blob, 0))
    change(model)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def weights(model, kind):
    """The weights of a kind of operator, in the file's order."""
    (graph,) = model.subgraphs
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    chosen = [operator for operator in graph.operators if codes[operator.opcodeIndex] == kind]
    return [graph.tensors[operator.inputs[1]].quantization for operator in chosen]


def test_ptq_gives_every_kind_a_scale_per_channel(ptq):
    assert audit(ptq).granularity == (
        "CONV_2D per channel, DEPTHWISE_CONV_2D per channel, FULLY_CONNECTED per channel"
    )


def test_qat_repeats_one_scale_in_dense_and_depthwise_layers(trainer):
    """TFMOT's ranges are per layer there: the file has 10 scales of one value."""
    quantized = train.Trainer(build, (8, 8, 1), 10, "adam", 16.0, trainer.model)
    x = datasets.load("digits")
    quantized.run(x.x_train, x.y_train, [streams.data_order(1000, 0, 1, {})], 32, 1e-3)
    blob = convert.Converter(quantized.model, 16.0).qat()
    assert audit(blob).granularity == (
        "CONV_2D per channel, DEPTHWISE_CONV_2D per tensor, FULLY_CONNECTED per tensor"
    )


def test_a_float_file_has_no_granularity(trainer):
    assert audit(convert.Converter(trainer.model, 16.0).float32()).granularity == ""


def test_layers_that_differ_are_mixed_and_one_channel_counts_as_neither(ptq):
    def level(model):
        first, _ = weights(model, KIND.FULLY_CONNECTED)
        first.scale = [0.5] * len(first.scale)
        _, single = weights(model, KIND.CONV_2D)
        assert len(single.scale) == 1

    assert audit(changed(ptq, level)).granularity == (
        "CONV_2D per channel, DEPTHWISE_CONV_2D per channel, FULLY_CONNECTED mixed"
    )

    def one_for_all(model):
        for kind in (KIND.CONV_2D, KIND.FULLY_CONNECTED):
            for quantization in weights(model, kind):
                quantization.scale, quantization.zeroPoint = [0.5], [0]

    assert audit(changed(ptq, one_for_all)).granularity == (
        "CONV_2D per tensor, DEPTHWISE_CONV_2D per channel, FULLY_CONNECTED per tensor"
    )


def test_one_int16_tensor_among_int8_ones_makes_a_file_mixed(ptq):
    def widen(model):
        (graph,) = model.subgraphs
        graph.tensors[graph.operators[0].outputs[0]].type = schema.TensorType.INT16

    assert audit(ptq).number_format == "int8"
    assert audit(changed(ptq, widen)).number_format == "mixed"


def test_operators_are_counted_by_kind(ptq):
    assert operators(ptq) == {
        "CONV_2D": 2, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 2, "RESHAPE": 1
    }  # fmt: skip
    assert state(ptq) == "none"


def test_whatever_is_damaged_is_a_value_error(ptq):
    rng = np.random.default_rng(0)
    for _ in range(300):
        blob = bytearray(ptq)
        at = int(rng.integers(len(blob)))
        blob[at] = int(rng.integers(256))
        for read in (audit, operators, state):
            with suppress(ValueError):
                read(bytes(blob))
