"""Bad data files by the dozen: each is one error or one failed check, before anything trains."""

import numpy as np
import pytest

from bench import datasets, study
from bench.errors import InputError
from bench.pipelines.data_checks import checks
from bench.plan.data import check_data

N = 30


def arrays(**changes):
    rng = np.random.default_rng(0)
    good = {
        "x_train": rng.integers(0, 256, (N, 4, 4, 1), dtype=np.uint8),
        "y_train": np.arange(N) % 3,
        "x_test": rng.integers(0, 256, (12, 4, 4, 1), dtype=np.uint8),
        "y_test": np.arange(12) % 3,
    }
    made = good | {name: change(good[name]) for name, change in changes.items()}
    return {name: array for name, array in made.items() if array is not None}


def spoiled(value):
    def change(x):
        x = x.astype(np.float32)
        x[3, 1, 1, 0] = value
        return x

    return change


def both(change):
    return {"x_train": change, "x_test": change}


NPZ = {
    "NaN": ({**both(lambda x: x.astype(np.float32)), "x_train": spoiled(np.nan)}, "row 3: not fin"),
    "infinity": ({**both(lambda x: x.astype("f4")), "x_test": spoiled(np.inf)}, "float32, row 3"),
    "beyond float32": (both(lambda x: x.astype(float) * 1e300), "not finite"),
    "one class": ({"y_train": lambda y: 0 * y, "y_test": lambda y: 0 * y}, "one class only"),
    "empty test set": ({"x_test": lambda x: x[:0], "y_test": lambda y: y[:0]}, "no examples"),
    "empty training set": ({"x_train": lambda x: x[:0], "y_train": lambda y: y[:0]}, "no examples"),
    "fewer labels": ({"y_train": lambda y: y[:-1]}, "29 labels y_train"),
    "no labels": ({"y_test": lambda y: None}, "no y_test"),
    "one-hot labels": ({"y_train": lambda y: np.eye(3)[y]}, "labels of shape"),
    "labels from -1": ({"y_train": lambda y: y - 1}, "label -1"),
    "labels of 2^31": ({"y_test": lambda y: y + 2**31}, "label 2147483648"),
    "real labels": ({"y_train": lambda y: y + 0.5}, "are numbers, such as 0.5"),
    "text in one split": ({"y_train": lambda y: y.astype(str)}, "integer labels"),
    "empty text": ({"y_train": lambda y: np.where(y == 1, "", "a"),
                    "y_test": lambda y: y.astype(str)}, "no label"),
    "other shape": ({"x_test": lambda x: x[:, :3]}, "x_test of uint8"),
    "other type": ({"x_test": lambda x: x / 255}, "x_test of float32"),
    "whole numbers": (both(lambda x: x.astype(np.int64)), "x_train of int64"),
    "truth values": (both(lambda x: x > 9), "x_train of bool"),
    "complex": (both(lambda x: x * 1j), "x_train of complex128"),
    "objects": (both(lambda x: x.astype(object)), "not readable as .npz"),
    "text": (both(lambda x: x.astype(str)), "x_train of <U"),
    "a row of numbers": (both(lambda x: x[:, 0, 0, 0]), "x_train of shape"),
    "five axes": (both(lambda x: x[..., None]), "x_train of shape"),
    "no pixels": (both(lambda x: x[:, :0]), "x_train of shape"),
    "missing class": ({"y_test": lambda y: 0 * y}, "only train has"),
    "gap in classes": ({"y_train": lambda y: 2 * y, "y_test": lambda y: 2 * y}, "no example of"),
    "trained on": ({"x_test": lambda x: arrays()["x_train"][:12]}, "stand in the training"),
    "not scaled": (both(lambda x: x.astype(np.float32)), "the network is fed"),
    "scaled twice": (both(lambda x: x // 255), "nearly black"),
    "all alike": (both(lambda x: np.zeros_like(x)), "all alike"),
    "test scaled unlike": ({"x_train": lambda x: x / np.float32(255),
                            "x_test": lambda x: x / np.float32(255 * 30)}, "preprocess"),
}  # fmt: skip


def said(name):
    """The error, or what the failed checks found and advise."""
    try:
        check_data(study.validate({"datasets": name, "calibration_examples": 10}, "test"))
        data = datasets.load(name, task="classification")
    except InputError as error:
        return str(error)
    return "; ".join(f"{c.found}; {c.remedy}" for c in checks(data, 10) if not c.ok)


@pytest.mark.parametrize("fault", NPZ)
def test_a_bad_npz_is_named(tmp_path, fault):
    changes, expected = NPZ[fault]
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays(**changes))
    assert expected in said(str(path))


def test_a_good_npz_is_not(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays())
    assert said(str(path)) == ""


CSV = {
    "no label": ("a,b\n1,2\n", "allowed: numbers and label"),
    "text": ("a,label\nx,0\n1,1\n", "column a: string"),
    "missing": ("a,label\n1,0\n,1\n3,0\n", "row 1: not finite"),
    "NaN": ("a,label\n1,0\nnan,1\n3,0\n", "a"),
    "no rows": ("a,label\n", "no rows"),
    "empty": ("", "not readable as CSV"),
    "one row": ("a,label\n1,0\n", "1 examples and no test split"),
    "twice": ("a,a,label\n1,2,0\n3,4,1\n", "two columns 'a'"),
    "missing label": ("a,label\n1,0\n2,\n3,1\n", "row 1: no label"),
    "real label": ("a,label\n" + "1,0.5\n2,1.5\n" * 20, "label"),
    "only labels": ("label\n0\n1\n", "no column but label"),
    "ragged": ("a,label\n1,0\n2\n", "not readable as CSV"),
    "one class": ("a,label\n" + "".join(f"{i},0\n" for i in range(20)), "one class only"),
    "bytes": (b"\x00\xff\xfe\x00", "not readable as CSV"),
}


@pytest.mark.parametrize("fault", CSV)
def test_a_bad_csv_is_named(tmp_path, fault):
    content, expected = CSV[fault]
    path = tmp_path / "mine.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = said(str(path))
    assert expected in found
    assert "mine.csv" in found or "class" in found
