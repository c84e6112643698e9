"""What is tried before anything trains: real models of many kinds, in a process of its own."""

import json
import subprocess
import sys

import pytest

from tests.packages import with_models

HEAD = 'x = L.GlobalAveragePooling2D()(L.Conv2D(8, 3, activation="relu")(i))\n'

UNUSABLE = {
    "one_sigmoid": "return k.Sequential([L.Input(shape), L.Flatten(), L.Dense(1, 'sigmoid')])",
    "two_outputs": f"i = L.Input(shape)\n{HEAD}"
    "return k.Model(i, [L.Dense(classes)(x), L.Dense(2)(x)])",
    "five_outputs": "return k.Sequential([L.Input(shape), L.Flatten(), L.Dense(5)])",
    "a_map": "return k.Sequential([L.Input(shape), L.Conv2D(classes, 3)])",
    "other_input": "return k.Sequential([L.Input((4, 4, 1)), L.Flatten(), L.Dense(classes)])",
    "two_inputs": "i, j = L.Input(shape), L.Input(shape)\n"
    "return k.Model([i, j], L.Dense(classes)(L.Flatten()(L.Add()([i, j]))))",
    "no_input": "return k.Sequential([L.Flatten(), L.Dense(classes)])",
    "softmax": "return k.Sequential([L.Input(shape), L.Flatten(), L.Dense(classes, 'softmax')])",
    "softmax_layer": "return k.Sequential("
    "[L.Input(shape), L.Flatten(), L.Dense(classes), L.Softmax()])",
    "sigmoids": "return k.Sequential([L.Input(shape), L.Flatten(), L.Dense(classes, 'sigmoid')])",
    "keras3": "import keras\nM = keras.layers\n"
    "return keras.Sequential([M.Input(shape), M.Flatten(), M.Dense(classes)])",
    "mixed": "k.mixed_precision.set_global_policy('mixed_bfloat16')\n"
    "m = k.Sequential([L.Input(shape), L.Flatten(), L.Dense(classes, dtype='float32')])\n"
    "k.mixed_precision.set_global_policy('float32')\nreturn m",
    "half": "return k.Sequential([L.Input(shape), L.Flatten(), L.Dense(classes, dtype='float16')])",
    "nothing": "pass",
    "typo": "return k.Sequential([L.Input(shape), L.Flaten(), L.Dense(classes)])",
    "raises": "raise RuntimeError('not for digits')",
    "exits": "import sys\nsys.exit(3)",
}

SAYS = {
    "one_sigmoid": "has an output of shape (n, 1); one output of shape (n, 10) is needed",
    "two_outputs": "has 2 outputs, of shapes (n, 10), (n, 2); one output of shape (n, 10)",
    "five_outputs": "has an output of shape (n, 5); one output of shape (n, 10) is needed",
    "a_map": "has an output of shape (n, 6, 6, 10); one output of shape (n, 10) is needed",
    "other_input": "takes inputs of shape (n, 4, 4, 1), not (n, 8, 8, 1)",
    "two_inputs": "has 2 inputs, of shapes (n, 8, 8, 1), (n, 8, 8, 1); one is allowed",
    "no_input": "has no input of a known shape",
    "softmax": "gives probabilities of shape (n, 10) that sum to 1",
    "softmax_layer": "gives probabilities of shape (n, 10) that sum to 1",
    "sigmoids": "ends in a sigmoid, with an output of shape (n, 10)",
    "keras3": "is a Keras 3 model, and TFMOT knows Keras 2 only",
    "mixed": "computes in mixed precision (layer",
    "half": "computes in mixed precision (layer dense",
    "nothing": "is no tf_keras model but a builtins.NoneType",
    "typo": "cannot be built: AttributeError: module",
    "raises": "cannot be built: RuntimeError: not for digits (raises.py:7)",
    "exits": "cannot be built: SystemExit: 3 (exits.py:8)",
}

WITHOUT_QAT = {
    "prelu": ("L.PReLU(shared_axes=[1, 2])", "p_re_lu"),
    "layer_norm": ("L.LayerNormalization()", "layer_normalization"),
    "rescaling": ("L.Rescaling(2.0)", "rescaling"),
    "nested": ("k.Sequential([L.Input((6, 6, 8)), L.Conv2D(8, 3)])", "sequential"),
    "first": ("", "batch_normalization"),
    "gru": ("L.Reshape((36, 8)), L.GRU(4), L.Reshape((1, 1, 4))", "gru"),
}


def body(name):
    layer = f"{WITHOUT_QAT[name][0]}, " if WITHOUT_QAT[name][0] else ""
    first = "L.BatchNormalization(), " if name == "first" else ""
    return (
        f"return k.Sequential([L.Input(shape), {first}L.Conv2D(8, 3), {layer}"
        "L.GlobalAveragePooling2D(), L.Dense(classes)])"
    )


SCRIPT = """
import json, sys
from bench import datasets
from bench.plan.cells import cells
from bench.runner.isolation import Crash, Isolated
from bench.runner.pipeline import Pipeline
from bench.runner.probes import few, probes
from bench.study import validate

data = few(datasets.load("digits"))
body = Isolated(Pipeline("bench.pipelines.cell"))  # the converter may crash
for name in sys.argv[1:]:
    fields = {"models": [name], "seeds": 1, "budgets": [1], "arms": ["float", "ptq", "qat"]}
    study = validate({**fields, "extra": [1], "primary": []}, "test")
    found = {}
    for probe in probes(cells(study)):
        for segment, fork in probe.pieces:
            try:
                found[fork.cells[0].arm] = body.probe(data, segment, fork)
            except Crash as crash:
                found[fork.cells[0].arm] = {"crash": str(crash), "unusable": None}
    print(json.dumps([name, found]), flush=True)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Model -> arm -> what the probe gives."""
    bodies = UNUSABLE | {name: body(name) for name in WITHOUT_QAT}
    options = with_models(tmp_path_factory.mktemp("package"), bodies)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *bodies, "bncnn"],
        **options,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    return dict(map(json.loads, lines))


@pytest.mark.parametrize("model", UNUSABLE)
def test_an_unusable_model_has_one_line_that_says_why(found, model):
    for probed in found[model].values():
        said = probed["unusable"]
        assert SAYS[model] in said
        assert "built for inputs of (8, 8, 1) and 10 classes" in said
        assert "\n" not in said


@pytest.mark.parametrize("model", WITHOUT_QAT)
def test_a_layer_that_only_quantize_model_refuses_is_named_and_the_rest_goes_on(found, model):
    probed = found[model]
    assert {each["unusable"] for each in probed.values()} == {None}
    assert probed["float"]["unsupported"] is None
    assert WITHOUT_QAT[model][1] in probed["qat"]["unsupported"].lower()
    assert "\n" not in probed["qat"]["unsupported"]


def test_a_model_that_can_all_passes_and_its_batch_normalizations_are_counted(found):
    assert found["bncnn"] == {
        arm: {"unusable": None, "unsupported": None, "batch_norms": 3}
        for arm in ("float", "ptq", "qat")
    }
    assert found["first"]["float"]["batch_norms"] == 1
    assert found["prelu"]["float"]["batch_norms"] == 0
