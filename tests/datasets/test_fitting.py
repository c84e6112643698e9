"""Labels for a task: numbers where a regression needs them, normal examples where anomalies are to
be found; a message where they are of another kind."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import datasets
from bench.datasets.reading.fitting import fitted
from bench.errors import InputError

X = np.arange(24, dtype=np.uint8).reshape(6, 4)


def saved(folder, y_train, y_test):
    path = folder / "mine.npz"
    np.savez(path, x_train=X, y_train=np.array(y_train), x_test=X[:3], y_test=np.array(y_test))
    return datasets.load(str(path))


def test_numbers_are_kept_as_float32_and_are_no_classes(tmp_path):
    data = saved(tmp_path, [0.5, -1, 2, 3, 4, 1 / 3], [1, 2, 3])
    assert data.y_train.dtype == data.y_test.dtype == np.float32
    assert data.y_train[-1] == np.float32(1 / 3)
    assert data.y_test.tolist() == [1, 2, 3]
    assert data.classes == ()
    assert fitted(data, "regression") is data
    with pytest.raises(InputError, match=r"labels of 'mine' are numbers, such as 0\.5, no classes"):
        fitted(data, "classification")
    with pytest.raises(InputError, match="labels of 'mine' are numbers; allowed: 0 for normal"):
        fitted(data, "reconstruction")


def test_integers_become_numbers_and_text_does_not(tmp_path):
    data = saved(tmp_path, [30, 41, 7, 7, 7, 7], [30, 0, 9])
    numbers = fitted(data, "regression")
    assert numbers.y_train.tolist() == [30, 41, 7, 7, 7, 7]
    assert (numbers.y_test.dtype, numbers.classes) == (np.float32, ())
    assert numbers != data
    assert fitted(data, "classification") is data
    with pytest.raises(InputError, match="are classes, such as 'cat'; allowed: for a regression"):
        fitted(saved(tmp_path, ["cat"] * 3 + ["dog"] * 3, ["cat"] * 3), "regression")


def test_only_normal_examples_are_trained_on(tmp_path):
    data = fitted(saved(tmp_path, [0, 1, 0, 0, 1, 0], [0, 1, 0]), "reconstruction")
    assert data.x_train.tolist() == X[[0, 2, 3, 5]].tolist()
    assert data.y_train.tolist() == [0] * 4
    assert data.y_test.tolist() == [0, 1, 0]
    assert data.notes == ("2 anomalous training examples left out",)
    assert data.first(2).x_train.shape == (2, 4)


def test_normal_is_0_whatever_it_is_called_beside(tmp_path):
    words = np.array(["broken", "normal"])
    data = saved(tmp_path, words[[1, 0, 1, 1, 1, 1]], words[[1, 0, 1]])
    made = fitted(data, "reconstruction")
    assert made.y_test.tolist() == [0, 1, 0]
    assert made.classes == ("normal", "broken")
    assert len(made.x_train) == 5


@pytest.mark.parametrize(
    ("y_train", "y_test", "said"),
    [
        ([0, 1, 2, 0, 0, 0], [0, 1, 2], "are 3 classes"),
        ([0] * 6, [1, 1, 1], "no normal test example"),
        ([0, 1] * 3, [0, 0, 0], "no anomalous test example"),
        ([1] * 6, [0, 1, 0], "no normal training example"),
        (["good"] * 6, ["good", "bad", "bad"], "are bad and good"),
    ],
)
def test_labels_that_are_not_normal_and_anomalous_are_named(tmp_path, y_train, y_test, said):
    with pytest.raises(InputError, match=said):
        fitted(saved(tmp_path, y_train, y_test), "reconstruction")


def test_tables_may_hold_numbers_in_either_format(tmp_path):
    columns = {"a": np.arange(10) / 3, "label": np.linspace(-1, 7, 10)}
    pq.write_table(pa.table(columns), tmp_path / "mine.parquet")
    lines = "".join(
        f"{a!r},{y!r}\n" for a, y in zip(*(c.tolist() for c in columns.values()), strict=True)
    )
    (tmp_path / "mine.csv").write_text("a,label\n" + lines)
    one, other = (datasets.load(str(tmp_path / f"mine.{e}")) for e in ("parquet", "csv"))
    assert one == other
    both = sorted([*one.y_train.tolist(), *one.y_test.tolist()])
    assert both == np.float32(columns["label"]).tolist()
