"""What a file of one's own may not hold: one clear error each, naming function and value."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import datasets, study
from bench.errors import InputError
from bench.plan.data import check_data
from tests.own.conftest import DATA, MODEL, fresh, returning


def message(path):
    """What somebody is told who plans with this file."""
    with pytest.raises(InputError) as caught:
        check_data(study.load(path))
    text = str(caught.value)
    assert "site-packages" not in text
    return text


BAD_FILES = {
    "nothing in it": ("", "arm_NAME() and command; it has no function; known names"),
    "misspelt": ("def modle(): ...\n", "arm_NAME() and command; it has modle; known names"),
    "another kind": (MODEL + "def arm_float(n): ...\n", "model and arm_float: two kinds at once"),
    "a command": (MODEL + "command = 'x'\n", "it defines model and command: two kinds at once"),
    "an optimizer": (MODEL + "def optimizer(r): ...\n", "optimizer(): parameter 'r' is not known"),
    "a loss": (MODEL + "def loss(y, p): ...\n", "parameter 'p' is not known; allowed: y, outputs"),
    "two losses": (MODEL + "def loss(y, outputs): ...\nstudy = dict(loss='mse', task='regression',"
                   " metrics=['mae'])\n", "loss: set, and own"),
    "no metric": (MODEL + "metrics = 3\n", "metrics: found 3; allowed: metrics = ["),
    "an unknown metric": (MODEL + "metrics = ['acc']\n", "no metric 'acc'"),
    "a lambda": (MODEL + "metrics = [lambda y: 0]\n", "allowed: metrics = [\"mae\", my_metric]"),
    "no direction": (MODEL + "def off(y, outputs): ...\nmetrics = [off]\n", "off.lower_is_better"
                     " = True, or False, below the function"),
    "a built-in name": (MODEL + "def mae(y, outputs): ...\nmae.lower_is_better = True\n"
                        "metrics = [mae]\n", "'mae' is also the name of a built-in metric"),
    "in pp": (MODEL + "def off(y, outputs): ...\noff.lower_is_better = True\noff.unit = 'pp'\n"
              "metrics = [off]\n", "unit is 'pp'"),
    "no delta": (MODEL + "def off(y, outputs): ...\noff.lower_is_better = True\noff.delta = 0\n"
                 "metrics = [off]\n", "delta is 0; allowed: a number above 0"),
    "a metric of seeds": (MODEL + "def off(y, seed): ...\noff.lower_is_better = True\n"
                          "metrics = [off]\n", "parameter 'seed' is not known"),
    "a metric of another task": (MODEL + "metrics = ['accuracy', 'mae']\n", "'mae' is no metric of"
                                 " a classification"),
    "no Python": ("def model(:\n", "line 1: "),
    "null bytes": ("x = 1\0\n", "null bytes"),
    "a study that is none": (MODEL + "study = 3\n", "study: found 3; allowed: study = dict("),
    "an unknown field": (MODEL + "study = dict(seds=3)\n", "did you mean 'seeds'?"),
    "a factor of nobody's": (MODEL + "study = dict(wide=[3])\n", "wide: unknown field"),
    "a parameter": ("def model(shape, classes, seed): ...\n", "parameter 'seed' is not known"),
    "a misnamed one": ("def model(input_shape, classes): ...\n", "parameter 'input_shape' is not"),
    "data with one": ("def data(seed): ...\n", "parameter 'seed', which differs between"),
    "files that are none": (MODEL + "files = ['no.h5']\n", "files: no 'no.h5' below its folder"),
    "files elsewhere": (MODEL + "files = ['../x']\n", "'../x' lies outside its folder"),
    "files by a name": (MODEL + "files = NAMES\n", "files: no list of file names"),
    "files in a string": (MODEL + "files = 'w.h5'\n", "files: no list of file names"),
    "a study that raises": (MODEL + "study = dict(seeds=1 / 0 + len([]))\n", "ZeroDivisionError"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_one_clear_error(written, kind):
    text, said = BAD_FILES[kind]
    assert said in message(written(text))


BAD_DATA = {
    "nothing": ("None", "data(): it is None; allowed: (train, test)"),
    "one array": ("x", "data(): it is of type numpy.ndarray"),
    "one pair": ("(x, y)", "data(): train is of type numpy.ndarray; allowed: (train, test)"),
    "three": ("(x, y), (x, y), (x, y)", "data(): it has 3 parts"),
    "four": ("(x, y, y, y), (x, y)", "train has 4 parts; allowed: (train, test), each (x, y)"),
    "groups of all": ("(x, y), (x, y, [1, 2])", "groups of test are int64 of shape (2,)"),
    "groups of floats": ("(x, y), (x, y, y / 1)", "groups of test are float64"),
    "no groups": ("(x, y, None), (x, y)", "groups of train is None"),
    "no labels": ("(x, None), (x, y)", "data(): y of train is None"),
    "no inputs": ("(None, y), (x, y)", "data(): x of train is None"),
    "a generator": ("(i for i in range(3))", "arrays that fit into memory"),
    "a generator of inputs": ("((i for i in x), y), (x, y)", "arrays that fit into memory"),
    "a dictionary": ("{'train': (x, y)}", "data(): it is of type builtins.dict"),
    "ragged": ("([[1], [1, 2]], [0, 1]), (x, y)", "data(): x of train is no array"),
    "objects": ("(np.array([{}, {}]), [0, 1]), (x, y)", "data(): x of train is of Python objects"),
    "int64": ("(x.astype(int), y), (x, y)", "x of train is of type int64; allowed: uint8, which"),
    "text": ("(x.astype(str), y), (x, y)", "x of train is of type <U3; allowed: uint8"),
    "complex": ("(x * 1j, y), (x, y)", "x of train is of type complex128"),
    "booleans": ("(x > 0, y), (x, y)", "x of train is of type bool"),
    "flat": ("(x.ravel(), y), (x, y)", "x of train has the shape (320,)"),
    "a number": ("(3, 0), (x, y)", "x of train has the shape ()"),
    "no pixels": ("(x[:, :0], y), (x[:, :0], y)", "the shape (20, 0, 4, 1); allowed: no empty"),
    "NaN": ("(np.where(x == 0, np.nan, 1), y), (x, y)", "x of train has nan in example 0 (and in"),
    "infinity": ("(x + 1.0, y), (x + np.inf, y)", "x of test has inf in example 0"),
    "beyond float32": ("(x + 1e300, y), (x + 1.0, y)", "x of train has 1e+300 in example 0"),
    "other shapes": ("(x, y), (x[:, :2], y)", "shape (4, 4, 1) in train and (2, 4, 1) in test"),
    "other types": ("(x, y), (x / 255, y)", "x of type uint8 in train and float32 in test"),
    "fewer labels": ("(x, y[:-1]), (x, y)", "train has 20 inputs and 19 labels"),
    "empty test set": ("(x, y), (x[:0], y[:0])", "data(): test is empty"),
    "empty test set of floats": ("(x / 1, y), (x[:0] / 1, y[:0])", "data(): test is empty"),
    "no rows": ("(x[:0, :, 0, 0] / 1, y[:0]), (x[:, :, 0, 0] / 1, y)", "train is empty"),
    "no pixels of floats": ("(x[:, :0] / 1, y), (x[:, :0] / 1, y)", "the shape (20, 0, 4, 1)"),
    "empty training set": ("(x[:0], y[:0]), (x, y)", "data(): train is empty"),
    "one class": ("(x, y * 0), (x, y * 0)", "data(): one class only, 0"),
    "one class, in text": ("(x, ['a'] * 20), (x, ['a'] * 20)", "data(): one class only, a"),
    "labels from 1": ("(x, y + 1), (x, y + 1)", "labels from 1 to 3; allowed: integers from 0"),
    "negative labels": ("(x, y - 1), (x, y)", "y of train has the label -1"),
    "huge labels": ("(x, y), (x, y + 10**9)", "y of test has the label 1000000002"),
    "float labels": ("(x, y / 1), (x, y)", "labels of type float32 in train and int64 in test"),
    "complex labels": ("(x, y * 1j), (x, y)", "y of train is of type complex128; allowed: class "
                       "labels, integers from 0 or text; floats of a regression"),
    "NaN labels": ("(x, y * np.nan), (x, y)", "y of train holds NaN or infinity, such as in "
                   "example 0"),
    "one-hot": ("(x, np.eye(3)[y]), (x, y)", "the shape (20, 3); allowed: (examples,), y.argm"),
    "text and numbers": ("(x, y), (x, ['a'] * 20)", "labels that are text in one split"),
    "too few to calibrate": ("(x, y), (x, y)", "calibration_examples: found 200, but"),
    "ends the process": ("exit(3)", "sys.exit(3)"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_DATA)
def test_bad_data_are_one_clear_error_with_function_and_value(written, kind):
    expression, said = BAD_DATA[kind]
    text = message(written(returning(expression)))
    assert said in text


def test_an_error_shows_the_users_own_traceback_only(written):
    path = written(
        "import numpy as np\n\ndef helper():\n    return np.load('nowhere.npz')\n\n"
        "def data():\n    return helper()\n"
    )
    text = message(path)
    name = Path(path).name
    assert text.index(f'File "{name}", line 7, in data') < text.index(f'File "{name}", line 4, in')
    assert "return np.load('nowhere.npz')" in text
    assert "FileNotFoundError" in text
    assert "numpy/" not in text
    assert "bench/" not in text


def test_a_package_that_is_not_there_is_named(written):
    text = message(written("import no_such_package_here\n" + DATA))
    assert "No module named 'no_such_package_here'" in text
    assert "line 1" in text


def test_a_file_that_is_not_there_and_a_function_that_is_not(written):
    with pytest.raises(InputError, match=r"no file 'nowhere\.py'"):
        study.load("nowhere.py")
    with pytest.raises(InputError, match=r"source: no file"):
        study.load("digits", ["source=nowhere.py"])
    path = written(MODEL)
    with pytest.raises(InputError, match=r"no function 'small'; allowed: one of model"):
        study.load("digits", [f"models={path}:small"])
    with pytest.raises(InputError, match="of which nothing is used"):
        study.load("digits", [f"source={path}", "models=bncnn"])


def test_a_name_that_is_taken_is_refused(written):
    with pytest.raises(
        InputError, match="'resnet8' is also the name of one of the built-in models"
    ):
        study.load(written(MODEL, "resnet8.py"))
    with pytest.raises(
        InputError, match="'digits' is also the name of one of the built-in datasets"
    ):
        study.load(written(DATA, "digits.py"))
    written("X = 1\n", "random.py")
    with pytest.raises(InputError, match="has the name of Python's own module 'random'"):
        study.load(written("import random\n" + MODEL))
    a, b = written(MODEL, "a/same.py"), written(MODEL, "b/same.py")
    with pytest.raises(InputError, match=r"two files are called same\.py"):
        study.load("digits", [f"models=[{a}:model,{b}:model]"])


def test_own_is_a_field_that_only_a_run_writes(tmp_path):
    toml = tmp_path / "s.toml"
    toml.write_text('[own.mine]\nfile = "mine.py"\n')
    with pytest.raises(InputError, match="own: a field that only `run` writes"):
        study.load(str(toml))


@settings(max_examples=60)
@given(
    st.sampled_from(["x", "y", "None", "3", "'text'", "[]", "x[:0]", "x / 0.5", "y * 1.5", "{}"]),
    st.sampled_from(["y", "x", "None", "[]", "y[:3]", "'a'", "y - 5", "y > 0", "np.eye(20)"]),
    st.sampled_from(["(x, y)", "None", "(y, x)", "(x,)", "[x, y]", "(x * 2, y)"]),
)
def test_whatever_data_returns_is_taken_or_refused_with_one_error(a, b, test):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / fresh()
        path.write_text(returning(f"({a}, {b}), {test}"))
        study.load(str(path))
        try:
            loaded = datasets.load(path.stem)
        except InputError as error:
            found = error
        else:
            assert loaded.x_train.dtype in (np.uint8, np.float32)
            assert len(loaded.x_train) == len(loaded.y_train) == 20
            assert loaded.y_train.max() < len(loaded.classes)
            return
        assert f"{path.name}, data()" in str(found)
