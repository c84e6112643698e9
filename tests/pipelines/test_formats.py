"""Number formats and granularities of files: what a factor asks for is what the audit finds."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from bench import datasets
from bench.pipelines import cell, conversions, evaluate, starts, trainers
from bench.pipelines.audit import audit
from bench.plan.cells import cells
from bench.plan.trajectories import trajectories
from bench.study import load
from bench.study.effective import PTQ_FORMATS, effective
from bench.study.factors import FACTORS

EXAMPLES = 64

DEPTHWISE = """
import tf_keras
from tf_keras import layers

def model(shape, classes):
    return tf_keras.Sequential([
        layers.Input(shape), layers.Conv2D(6, 3, padding="same", use_bias=False),
        layers.BatchNormalization(), layers.ReLU(),
        layers.DepthwiseConv2D(3, padding="same", activation="relu", depth_multiplier=2),
        layers.Conv2D(8, 1, activation="relu"), layers.Flatten(), layers.Dense(classes)])
"""


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    cell.prepare()


@pytest.fixture(scope="module")
def data():
    return datasets.load("digits", EXAMPLES)


@pytest.fixture(scope="module")
def depthwise(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "depthwise_net.py"
    path.write_text(DEPTHWISE)
    return str(path)


def rows(data, source, *overrides):
    made = load(source, ["seeds=1", "budgets=1", f"train_examples={EXAMPLES}", "datasets=digits",
                         "calibration_examples=30", *overrides])  # fmt: skip
    found = []
    for trajectory in trajectories(cells(made)):
        for segment in trajectory.segments:
            checkpoint = cell.run_segment(data, segment, None)
            for fork in segment.forks:
                for of, row in zip(
                    fork.cells, cell.run_fork(data, segment, fork, checkpoint), strict=True
                ):
                    assert row["status"] in ("ok", "diverged"), row["error"]
                    found.append((of, row))
    return found


def test_each_format_is_what_the_audit_finds(data):
    formats = list(PTQ_FORMATS)
    found = rows(data, "digits", "batch_norm_momentum=0.9", "arms=[float,ptq]",
                 f"ptq_format=[{','.join(formats)}]")  # fmt: skip
    by_format = {row["ptq_format"]: (of, row) for of, row in found}
    assert set(by_format) == {*formats, None}
    for kind in formats:
        of, row = by_format[kind]
        assert row["number_format"] == effective("ptq", of.recipe.levels).number_format, kind
        if kind not in ("float16", "int16"):
            assert "per channel" in row["granularity"]
    assert by_format["float16"][1]["bytes"] < by_format[None][1]["bytes"]
    right = {kind: row["correct"] for kind, (_, row) in by_format.items()}
    assert abs(right["float16"] - right[None]) <= 8
    assert abs(right["int16"] - right[None]) <= 8


def test_formats_without_calibration_are_one_cell_whatever_the_calibration():
    made = load(
        "digits",
        ["seeds=1", "budgets=1", "arms=ptq", "batch_norm_momentum=0.9",
         "ptq_format=[int8,float16]", "calibration_examples=[50,200]"],
    )  # fmt: skip
    ids = {}
    for one in cells(made):
        ids.setdefault(one.recipe["ptq_format"], []).append(one.id)
    assert len(set(ids["int8"])) == 2
    assert len(ids["float16"]) == 2
    assert len(set(ids["float16"])) == 1


def scales(blob, kind):
    """The scales of the weights of the operators of a kind, by layer. (Batch normalization that is
    folded into a kernel multiplies each channel's scale: here there is none.)"""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(blob, 0))
    (graph,) = model.subgraphs
    found = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) == kind:
            found.append(list(graph.tensors[operator.inputs[1]].quantization.scale))
    return found


def blob_of(data, source, arm, *overrides):
    made = load(source, ["seeds=1", "budgets=1", f"arms={arm}", f"train_examples={EXAMPLES}",
                         "datasets=digits", "calibration_examples=30", *overrides])  # fmt: skip
    (segment,) = trajectories(cells(made))[0].segments
    (fork,) = segment.forks
    checkpoint = cell.run_segment(data, segment, None)
    trainer, state = starts.STARTS[fork.training](data, segment, fork, checkpoint)
    if fork.extras:
        course = cell.course_of(data, fork, 2, 1)
        state = trainers.trained(trainer, data, segment, state, course, 0, course.total, 1)
    trainer.load(state)
    convert = conversions.CONVERTS[effective(arm, fork.cells[0].recipe.levels).conversion.name]
    return convert(data, segment, fork.cells[0], trainer)[0], trainer


def test_a_depthwise_layer_quantized_per_channel_has_as_many_scales_as_channels(data, depthwise):
    kind = schema.BuiltinOperator.DEPTHWISE_CONV_2D
    stock, _ = blob_of(data, depthwise, "qat")
    own_channels, trainer = blob_of(data, depthwise, "qat", "qat_granularity=depthwise-per-channel")
    assert len(set(map(float, scales(stock, kind)[0]))) == 2  # its channel axis is the multiplier
    assert len(set(map(float, scales(own_channels, kind)[0]))) == 12  # 6 channels times 2
    assert audit(own_channels).number_format == "int8"
    # The file's answers are Keras's, up to steps of the output.
    x = data.x_test[:200]
    evaluator = evaluate.Evaluator(own_channels, data.scale)
    logits = evaluator.logits(evaluator.outputs(x))
    keras = trainer.logits(tf.constant(x))
    step = evaluator._output["quantization"][0]
    assert np.abs(logits - keras).max() < 6 * step
    assert (logits.argmax(1) == keras.argmax(1)).mean() > 0.9


def test_ptq_takes_its_granularity(data, depthwise):
    for level, said in (
        ("stock", {"per channel"}),
        ("per-tensor", {"per tensor"}),
        ("dense-per-tensor", {"per channel", "per tensor"}),
    ):
        blob, _ = blob_of(data, depthwise, "ptq", f"ptq_granularity={level}")
        found = dict(part.split(" ", 1) for part in audit(blob).granularity.split(", "))
        assert set(found.values()) == said
        assert (found["FULLY_CONNECTED"] == "per tensor") == (level != "stock")
        assert audit(blob).number_format == "int8"


def test_the_first_and_the_last_layer_may_stay_in_float(data, depthwise):
    ((of, row),) = rows(data, depthwise, "arms=qat", "qat_layers=first-and-last-float")
    assert row["number_format"] == "mixed" == effective("qat", of.recipe.levels).number_format
    assert "DEPTHWISE_CONV_2D" in row["granularity"]
    assert "FULLY_CONNECTED" not in row["granularity"]
    assert row["route"].startswith("frozen")


def test_a_network_of_one_layer_has_none_between(data, tmp_path):
    source = tmp_path / "flat.py"
    source.write_text(
        "from tf_keras import layers, Sequential\ndef model(shape, classes):\n"
        "    return Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(classes)])\n"
    )
    made = load(str(source), ["seeds=1", "budgets=1", "arms=qat", "train_examples=64",
                              "qat_layers=first-and-last-float"])  # fmt: skip
    (segment,) = trajectories(cells(made))[0].segments
    (row,) = cell.run_fork(data, segment, segment.forks[0], cell.run_segment(data, segment, None))
    assert row["status"] == "unsupported"
    assert "1 layers have kernels" in row["error"]


def test_a_factor_of_depthwise_layers_needs_one():
    for model, reached in (("bncnn", False), ("ds_cnn", True)):
        assert FACTORS["qat_granularity"].concerns(model) == reached
