"""What a study says about reading its data: the size of images, the column of labels."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bench import datasets
from bench.datasets.reading.options import Options
from bench.errors import InputError
from bench.plan.cells import cells
from bench.plan.data import check_data
from bench.study import load, validate
from tests.datasets.build import encoded, npz, pixels, table

SMALL = Options(resize=(6, 4))


def put(folder, blobs, **more):
    """The hub's own layout of CIFAR-10: the configuration's folder, one shard, a column `img`."""
    (folder / "plain_text").mkdir(parents=True)
    for split in ("train", "test"):
        made = table("img", blobs, [0, 1] * (len(blobs) // 2), **more)
        pq.write_table(made, folder / "plain_text" / f"{split}-00000-of-00001.parquet")
    return f"{folder}/"


def unlike(folder):
    shapes = ((9, 5, 3), (5, 9, 3), (6, 4, 3), (40, 31, 3))
    return put(folder, [encoded(pixels(1, shape=shape)[0]) for shape in shapes])


def test_the_hubs_own_layout_of_cifar_10(tmp_path):
    images = pixels(4, shape=(32, 32, 3))
    data = datasets.load(put(tmp_path, [encoded(image) for image in images]))
    assert np.array_equal(data.x_train, images)
    assert data.y_test.tolist() == [0, 1, 0, 1]


def test_images_of_unlike_sizes_name_both_and_the_field(tmp_path):
    with pytest.raises(InputError) as caught:
        datasets.load(unlike(tmp_path))
    assert "row 1: an example of 5 x 9 x 3, the first is 9 x 5 x 3" in str(caught.value)
    assert "resize = [height, width]" in str(caught.value)


def test_resized_they_are_one_size_and_other_data(tmp_path):
    name = unlike(tmp_path)
    data = datasets.load(name, options=SMALL)
    assert data.x_train.shape == (4, 6, 4, 3)
    assert "images resized 6 x 4, proportions not kept" in data.notes
    assert np.array_equal(data.x_train[2], pixels(1, shape=(6, 4, 3))[0])  # of that size already
    large = Image.fromarray(pixels(1, shape=(40, 31, 3))[0])
    expected = np.asarray(large.resize((4, 6), Image.Resampling.BILINEAR))
    assert np.array_equal(data.x_train[3], expected)
    assert datasets.size(name, SMALL).pixels == 24
    assert len({datasets.identity(name, o) for o in (Options(), SMALL, Options((4, 6)))}) == 3
    assert np.array_equal(datasets.load(name, 2, SMALL).x_train, data.first(2).x_train)


def test_gray_stays_gray(tmp_path):
    name = put(tmp_path, [encoded(image[..., 0]) for image in pixels(4)])
    assert datasets.load(name, options=SMALL).x_train.shape == (4, 6, 4, 1)


def test_two_columns_of_labels_are_named_and_the_study_chooses(tmp_path):
    blobs = [encoded(image) for image in pixels(4)]
    name = put(tmp_path, blobs, label="coarse_label", fine_label=[2, 3, 4, 5])
    with pytest.raises(InputError) as caught:
        datasets.load(name)
    assert "coarse_label and fine_label are integers" in str(caught.value)
    assert 'label_column = "coarse_label"' in str(caught.value)
    fine, coarse = (Options(label_column=f"{of}_label") for of in ("fine", "coarse"))
    assert datasets.load(name, options=fine).y_train.tolist() == [2, 3, 4, 5]
    assert datasets.load(name, options=coarse).y_train.tolist() == [0, 1, 0, 1]
    assert datasets.identity(name, fine) != datasets.identity(name, coarse)
    with pytest.raises(InputError, match="no 'other'"):
        datasets.load(name, options=Options(label_column="other"))


def test_a_tables_label_column(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("a,kind\n" + "".join(f"{i},{i % 2}\n" for i in range(10)))
    with pytest.raises(InputError, match="label_column"):
        datasets.load(str(path))
    data = datasets.load(str(path), options=Options(label_column="kind"))
    assert data.x_train.shape == (8, 1)
    assert data.classes == ("0", "1")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"resize": [8, 8]}, "resize: set, but nothing in mine takes it"),
        ({"label_column": "y"}, "label_column: set, but nothing in mine"),
        ({"audio": {"bands": 10}}, "audio: set, but nothing in mine"),
    ],
)
def test_what_no_data_set_takes_is_refused(tmp_path, fields, said):
    name = npz(tmp_path / "mine")
    with pytest.raises(InputError, match=said):
        check_data(validate({"datasets": name, **fields}, "study"))


@pytest.mark.parametrize("size", [0, -1, 5000, [8], [8, 8, 8], "large", 2.5, True])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(InputError, match="resize"):
        validate({"resize": size}, "study")


def test_a_study_carries_it_to_its_cells_and_back_through_its_file(tmp_path):
    name = unlike(tmp_path / "mine")
    fields = {"datasets": name, "seeds": 1, "calibration_examples": 4}
    study = validate(fields | {"resize": 8}, "study")
    assert check_data(study)["mine"].pixels == 64
    other = validate(fields | {"resize": [8, 9]}, "study")
    assert {cell.id for cell in cells(study)}.isdisjoint(cell.id for cell in cells(other))
    path = tmp_path / "study.toml"
    path.write_text(study.to_toml(tmp_path))
    assert load(str(path)).resize == (8, 8)
    assert "audio" not in path.read_text()


COLUMNS = [
    pa.array(
        [{"bytes": b"x", "path": None}] * 4,
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    ),
    pa.array([{"bytes": encoded(pixels(1)[0]), "path": 3}] * 4),
    pa.array([[b"a"]] * 4),
    pa.array([[1, 2], None, [], [3]]),
    pa.array([{"a": 1}, None, {"a": 2}, {"a": 3}]),
    pa.array([1, 2, 3, 4], pa.decimal128(5)),
    pa.array([0, 1, 2, 3], pa.uint64()),
    pa.array([0, 1, 2, 3], pa.date32()),
    pa.array([0, 1, 2, 3], pa.timestamp("ns")),
    pa.array([0, 1, 2, 3], pa.duration("s")),
    pa.array([True, False, None, True]),
    pa.array([0.0, float("nan"), 1.0, 2.0], pa.float16()),
    pa.array(["a", "b", None, "d"]),
    pa.array(["a", "b", "a", "b"]).dictionary_encode(),
    pa.array([b"a", b"", b"b", b"c"], pa.large_binary()),
    pa.array([b"ab"] * 4, pa.binary(2)),
    pa.array([[(1, 2)]] * 4, pa.map_(pa.int64(), pa.int64())),
    pa.nulls(4),
]
"""Whatever a column may be."""


@pytest.mark.parametrize("names", [("image", "label"), ("audio", "label"), ("x", "label")])
def test_columns_of_any_type_are_data_or_one_message(tmp_path, names):
    for i, j in np.ndindex(len(COLUMNS), len(COLUMNS)):
        columns = COLUMNS[i], COLUMNS[j]
        folder = tmp_path / f"{i} {j}"
        folder.mkdir()
        for split in ("train", "test"):
            try:
                pq.write_table(
                    pa.table(dict(zip(names, columns, strict=True))), folder / f"{split}.parquet"
                )
            except pa.ArrowException:
                break  # no file can hold it
        else:
            said, data = "", None
            try:
                data = datasets.load(f"{folder}/")
            except InputError as error:
                said = str(error)
            assert "parquet" in said or np.isfinite(data.x_train).all()


@pytest.mark.parametrize(
    "metadata",
    [
        {"class_names": b"\xff\xfe"},
        {"class_names": b"{}"},
        {"class_names": b"[1, 2]"},
        {"class_names": b'["a", "a"]'},
        {"class_names": b"[" * 100_000},
        {"huggingface": b"[]"},
        {"huggingface": b'{"info": {"features": {"label": {"names": 3}}}}'},
        {"huggingface": b'{"info": 3}'},
        {"huggingface": b"null"},
        {"huggingface": b"\x00"},
    ],
)
def test_malformed_names_of_classes_are_one_message(tmp_path, metadata):
    made = table("image", [encoded(i) for i in pixels(4)], [0, 1, 0, 1])
    for split in ("train", "test"):
        pq.write_table(made.replace_schema_metadata(metadata), tmp_path / f"{split}.parquet")
    with pytest.raises(InputError, match="class names in the schema's metadata"):
        datasets.load(f"{tmp_path}/")
