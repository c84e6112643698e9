"""Splits and shards as the Hugging Face hub names them, and what is taken for what."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import datasets
from bench.errors import InputError
from tests.datasets.build import encoded, pixels, table, write

BLOBS = [encoded(image) for image in pixels(6)]
LABELS = [0, 1, 2] * 2


def put(folder, *names, **options):
    for name in names:
        file = folder / f"{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table("image", BLOBS, LABELS, **options), file)
    return f"{folder}/"


def test_shards_are_one_split_in_the_order_of_their_numbers(tmp_path):
    whole = table("image", BLOBS, LABELS)
    for i in range(6):
        pq.write_table(whole.slice(i, 1), tmp_path / f"train-{i:05d}-of-00006.parquet")
    put(tmp_path, "test")
    data = datasets.load(f"{tmp_path}/")
    assert np.array_equal(data.x_train, pixels(6))
    assert data.y_train.tolist() == LABELS
    assert not data.notes


@pytest.mark.parametrize(
    "names",
    [
        ("train", "test"),
        ("train-00000-of-00001", "test-00000-of-00001"),
        ("data/train-00000-of-00001-abcdef0123456789", "data/test-00000-of-00001-0123"),
        ("plain_text/train/0000", "plain_text/test/0000"),
        ("train/0000", "test/0000"),
        ("Train", "Test"),
        ("train_0", "test_0"),
    ],
)
def test_the_hubs_names_of_files(tmp_path, names):
    data = datasets.load(put(tmp_path, *names))
    assert (len(data.x_train), len(data.x_test), data.notes) == (6, 6, ())


def test_another_split_than_test_is_tested_on_and_that_is_said(tmp_path):
    data = datasets.load(put(tmp_path, "train", "validation"))
    assert data.notes == ("the split 'validation' is the test split",)
    data = datasets.load(put(tmp_path, "test"))
    assert data.notes == ("left out: the split 'validation'",)


def test_a_single_file_is_one_split(tmp_path):
    put(tmp_path, "mine")
    data = datasets.load(str(tmp_path / "mine.parquet"))
    assert data.name == "mine"
    assert (len(data.x_train), len(data.x_test)) == (5, 1)
    assert "held out" in data.notes[0]
    both = np.concatenate([data.x_train, data.x_test])
    assert {image.tobytes() for image in both} == {image.tobytes() for image in pixels(6)}


def test_other_columns_are_taken_and_that_is_said(tmp_path):
    for name in ("train", "test"):
        made = table("img", BLOBS, LABELS, label="fine_label", group=["a", "b"] * 3)
        pq.write_table(made, tmp_path / f"{name}.parquet")
    data = datasets.load(f"{tmp_path}/")
    assert data.notes == (
        "image from the column 'img'",
        "labels from the column 'fine_label', the only one of integers",
        "groups from the column 'group'",
    )
    assert data.groups == ("a", "b") * 3


@pytest.mark.parametrize(
    ("labels", "classes", "coded"),
    [
        (pa.array(["b", "a", "c"] * 2), ("a", "b", "c"), [1, 0, 2] * 2),
        (pa.array(["b", "a", "c"] * 2).dictionary_encode(), ("a", "b", "c"), [1, 0, 2] * 2),
        (pa.array([1, 0, 2] * 2, pa.uint8()), ("0", "1", "2"), [1, 0, 2] * 2),
        (pa.array([1, 0, 2] * 2, pa.int32()).dictionary_encode(), ("0", "1", "2"), [1, 0, 2] * 2),
    ],
)
def test_labels_of_every_type(tmp_path, labels, classes, coded):
    data = datasets.load(put_labels(tmp_path, labels))
    assert data.classes == classes
    assert data.y_train.tolist() == coded


def put_labels(folder, labels):
    for name in ("train", "test"):
        made = table("image", BLOBS, LABELS).set_column(1, "label", labels)
        pq.write_table(made, folder / f"{name}.parquet")
    return f"{folder}/"


def test_text_labels_of_the_test_split_alone_are_numbered_as_in_training(tmp_path):
    put(tmp_path, "train", label="label")
    for name, words in (("train", ["a", "b", "c"] * 2), ("test", ["c", "b", "b", "c", "c", "b"])):
        made = table("image", BLOBS, LABELS).set_column(1, "label", pa.array(words))
        pq.write_table(made, tmp_path / f"{name}.parquet")
    alone = datasets.resolve(f"{tmp_path}/").test()
    assert alone.y.tolist() == [2, 1, 1, 2, 2, 1]
    assert alone.classes == ("a", "b", "c")


def test_a_test_split_alone_is_enough_to_compare_and_too_little_to_train(tmp_path):
    source = datasets.resolve(put(tmp_path, "test"))
    assert len(source.test().x) == 6
    with pytest.raises(InputError, match="no training split"):
        source.load()


@pytest.mark.parametrize("names", [("a", "b"), ("test", "extra"), ("train", "extra")])
def test_splits_that_cannot_be_told_apart_are_named(tmp_path, names):
    with pytest.raises(InputError, match=f"the splits {', '.join(sorted(names))}"):
        datasets.load(put(tmp_path, *names))


def test_a_missing_shard_is_named(tmp_path):
    put(tmp_path, "train-00000-of-00003", "train-00002-of-00003", "test")
    with pytest.raises(InputError, match="2 of 3 shards of 'train'"):
        datasets.load(f"{tmp_path}/")


def test_two_configurations_are_not_mixed(tmp_path):
    put(tmp_path, "fine/train", "coarse/train", "test")
    with pytest.raises(InputError, match=r"'train' in .*coarse and in .*fine"):
        datasets.load(f"{tmp_path}/")


def test_two_columns_of_integers_are_named(tmp_path):
    put(tmp_path, "train", "test", label="fine_label", coarse_label=LABELS)
    with pytest.raises(InputError, match="columns image, fine_label, coarse_label"):
        datasets.load(f"{tmp_path}/")


def test_the_identity_of_a_folder_of_two_files_stays_what_it_was(tmp_path):
    """SHA-256 over both files' SHA-256: result folders of older versions hold it."""
    import hashlib

    put(tmp_path, "train", "test")
    digests = [
        hashlib.sha256((tmp_path / f"{name}.parquet").read_bytes()).digest()
        for name in ("train", "test")
    ]
    assert datasets.identity(f"{tmp_path}/") == hashlib.sha256(b"".join(digests)).hexdigest()


@pytest.mark.parametrize(
    "metadata",
    [
        {"class_names": "no json"},
        {"class_names": "3"},
        {"class_names": "[1, 2, 3]"},
        {"class_names": '["a", "a", "b"]'},
        {"class_names": b"\xff\xfe"},
        {"class_names": "[" * 100_000},
        {"huggingface": "{"},
        {"huggingface": "[]"},
        {"huggingface": json.dumps({"info": {"features": ["label"]}})},
        {"huggingface": json.dumps({"info": {"features": {"label": {"names": "abc"}}}})},
    ],
)
def test_class_names_that_cannot_be_read_are_one_message(tmp_path, metadata):
    write(tmp_path, BLOBS, LABELS, "train", metadata)
    write(tmp_path, BLOBS, LABELS, "test")
    with pytest.raises(InputError, match="class names in the schema's metadata") as caught:
        datasets.load(f"{tmp_path}/")
    assert "train.parquet" in str(caught.value)
