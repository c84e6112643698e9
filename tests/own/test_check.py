"""`check`: what is wrong with data, a model or an arm is found before anything trains."""

import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from bench import datasets, study
from bench.datasets import Dataset
from bench.pipelines import check, data_checks
from bench.pipelines.data_checks import ALIKE, FILE, LOSS, MODEL, SAME
from bench.plan.cells import cells
from bench.runner import probes
from bench.runner.checks import run as run_checks
from tests.own.conftest import DATA
from tests.own.conftest import MODEL as NETWORK


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    check.prepare()


# Data.


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x, y = rng.random((300, 4, 4, 1), np.float32), (np.arange(300) % 3).astype(np.int32)
    return Dataset("d", "d", x[:200], y[:200], x[200:], y[200:], 1.0, ("0", "1", "2"))


def wrong(data):
    return {c.what: (c.found, c.remedy) for c in data_checks.checks(data, 50) if not c.ok}


def test_good_data_pass_and_say_what_they_are(data):
    assert wrong(data) == {}
    assert wrong(datasets.load("digits")) == {}
    found = next(data_checks.checks(data, 50)).found
    assert "200 training and 100 test examples of 4 x 4 x 1, float32 from" in found


def test_a_split_that_is_scaled_unlike_is_found(data):
    (said,) = wrong(replace(data, x_test=255 * data.x_test))
    assert said == "test inputs scaled like the training inputs"
    assert said in wrong(replace(data, x_test=data.x_test + 2))


def test_inputs_that_nobody_scaled_are_found(data):
    both = {"x_train": 255 * data.x_train, "x_test": 255 * data.x_test}
    assert "the network is fed 25" in wrong(replace(data, **both))["data"][0]
    dark = {name: (16 * x / 255).astype(np.uint8) for name, x in both.items()}
    assert "nearly black" in wrong(replace(data, scale=255.0, **dark))["data"][0]


def test_an_outlier_that_calibration_would_miss_is_found(data):
    x = data.x_train.copy()
    at = int(datasets.fixed_permutation(200)[-1])  # not among the first 50
    x[at, 0, 0, 0] = 20
    found, remedy = wrong(replace(data, x_train=x))["calibration examples' range"]
    assert f"example {at}" in found
    assert "calibration_examples higher" in remedy


def test_a_class_that_only_one_split_has_is_named(data):
    y = np.where(data.y_test == 2, 1, data.y_test)
    found, _ = wrong(replace(data, y_test=y))["classes in both splits"]
    assert found == "only train has class 2"
    names = (*data.classes, "3", "4")
    assert wrong(replace(data, classes=names))["classes in both splits"][0] == (
        "no example of class 3, 4"
    )


def test_test_examples_that_were_trained_on_are_counted(data):
    x = data.x_test.copy()
    x[[7, 9]] = data.x_train[[3, 3]]
    found, _ = wrong(replace(data, x_test=x))["test examples apart from training examples"]
    assert found.startswith("2 of 100 stand in the training set too")
    assert found.endswith("test example 7")


# Models.


@pytest.fixture
def asked(written):
    """Checks a model of one's own, whose layers are this, with one name of a check."""

    def ask(layers, name, before=""):
        path = written(
            "import tf_keras, numpy as np\nL = tf_keras.layers\n" + before + DATA
            + "def model(shape, classes):\n"
            + f"    return tf_keras.Sequential([L.Input(shape), {layers}])\n"
        )  # fmt: skip
        made = study.load(path, ["seeds=1", "budgets=1"])
        (label,) = made.datasets
        pieces = [piece for probe in probes.probes(cells(made)) for piece in probe.pieces]
        return check.check(name, datasets.load(label), pieces)

    return ask


PLAIN = "L.Conv2D(4, 3), L.ReLU(), L.Flatten(), L.Dense(classes)"


@pytest.mark.parametrize(
    "name",
    [MODEL, LOSS, SAME, ALIKE, FILE, *(f"arm {a}" for a in ("float", "ptq", "qat", "qat-cal"))],
)
def test_a_good_model_passes_each_check(asked, name):
    found = asked(PLAIN, name)
    assert found.ok, found
    assert found.remedy == ""


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("L.Flatten(), L.Dense(classes), L.Lambda(lambda x: 0 * x)", "a step moves no weight"),
        ("L.Flatten(), L.Dense(classes), L.Lambda(lambda x: x / 0)", "nan over"),
        ("L.Flatten(), L.Dense(classes), L.Lambda(lambda x: 1e4 * x)", "guessing gives 1.1"),
    ],
)
def test_outputs_that_do_not_fit_the_loss_are_found(asked, layers, said):
    found = asked(layers, LOSS)
    assert not found.ok
    assert said in found.found
    assert found.remedy


def test_every_layer_that_tfmot_refuses_is_named(asked):
    layers = (
        "L.Conv2D(4, 3), L.LayerNormalization(name='first'), L.UnitNormalization(name='second'), "
        "L.Flatten(), L.LayerNormalization(name='third'), L.Dense(classes)"
    )
    found = asked(layers, ALIKE)
    assert not found.ok
    assert found.found == (
        "TFMOT refuses first (LayerNormalization), second (UnitNormalization), "
        "third (LayerNormalization)"
    )
    assert "no QAT" in found.remedy


def test_a_lambda_and_a_class_that_cannot_be_cloned_are_named(asked):
    found = asked("L.Lambda(lambda x: 2 * x, name='twice'), L.Flatten(), L.Dense(classes)", ALIKE)
    assert found.found.endswith("TFMOT leaves twice (Lambda) in float")
    assert "as plain operators" in found.remedy
    own = "class Own(L.Layer):\n    def call(self, x):\n        return 2 * x\n"
    found = asked("Own(name='mine'), L.Flatten(), L.Dense(classes)", ALIKE, own)
    assert "mine (Own)" in found.found
    assert "register_keras_serializable" in found.remedy


def test_a_model_inside_another_is_named(asked):
    inner = "tf_keras.Sequential([L.Conv2D(4, 3)], name='inner'), L.Flatten(), L.Dense(classes)"
    found = asked(inner, ALIKE)
    assert not found.ok
    assert "flat model" in found.remedy


def test_weights_that_no_seed_determines_are_named(asked):
    layers = (
        "L.Flatten(), L.Dense(classes, name='free', kernel_initializer=lambda s, dtype=None: "
        "np.random.default_rng().normal(size=s).astype('float32'))"
    )
    found = asked(layers, SAME)
    assert not found.ok
    assert "free/kernel:0" in found.found


def test_an_operator_that_stays_in_float_fails_its_arm(asked):
    assert asked(PLAIN, "arm qat").found.startswith("int8, ")
    found = asked(
        "L.Conv2D(4, 3), L.Lambda(tf.math.erfc), L.Flatten(), L.Dense(classes)",
        "arm ptq",
        "import tensorflow as tf\n",
    )
    assert not found.ok, found


@pytest.mark.parametrize(
    ("layers", "said", "remedy"),
    [
        ("L.Flatten(), L.Dense(classes, activation='softmax')", "probabilities", "Dense(classes)"),
        ("L.Flatten(), L.Dense(1)", "an output of shape (n, 1)", "layers.Dense(classes)"),
        ("L.Dense(classes)", "an output of shape (n, 4, 4, 3)", "layers.Dense(classes)"),
        ("L.Flatten(), L.Dens(classes)", "AttributeError", "mend model()"),
    ],
)
def test_a_model_that_is_of_no_use_has_a_remedy(asked, layers, said, remedy):
    found = asked(layers, MODEL)
    assert not found.ok
    assert said in found.found
    assert remedy in found.remedy


# The command.


def command(*arguments, cwd):
    import os

    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)], cwd=cwd, capture_output=True,
        text=True, timeout=280, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


@pytest.mark.slow
def test_the_template_runs_as_it_is_and_passes(tmp_path):
    written = command("new", "mine.py", cwd=tmp_path)
    assert written.stdout.strip() == "mine.py is written; next: ptq-vs-qat check mine.py"
    again = command("new", "mine.py", cwd=tmp_path)
    assert (again.returncode, "is there" in again.stderr) == (2, True)
    done = command("check", "mine.py", "--set", "seeds=2", "--workers", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "✗" not in done.stdout
    for arm in ("float", "ptq", "qat", "qat-cal", "qat-recal"):
        assert f"✓ arm {arm}: " in done.stdout
    assert "time and memory: 28 cells of" in done.stdout
    assert done.stdout.endswith("all is well\n")


@pytest.mark.slow
def test_what_ends_its_process_is_a_check_that_failed(tmp_path):
    ends = (
        "import os, signal\ndef model(shape, classes):\n    os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    (tmp_path / "mine.py").write_text(ends)
    done = command("check", "mine.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "✗ model: its process ended: SIGSEGV" in done.stdout
    assert done.stdout.endswith("1 to mend\n")
    assert "Traceback" not in done.stderr


def test_each_level_of_a_factor_of_the_data_is_looked_at():
    fields = {"train_examples": 200, "class_imbalance": [1, 10], "calibration_examples": 50}
    made = study.validate(fields | {"primary": []}, "test")
    found = [*islice(run_checks(made, 1), 8)]  # what comes then asks the model
    about = ["digits, class_imbalance = 1.0"] * 5 + ["digits, class_imbalance = 10.0"] * 3
    assert [where for where, _ in found] == about
    here = {check.what: check.found for _, check in found[5:]}
    assert here["data"].startswith("86 training and 797 test examples")
    assert here["classes in both splits"].startswith("the rarest has 2 in train")
    assert "test examples apart from training examples" not in here, "it finds the same"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"class_imbalance": [1, 50], "calibration_examples": 900}, "285 training examples left"),
        ({"extra_examples": 1001}, "found 1001, but digits gives 1000 training examples"),
        (
            {"train_examples": 100, "extra_examples": 101, "calibration_examples": 50},
            "digits has 100 training examples left at train_examples = 100",
        ),
    ],
)
def test_what_the_data_do_not_give_is_a_check_that_failed(fields, said):
    ((where, check),) = run_checks(study.validate(fields | {"primary": []}, "test"), 1)
    assert where == ("extra_examples" if "extra_examples" in fields else "calibration_examples")
    assert not check.ok
    assert said in check.found


def test_bad_data_are_a_check_that_failed(tmp_path):
    (tmp_path / "mine.py").write_text(
        NETWORK + "def data():\n    print('hello')\n    return 1 / 0\n"
    )
    done = command("check", "mine.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "✗ data: data() failed" in done.stdout
    assert 'File "mine.py", line 8, in data' in done.stdout
    assert "hello" not in done.stdout
    missing = command("check", "nowhere.py", cwd=tmp_path)
    assert missing.returncode == 2
