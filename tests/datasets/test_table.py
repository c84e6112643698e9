"""Tables: numbers as they are, and a message that names column and row."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import datasets
from bench.errors import InputError


def put(folder, text, name="mine.csv"):
    (folder / name).write_text(text)
    return str(folder / name)


ROWS = "a,label,b\n" + "".join(f"{i},{'xyz'[i % 3]},{i / 4}\n" for i in range(10))


def test_numbers_are_fed_as_they_are_and_a_fifth_is_held_out(tmp_path):
    data = datasets.load(put(tmp_path, ROWS))
    assert data.scale == 1
    assert data.classes == ("x", "y", "z")
    rows = {tuple(row) for row in np.concatenate([data.x_train, data.x_test]).tolist()}
    assert rows == {(i, i / 4) for i in range(10)}
    assert (len(data.x_train), len(data.x_test)) == (8, 2)
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert np.array_equal(x[:, 0] % 3, y)
    assert datasets.size(str(tmp_path / "mine.csv")) == datasets.Size(8, 2, 2)


def test_two_tables_may_have_their_columns_in_another_order(tmp_path):
    put(tmp_path, "a,b,label\n1,2,0\n3,4,1\n", "train.csv")
    put(tmp_path, "label,b,a\n1,6,5\n", "test.csv")
    data = datasets.load(f"{tmp_path}/")
    assert data.x_train.tolist() == [[1, 2], [3, 4]]
    assert data.x_test.tolist() == [[5, 6]]
    assert data.y_test.tolist() == [1]


@pytest.mark.parametrize("words", [("yes", "no"), ("true", "false"), ("NA", "nan")])
def test_words_are_words_and_no_truth_values(tmp_path, words):
    text = "a,label\n" + "".join(f"{i},{words[i % 2]}\n" for i in range(10))
    assert datasets.load(put(tmp_path, text)).classes == tuple(sorted(words))


def test_parquet_and_csv_of_one_table_are_the_same_data(tmp_path):
    columns = {"a": np.arange(10), "label": np.arange(10) % 2, "b": np.arange(10) / 8}
    pq.write_table(pa.table(columns), tmp_path / "mine.parquet")
    lines = zip(*(columns[name].tolist() for name in columns), strict=True)
    text = "a,label,b\n" + "".join(",".join(map(str, line)) + "\n" for line in lines)
    one, other = str(tmp_path / "mine.parquet"), put(tmp_path, text)
    assert datasets.load(one) == datasets.load(other)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "columns a, b"),
        ("label\n1\n", "no column but label"),
        ("a,label\n", "no rows"),
        ("", "not readable as CSV"),
        ("a,label\n1,0\n2\n", "not readable as CSV"),
        ("a,a,label\n1,2,0\n", "two columns 'a'"),
        ("a,label\n1,0\nx,1\n", "column a: string"),
        ("a,label\n1,0\n2,1\n,0\n", "column a, row 2: not finite"),
        ("a,label\n1,0\n1e300,1\n3,1\n", "column a, row 1: not finite"),
        ("a,label\n1,0.5\n2,1e300\n", "row 1: label 1e+300"),
        ("a,label\n1,2020-01-01\n2,2020-01-02\n", "column label: date32"),
        ("a,label\n1,0\n2,-4\n", "row 1: label -4"),
        ("a,label\n1,0\n2,4294967296\n", "row 1: label 4294967296"),
        ("a,label\n1,x\n2,\n", "row 1: no label"),
        ("a,label\n1,0\n2,\n", "row 1: no label"),
        ("a,label,group\n1,0,0.5\n2,1,1\n", "column group: double"),
        ("a,label\n1,0\n", "1 examples and no test split"),
        ("when,label\n2020-01-01,0\n2020-01-02,1\n", "column when: date32"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, text, said):
    with pytest.raises(InputError) as caught:
        datasets.load(put(tmp_path, text))
    assert said in str(caught.value)
    assert "mine.csv" in str(caught.value)


def test_columns_of_one_table_alone_are_named(tmp_path):
    put(tmp_path, "a,b,label\n1,2,0\n3,4,1\n", "train.csv")
    put(tmp_path, "a,c,label\n1,6,5\n", "test.csv")
    with pytest.raises(InputError, match="b, c in one table only"):
        datasets.load(f"{tmp_path}/")
