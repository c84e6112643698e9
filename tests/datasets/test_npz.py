"""Keras's layout: what is fed is what is in the file, and what does not fit is named."""

import numpy as np
import pytest

from bench import datasets
from bench.errors import InputError


def saved(folder, **changed):
    arrays = {
        "x_train": np.zeros((6, 4, 4), np.uint8),
        "y_train": np.array([0, 1, 2] * 2),
        "x_test": np.zeros((3, 4, 4), np.uint8),
        "y_test": np.array([0, 1, 2]),
    } | changed
    path = folder / "mine.npz"
    np.savez_compressed(path, **{name: a for name, a in arrays.items() if a is not None})
    return str(path)


def test_bytes_are_divided_by_255_and_get_a_channel(tmp_path):
    data = datasets.load(saved(tmp_path))
    assert data.x_train.shape == (6, 4, 4, 1)
    assert data.scale == 255
    assert data.classes == ("0", "1", "2")


def test_floats_are_fed_as_they_are(tmp_path):
    x = np.random.default_rng(0).normal(0, 50, (6, 4, 4, 2))
    data = datasets.load(saved(tmp_path, x_train=x, x_test=x[:3]))
    assert data.scale == 1
    assert np.array_equal(data.x_train, x.astype(np.float32))


def test_text_labels_are_classes_sorted_by_name(tmp_path):
    words = np.array(["dog", "cat", "eel"])
    data = datasets.load(saved(tmp_path, y_train=np.tile(words, 2), y_test=words))
    assert data.classes == ("cat", "dog", "eel")
    assert data.y_test.tolist() == [1, 0, 2]


def test_the_same_arrays_saved_otherwise_are_the_same_data(tmp_path):
    x = np.arange(96, dtype=np.uint8).reshape(6, 4, 4)
    (tmp_path / "a").mkdir()
    one = saved(tmp_path / "a", x_train=x)
    with np.load(one) as arrays:
        np.savez(tmp_path / "other.npz", **arrays)  # not compressed
    assert datasets.identity(one) == datasets.identity(str(tmp_path / "other.npz"))


def test_groups_come_along(tmp_path):
    data = datasets.load(saved(tmp_path, groups_test=np.array(["ann", "bob", "ann"])))
    assert data.groups == ("ann", "bob", "ann")


NOT_FINITE = np.zeros((6, 4, 4, 1))
NOT_FINITE[2, 1, 1] = np.nan


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"y_test": None}, "no y_test"),
        ({"x_test": np.zeros((3, 5, 4), np.uint8)}, "as x_train, uint8 (4, 4, 1)"),
        ({"x_test": np.zeros((3, 4, 4))}, "x_test of float32"),
        ({"x_train": np.zeros((6, 4, 4), np.int64)}, "x_train of int64"),
        ({"x_train": np.zeros(6, np.uint8)}, "x_train of shape (6,)"),
        ({"x_test": np.zeros((0, 4, 4), np.uint8)}, "x_test: no examples"),
        ({"x_train": NOT_FINITE, "x_test": NOT_FINITE[:1]}, "x_train: not as float32, row 2"),
        ({"x_train": np.full((6, 2), 1e300), "x_test": np.ones((3, 2))}, "row 0: not finite"),
        ({"y_train": np.arange(5)}, "5 labels y_train; allowed: 6"),
        ({"y_train": np.array([0, 1, -1, 0, 1, 2])}, "y_train: row 2: label -1"),
        ({"y_train": np.array([0, 1, 2**31, 0, 1, 2])}, "row 2: label 2147483648"),
        ({"y_train": np.array([0, 1, 2**32, 0, 1, 2])}, "row 2: label 4294967296"),
        ({"y_train": np.eye(6)}, "labels of shape (6, 6)"),
        ({"y_test": np.array([0.0, np.nan, 2.0])}, "y_test: row 1: label nan"),
        ({"y_test": np.array([0, 1, 2j])}, "labels of type complex128"),
        ({"y_test": np.array(["a", "b", "c"])}, "integer labels, where another split has text"),
        ({"y_test": np.array([0, 1, None], object)}, "not readable as .npz"),
        ({"groups_test": np.array([0.5, 1, 2])}, "groups_test of float64"),
        ({"groups_test": np.array([1, 2])}, "groups_test of int64 (2,)"),
    ],
)
def test_what_does_not_fit_is_one_message(tmp_path, changed, said):
    path = saved(tmp_path, **changed)
    with pytest.raises(InputError) as caught:
        datasets.load(path)
    assert said in str(caught.value)
    assert path in str(caught.value)


def test_an_array_that_claims_more_than_the_memory_is_not_read(tmp_path):
    import io
    import zipfile

    path = tmp_path / "mine.npz"
    header = io.BytesIO()
    shape = (10**9, 1000, 1000, 3)
    about = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, about)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", header.getvalue())
    with pytest.raises(InputError, match=r"arrays of 3000000\.0 GB|3,000,000"):
        datasets.load(str(path))
