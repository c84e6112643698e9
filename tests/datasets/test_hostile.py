"""Damaged and hostile data: one InputError that names file and row, in bounded memory."""

import io
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy import nan

from bench import datasets
from bench.datasets.kinds.parquet_audio import Sounds
from bench.datasets.reading.images import OfAnotherShape, Undecodable, decode
from bench.datasets.reading.limits import MOST_PIXELS
from bench.errors import InputError
from tests.datasets.build import KINDS, encoded, files_of, pixels, sound, table, write

WHOLE = encoded(pixels(1)[0])


def a_png_of(width, height):
    """A PNG that claims a size; its pixels are not there."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    crc = struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk + crc + WHOLE[33:]


def a_jpeg_of(width, height):
    """A JPEG whose start of frame claims a size."""
    blob = encoded(np.zeros((16, 16, 3), np.uint8), "JPEG")
    at = blob.index(b"\xff\xc0")
    return blob[: at + 5] + struct.pack(">HH", height, width) + blob[at + 9 :]


def a_gif_of(width, height):
    blob = encoded(np.zeros((4, 4), np.uint8), "GIF")
    return blob[:6] + struct.pack("<HH", width, height) + blob[10:]


@pytest.mark.parametrize(
    ("blob", "said"),
    [
        (a_jpeg_of(65500, 65500), "65500 x 65500 pixels"),
        (a_png_of(20000, 20000), "20000 x 20000 pixels"),
        (a_png_of(2**31 - 1, 2**31 - 1), "pixels"),
        (a_gif_of(65535, 65535), "pixels"),
        (WHOLE[:-40], "no image"),
        (WHOLE[:33] + b"\xff" * 40, "no image"),
        (encoded(pixels(1)[0], "PNG", "I;16"), "more than 8 bits a channel"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image"),
        (b"", "no bytes"),
        (None, "no bytes"),
        (b"\0" * (65 << 20), "bytes, more than"),
    ],
)
@pytest.mark.parametrize("row", [0, 2])
def test_an_image_that_is_none_is_named_by_file_and_row(tmp_path, blob, said, row):
    blobs = [WHOLE] * 3
    blobs[row] = blob
    write(tmp_path, blobs, [0, 1, 2], "train")
    write(tmp_path, [WHOLE], [0], "test")
    with pytest.raises(InputError) as caught:
        datasets.load(f"{tmp_path}/")
    assert f"train.parquet: row {row}: " in str(caught.value)
    assert said in str(caught.value)


def test_an_image_of_another_size_is_named_with_both_sizes(tmp_path):
    write(tmp_path, [WHOLE, encoded(pixels(1, shape=(7, 9, 3))[0])], [0, 1], "train")
    write(tmp_path, [WHOLE], [0], "test")
    with pytest.raises(InputError, match="row 1: an example of 7 x 9 x 3, the first is 5 x 4 x 3"):
        datasets.load(f"{tmp_path}/")


@pytest.mark.parametrize(
    "column",
    [
        pa.array([WHOLE] * 2, pa.binary()),
        pa.array([[1, 2], [3, 4]]),
        pa.array(["a", "b"]),
        pa.array([{"path": "a"}, {"path": "b"}]),
        pa.array([{"bytes": "text"}, {"bytes": "text"}]),
        pa.nulls(2),
    ],
    ids=["binary", "list", "text", "no bytes", "bytes of text", "null"],
)
def test_a_column_of_another_type_is_named(tmp_path, column):
    for name in ("train", "test"):
        pq.write_table(pa.table({"image": column, "label": [0, 1]}), tmp_path / f"{name}.parquet")
    with pytest.raises(InputError, match=r"column image: .*struct of bytes"):
        datasets.load(f"{tmp_path}/")


@pytest.mark.parametrize("at", [0, 1, 3])
@pytest.mark.parametrize("value", [-1, 2**16, 2**31, 2**32, 2**63 - 1, None, nan, 1e300, "", True])
def test_a_label_out_of_range_never_becomes_a_class(tmp_path, at, value):
    labels = {float: [0.0] * 4, str: ["a"] * 4, bool: [False] * 4}.get(type(value), [0] * 4)
    labels[at] = value
    for name in ("train", "test"):
        pq.write_table(table("image", [WHOLE] * 4, labels), tmp_path / f"{name}.parquet")
    with pytest.raises(InputError) as caught:
        datasets.load(f"{tmp_path}/")
    assert "train.parquet" in str(caught.value)
    assert f"row {at}: " in str(caught.value) or isinstance(value, float | bool)


def test_a_null_image_in_a_row_is_named(tmp_path):
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    column = pa.array([{"bytes": WHOLE, "path": None}, None], kind)
    for name in ("train", "test"):
        pq.write_table(pa.table({"image": column, "label": [0, 1]}), tmp_path / f"{name}.parquet")
    with pytest.raises(InputError, match=r"test\.parquet: row 1: no bytes"):
        datasets.load(f"{tmp_path}/")


def run_bounded(name, megabytes):
    """Load in a process of limited address space; the last line that it said."""
    probe = (
        "import resource, pyarrow.parquet\n"
        "from bench import datasets\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        f"most = used + {megabytes << 20}\n"
        "resource.setrlimit(resource.RLIMIT_AS, (most, most))\n"
        f"try: datasets.load({name!r})\n"
        "except datasets.InputError as error: print(error)\n"
    )
    command = [sys.executable, "-c", probe]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="limits address space as Linux does")
def test_millions_of_rows_in_a_small_file_end_at_once(tmp_path):
    part = table("image", [WHOLE] * 60_000, [0] * 60_000, names=["a"] * 60_000)
    for name in ("train", "test"):
        with pq.ParquetWriter(tmp_path / f"{name}.parquet", part.schema) as writer:
            for _ in range(100):
                writer.write_table(part)
    assert (tmp_path / "train.parquet").stat().st_size < 2 << 20
    assert "6,000,000 rows in" in run_bounded(f"{tmp_path}/", 400)


@pytest.mark.skipif(sys.platform != "linux", reason="limits address space as Linux does")
def test_one_long_value_repeated_ends_in_bounded_memory(tmp_path):
    """200 rows of 4 MB, which the file holds once."""
    part = table("image", [b"\0" * (4 << 20)], [0])
    whole = pa.concat_tables([part] * 200)
    path = tmp_path / "train.parquet"
    pq.write_table(whole, path, dictionary_pagesize_limit=64 << 20)
    (tmp_path / "test.parquet").write_bytes(path.read_bytes())
    assert path.stat().st_size < 1 << 20
    # Which of the two comes first depends on what the allocator keeps.
    said = run_bounded(f"{tmp_path}/", 600)
    assert "row 0: bytes that are no image" in said or "not readable as Parquet" in said


def test_more_than_the_memory_is_said_before_anything_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.datasets.reading.limits.affordable", lambda: 1000)
    write(tmp_path, [WHOLE] * 5, [0] * 5, "train")
    write(tmp_path, [WHOLE] * 5, [0] * 5, "test")
    with pytest.raises(InputError, match="5 examples of 5 x 4 x 3"):
        datasets.load(f"{tmp_path}/")


IMAGES = {
    f"{form} {mode}": encoded(pixels(1, shape=(9, 8, 3))[0], form, mode)
    for form, mode in (
        ("PNG", "RGB"),
        ("PNG", "P"),
        ("PNG", "LA"),
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("GIF", "P"),
        ("BMP", "RGB"),
        ("WEBP", "RGB"),
        ("TIFF", "RGB"),
        ("PPM", "RGB"),
    )
}


@st.composite
def damaged(draw, blob):
    """Bytes of a file changed, removed, or put in."""
    found = bytearray(blob)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(found)))
        length = draw(st.integers(0, 8))
        found[at : at + length] = draw(st.binary(max_size=8))
    return bytes(found[: draw(st.integers(0, len(found)))] if draw(st.booleans()) else found)


def test_no_bit_of_a_png_turns_without_a_word():
    image = pixels(1, shape=(28, 28, 3))[0]
    image[4:] = 0
    blob = encoded(image)
    for at in range(8 * len(blob)):
        turned = bytearray(blob)
        turned[at // 8] ^= 1 << at % 8
        try:
            found = decode(bytes(turned))
        except Undecodable:
            continue
        assert np.array_equal(found, image), at


@pytest.mark.parametrize("form", IMAGES)
@settings(max_examples=150)
@given(data=st.data())
def test_whatever_a_decoder_raises_is_no_image(form, data):
    try:
        image = decode(data.draw(damaged(IMAGES[form])))
    except Undecodable:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 2 or image.shape[2] == 3
    assert image.shape[0] * image.shape[1] <= MOST_PIXELS


@settings(max_examples=300)
@given(st.one_of(damaged(sound()), damaged(sound(channels=2, rate=44100)), st.binary()))
def test_whatever_a_reader_of_sound_raises_is_no_sound(blob):
    try:
        found = Sounds().first(blob)
    except (Undecodable, OfAnotherShape):
        return
    assert found.shape == (49, 40, 1)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_with_changed_bytes_is_read_or_is_one_message(kind, tmp_path):
    """Of every kind, whatever the damage: data, or an InputError that names a file."""
    rng = np.random.default_rng(0)
    for turn in range(40):
        folder = tmp_path / str(turn)
        name = KINDS[kind](folder / "mine")
        files = files_of(folder)
        path = files[rng.integers(len(files))]
        if name.endswith((".zip", ".npz", ".csv")):
            path = folder / "mine" / name.rsplit("/", 1)[1]
        content = bytearray(path.read_bytes())
        for _ in range(rng.integers(1, 9)):
            content[rng.integers(len(content))] = rng.integers(256)
        path.write_bytes(content[: rng.integers(1, len(content))] if turn % 4 == 0 else content)
        said, data = "", None
        try:
            data = datasets.load(name)
        except InputError as error:
            said = str(error)
        assert data is not None or "mine" in said
        if data is not None:
            assert np.isfinite(data.x_train.astype(np.float64)).all()
            assert len(data.x_test) == len(data.y_test)


def test_an_archive_member_that_grows_beyond_bounds_is_refused(tmp_path):
    path = tmp_path / "mine.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/0.png", WHOLE)
        archive.writestr("cat/1.png", io.BytesIO(b"\0" * (70 << 20)).getvalue())
        archive.writestr("dog/2.png", WHOLE)
    with pytest.raises(InputError, match="more than"):
        datasets.load(str(path))
