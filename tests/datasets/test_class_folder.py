"""Class folders: a folder and its archive are the same data, and classes are sorted by name."""

import numpy as np
import pytest

from bench import datasets
from bench.errors import InputError
from tests.datasets.build import N_TEST, N_TRAIN, class_folder, class_zip, encoded, pixels


def put(root, *files):
    for i, file in enumerate(files):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(pixels(1, i)[0]))
    return f"{root}/"


def test_classes_are_folders_sorted_by_name_and_images_by_class(tmp_path):
    data = datasets.load(class_folder(tmp_path / "mine"))
    assert data.classes == ("Eel", "cat", "dog")
    assert data.y_train.tolist() == [0] * 3 + [1] * 4 + [2] * 3
    made = pixels(N_TRAIN, len("train"))
    assert np.array_equal(data.x_train[:3], made[[2, 5, 8]])
    assert data.paths[0] == "Eel/2.png"
    assert len(data.x_test) == N_TEST


def test_an_archive_is_the_same_as_its_folder(tmp_path):
    folder, archive = class_folder(tmp_path / "a" / "mine"), class_zip(tmp_path / "b" / "mine")
    assert datasets.load(folder) == datasets.load(archive)
    assert np.array_equal(datasets.load(folder).x_train, datasets.load(archive).x_train)


def test_one_split_is_divided_by_a_fixed_permutation_and_that_is_said(tmp_path):
    name = put(tmp_path, *(f"{c}/{i}.png" for c in "ab" for i in range(10)))
    data = datasets.load(name)
    assert (len(data.x_train), len(data.x_test)) == (16, 4)
    assert data.notes == ("no test split: one example in 5 is held out by a fixed permutation",)
    # The first fifth of RandomState(0).permutation(20), NumPy 1.0 to 2.4.
    held = sorted([18, 1, 19, 8])
    assert list(data.paths) == [f"{'ab'[i // 10]}/{i % 10}.png" for i in held]


def test_a_class_may_be_called_train(tmp_path):
    data = datasets.load(put(tmp_path, *(f"{c}/{i}.png" for c in ("train", "car") for i in "012")))
    assert data.classes == ("car", "train")


def test_a_class_of_the_test_split_alone_is_a_class(tmp_path):
    data = datasets.load(put(tmp_path, "train/a/0.png", "train/b/1.png", "test/c/2.png"))
    assert data.classes == ("a", "b", "c")
    assert data.y_test.tolist() == [2]


def test_hidden_files_are_none(tmp_path):
    name = put(tmp_path, "train/a/0.png", "test/a/1.png")
    for file in ("train/a/.DS_Store", "train/.thumbs/x.png", "test/a/Thumbs.db", "README.md"):
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"?")
    assert len(datasets.load(name).x_train) == 1


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("train/a/notes.txt", b"hello", "notes.txt: row 1: bytes that are no image"),
        ("train/loose.png", encoded(pixels(1)[0]), "an image in no class folder"),
        ("train/a/big.png", encoded(pixels(1, shape=(8, 8, 3))[0]), "8 x 8 x 3, the first is 5 x"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, file, content, said):
    name = put(tmp_path, "train/a/0.png", "test/a/1.png")
    (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError) as caught:
        datasets.load(name)
    assert said in str(caught.value)


def test_a_folder_of_something_else_is_no_data(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(InputError, match="holds no data of a known kind"):
        datasets.load(f"{tmp_path}/")


def test_a_link_to_a_folder_above_ends(tmp_path):
    name = put(tmp_path, "train/a/0.png", "test/a/1.png")
    (tmp_path / "train" / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert len(datasets.load(name).x_train) == 1
