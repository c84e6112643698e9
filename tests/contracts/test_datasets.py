"""Whatever is registered keeps the contract: every embedded dataset, and every kind of source."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from bench import datasets
from bench.datasets import kinds
from bench.errors import InputError
from bench.pipelines.testset import load_test
from tests.datasets.build import KINDS, N_TEST, N_TRAIN, encoded, write


def keeps_the_contract(data):
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert x.ndim in (2, 4)
        assert x.dtype in (np.uint8, np.float32)
        assert y.dtype == np.int32
        assert len(x) == len(y)
        assert set(y.tolist()) <= set(range(len(data.classes)))
        if x.ndim == 4:
            assert 0 <= x.min() / data.scale <= x.max() / data.scale <= 1
    assert data.x_train.shape[1:] == data.x_test.shape[1:]
    assert len(data.paths) in (0, len(data.x_test))
    assert data.groups is None or len(data.groups) == len(data.x_test)


@pytest.mark.parametrize("name", datasets.names())
def test_every_embedded_dataset_keeps_the_contract(name):
    data = datasets.load(name)
    keeps_the_contract(data)
    assert datasets.load(name) == data
    size = datasets.size(name)
    assert (size.train, size.test) == (len(data.x_train), len(data.x_test))


ALONE = N_TRAIN + N_TEST
"""Examples of a kind that has one split, of which a fifth is held out."""


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def test_every_kind_has_its_example_here(tmp_path):
    """A new kind of source gets its contract tests by a function in tests/datasets/build.py."""
    recognized = {"embedded", "own", "own_labels"}  # named, no path: tests/own has the latter two
    for made in KINDS.values():
        name = made(tmp_path / made.__name__)
        answers = (each for each in kinds.KINDS if kinds.module(each).recognize(name, "datasets"))
        recognized.add(next(answers))
    assert recognized == set(kinds.KINDS)


def test_every_kind_is_loaded_and_knows_its_size(kind, tmp_path):
    name = kind(tmp_path / "mine")
    data, size = datasets.load(name), datasets.size(name)
    keeps_the_contract(data)
    assert data.name == datasets.label(name) == "mine"
    held_out = any("held out" in note for note in data.notes)
    expected = (ALONE - ALONE // 5, ALONE // 5) if held_out else (N_TRAIN, N_TEST)
    assert (len(data.x_train), len(data.x_test)) == (size.train, size.test) == expected
    assert size.pixels == int(np.prod(data.x_train.shape[1:3]))


def test_every_kind_is_the_same_elsewhere_and_another_when_its_content_changes(kind, tmp_path):
    here, copy, other = (
        kind(tmp_path / place / "mine", seed=seed) for place, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert datasets.load(here) == datasets.load(copy) != datasets.load(other)
    assert datasets.identity(here) == datasets.identity(copy) == datasets.load(here).key
    assert datasets.identity(here) != datasets.identity(other)


def test_every_kind_gives_its_test_split_alone(kind, tmp_path):
    name = kind(tmp_path / "mine")
    data, alone, fed = datasets.load(name), datasets.resolve(name).test(), load_test(name)
    assert np.array_equal(alone.x, data.x_test)
    assert np.array_equal(alone.y, data.y_test)
    assert (alone.scale, alone.groups) == (data.scale, data.groups)
    assert alone.classes in ((), data.classes)
    assert fed.classes in (None, len(data.classes))


@pytest.mark.parametrize("examples", [1, 3, 10])
def test_a_part_of_every_kind_is_the_part_of_the_whole(kind, tmp_path, examples):
    name = kind(tmp_path / "mine")
    whole, part = datasets.load(name).first(examples), datasets.load(name, examples)
    assert part == whole
    assert np.array_equal(part.x_train, whole.x_train)
    assert np.array_equal(part.y_train, whole.y_train)
    assert part.classes == whole.classes


def test_digits_are_scikit_learns():
    x, y = load_digits(return_X_y=True)
    data = datasets.load("digits")
    ours = np.concatenate([data.x_train, data.x_test]).reshape(-1, 64)
    labels = np.concatenate([data.y_train, data.y_test])
    place = datasets.fixed_permutation(len(x))
    assert np.array_equal(ours, x[place])
    assert np.array_equal(labels, y[place])


def test_the_fixed_permutation_stays_what_it_was():
    # numpy.random.RandomState(0).permutation(10), NumPy 1.0 to 2.4.
    assert datasets.fixed_permutation(10).tolist() == [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]


def test_the_first_n_are_a_part_with_a_key_of_its_own():
    data = datasets.load("digits")
    part = data.first(100)
    chosen = datasets.fixed_permutation(1000)[:100]
    assert np.array_equal(part.x_train, data.x_train[chosen])
    assert np.array_equal(part.y_train, data.y_train[chosen])
    assert np.array_equal(part.x_test, data.x_test)
    assert part != data
    assert data.first(None) is data


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("train", "test"):
        images = [encoded(rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)) for _ in range(6)]
        write(tmp_path / "mine", images, [0, 1, 2] * 2, name)
    return tmp_path / "mine"


def test_a_parquet_folder_is_decoded_in_order(folder):
    data = datasets.load(f"{folder}/")
    keeps_the_contract(data)
    assert data.name == "mine"
    assert data.classes == ("0", "1", "2")
    assert data.paths[5] == "test/5.png"
    rng = np.random.default_rng(0)
    assert np.array_equal(data.x_train[0], rng.integers(0, 256, (5, 4, 3), dtype=np.uint8))
    assert datasets.size(str(folder)) == datasets.Size(6, 6, 20)


def test_grey_images_get_a_channel_and_class_names_come_from_the_schema(tmp_path):
    folder = tmp_path / "grey"
    for name in ("train", "test"):
        image = encoded(np.zeros((3, 3), np.uint8))
        write(folder, [image] * 2, [0, 1], name, {"class_names": json.dumps(["cat", "dog"])})
    data = datasets.load(str(folder))
    assert data.x_train.shape == (2, 3, 3, 1)
    assert data.classes == ("cat", "dog")


def test_class_names_come_from_hugging_faces_own_metadata_too(tmp_path):
    told = {"info": {"features": {"label": {"names": ["a", "b"], "_type": "ClassLabel"}}}}
    for name in ("train", "test"):
        image = encoded(np.zeros((3, 3), np.uint8))
        write(tmp_path / "hf", [image] * 2, [0, 1], name, {"huggingface": json.dumps(told)})
    assert datasets.load(str(tmp_path / "hf")).classes == ("a", "b")


def test_a_copy_has_the_same_identity_and_a_change_another(folder, tmp_path):
    copy = tmp_path / "elsewhere" / "mine"
    copy.mkdir(parents=True)
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert datasets.identity(str(copy)) == datasets.identity(str(folder))
    other = tmp_path / "other"
    write(other, [encoded(np.ones((5, 4, 3), np.uint8))], [0], "train")
    (other / "test.parquet").write_bytes((folder / "test.parquet").read_bytes())
    assert datasets.identity(str(other)) != datasets.identity(str(folder))


def a_torn_file(folder):
    path = folder / "test.parquet"
    path.write_bytes(path.read_bytes()[:-30])


def no_label_column(folder):
    pq.write_table(pa.table({"image": [{"bytes": b"", "path": ""}]}), folder / "test.parquet")


def no_rows(folder):
    write(folder, [], [], "test")


def bytes_that_are_no_image(folder):
    write(folder, [encoded(np.zeros((5, 4, 3), np.uint8)), b"GIF?"], [0, 1], "test")


def images_of_two_shapes(folder):
    sizes = [(5, 4, 3), (6, 4, 3)]
    write(folder, [encoded(np.zeros(size, np.uint8)) for size in sizes], [0, 1], "test")


def another_shape_than_in_training(folder):
    write(folder, [encoded(np.zeros((9, 9, 3), np.uint8))], [0], "test")


def a_negative_label(folder):
    write(folder, [encoded(np.zeros((5, 4, 3), np.uint8))], [-1], "test")


def a_label_without_a_name(folder):
    image = encoded(np.zeros((5, 4, 3), np.uint8))
    write(folder, [image], [7], "test")
    write(folder, [image], [0], "train", {"class_names": json.dumps(["cat", "dog"])})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (a_torn_file, "not readable as Parquet"),
        (no_label_column, "image (struct of bytes and path) and label (integer)"),
        (no_rows, "no rows"),
        (bytes_that_are_no_image, "row 1: bytes that are no image"),
        (images_of_two_shapes, "one shape for all images"),
        (another_shape_than_in_training, "the training images' shape"),
        (a_negative_label, "label -1"),
        (a_label_without_a_name, "label 7"),
    ],
)
def test_what_is_wrong_with_a_folder_is_one_message(folder, damage, said):
    damage(folder)
    with pytest.raises(InputError) as caught:
        datasets.load(f"{folder}/")
    assert said in str(caught.value)
    assert str(folder) in str(caught.value)


def test_real_mnist_loads(shared_data):
    data = datasets.load(str(shared_data / "mnist"))
    keeps_the_contract(data)
    assert data.x_train.shape == (60000, 28, 28, 1)
    assert data.x_test.shape == (10000, 28, 28, 1)
    assert np.bincount(data.y_test)[1] == 1135  # LeCun's test set has 1,135 ones


@pytest.mark.parametrize(
    ("form", "mode", "how"),
    [
        ("PNG", "L", {}),
        ("PNG", "RGB", {}),
        ("PNG", "P", {}),
        ("PNG", "1", {}),
        ("PNG", "LA", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "L", {"transparency": 7}),
        ("PNG", "RGB", {"transparency": (1, 2, 3)}),
        ("JPEG", "L", {}),
        ("JPEG", "RGB", {}),
        ("JPEG", "RGB", {"subsampling": "4:4:4", "quality": 100}),
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "CMYK", {}),
        ("BMP", "RGB", {}),
        ("GIF", "P", {}),
    ],
)
def test_images_are_decoded_as_pillow_does_it(tmp_path, form, mode, how):
    random = np.random.default_rng(0).integers(0, 256, (19, 17, 3), dtype=np.uint8)
    blob = encoded(random, form, mode, **how)
    for name in ("train", "test"):
        write(tmp_path / "mine", [blob], [0], name)
    pillow = Image.open(io.BytesIO(blob))
    shape = (19, 17, 1 if pillow.mode == "L" else 3)
    expected = np.asarray(pillow if shape[-1] == 1 else pillow.convert("RGB")).reshape(shape)
    assert np.array_equal(datasets.load(str(tmp_path / "mine")).x_train[0], expected)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_half_an_image_is_none(tmp_path, form, kept):
    whole = encoded(np.random.default_rng(0).integers(0, 256, (19, 17, 3), dtype=np.uint8), form)
    write(tmp_path / "mine", [whole, whole[: int(kept * len(whole))]], [0, 1])
    write(tmp_path / "mine", [whole], [0], "test")
    with pytest.raises(InputError, match="row 1: bytes that are no image"):
        datasets.load(str(tmp_path / "mine"))


@pytest.mark.parametrize("name", ["mnist", "cifar10-jpeg"])
def test_real_images_are_decoded_as_pillow_does_it(shared_data, name):
    x = datasets.load(str(shared_data / name), 1).x_test
    images = pq.read_table(shared_data / name / "test.parquet")["image"].to_pylist()
    for ours, image in zip(x, images, strict=True):
        assert np.array_equal(ours.squeeze(), np.asarray(Image.open(io.BytesIO(image["bytes"]))))


def test_real_cifar10_loads(shared_data):
    data = datasets.load(str(shared_data / "cifar10-jpeg"))
    keeps_the_contract(data)
    assert data.x_test.shape == (10000, 32, 32, 3)
    assert data.classes[0] == "airplane"
    assert np.bincount(data.y_test).tolist() == [1000] * 10


@pytest.mark.parametrize("examples", [1, 2, 6])
def test_a_part_decoded_alone_is_the_part_of_the_whole(folder, examples):
    whole, part = datasets.load(str(folder)), datasets.load(str(folder), examples)
    assert part == whole.first(examples)
    for fewer in range(1, examples + 1):
        one, other = part.first(fewer), whole.first(fewer)
        assert np.array_equal(one.x_train, other.x_train)
        assert np.array_equal(one.y_train, other.y_train)
    # A class that no chosen example has is a class all the same.
    assert part.classes == whole.classes
