"""Small data of every kind, written as their owners would."""

import csv
import io
import json
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

N_TRAIN, N_TEST = 10, 6
SHAPE = (5, 4, 3)


def encoded(image, form="PNG", mode=None, **how):
    buffer = io.BytesIO()
    Image.fromarray(image).convert(mode).save(buffer, form, **how)
    return buffer.getvalue()


def pixels(n, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def sound(seed=0, rate=8000, samples=4000, channels=1):
    """A WAV file of 16 bits: a tone and noise."""
    rng = np.random.default_rng(seed)
    tone = np.sin(2 * np.pi * (300 + 100 * seed) * np.arange(samples) / rate)
    values = (8000 * tone[:, None] + rng.normal(0, 200, (samples, channels))).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(values.tobytes())
    return buffer.getvalue()


def table(column, blobs, labels, label="label", names=None, **more):
    """A table in the layout of the Hugging Face hub. more: further columns."""
    names = names or [f"{i}.bin" for i in range(len(blobs))]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    values = [{"bytes": b, "path": p} for b, p in zip(blobs, names, strict=True)]
    columns = {column: pa.array(values, kind), label: pa.array(labels)}
    return pa.table(columns | {name: pa.array(v) for name, v in more.items()})


def write(folder, images, labels, name="train", metadata=None):
    """A split of images, one file."""
    folder.mkdir(exist_ok=True, parents=True)
    names = [f"{name}/{i}.png" for i in range(len(images))]
    made = table("image", images, pa.array(labels, pa.int64()), names=names)
    pq.write_table(made.replace_schema_metadata(metadata), folder / f"{name}.parquet")


def parquet_images(folder, seed=0):
    for name, n in (("train", N_TRAIN), ("test", N_TEST)):
        images = [encoded(image) for image in pixels(n, seed + len(name))]
        write(folder, images, [i % 3 for i in range(n)], name)
    return f"{folder}/"


def parquet_shards(folder, seed=0):
    """As the hub writes larger sets: several files a split, another name for image and label."""
    inner = folder / "plain_text"
    inner.mkdir(parents=True)
    for name, n, shards in (("train", N_TRAIN, 3), ("test", N_TEST, 2)):
        blobs = [encoded(image) for image in pixels(n, seed + len(name))]
        told = {"info": {"features": {"fine_label": {"names": ["a", "b", "c"]}}}}
        whole = table("img", blobs, [i % 3 for i in range(n)], label="fine_label")
        whole = whole.replace_schema_metadata({"huggingface": json.dumps(told)})
        for i, rows in enumerate(np.array_split(np.arange(n), shards)):
            file = inner / f"{name}-{i:05d}-of-{shards:05d}.parquet"
            pq.write_table(whole.slice(rows[0], len(rows)), file)
    return f"{folder}/"


def parquet_sounds(folder, seed=0):
    folder.mkdir(parents=True)
    for name, n in (("train", N_TRAIN), ("test", N_TEST)):
        labels = [i % 2 for i in range(n)]
        names = [f"{label}_{'ab'[i % 3 % 2]}_{i}.wav" for i, label in enumerate(labels)]
        blobs = [sound(seed + i, samples=3000 + 100 * i) for i in range(n)]
        pq.write_table(table("audio", blobs, labels, names=names), folder / f"{name}.parquet")
    return f"{folder}/"


def npz(folder, seed=0):
    folder.mkdir(parents=True)
    np.savez(
        folder / "mine.npz",
        x_train=pixels(N_TRAIN, seed),
        y_train=np.arange(N_TRAIN)[:, None] % 3,
        x_test=pixels(N_TEST, seed + 1),
        y_test=np.arange(N_TEST)[:, None] % 3,
        groups_test=np.arange(N_TEST) // 2,
    )
    return str(folder / "mine.npz")


def image_files(folder, seed=0):
    for split, n in (("train", N_TRAIN), ("test", N_TEST)):
        for i, image in enumerate(pixels(n, seed + len(split))):
            file = folder / split / ("cat", "dog", "Eel")[i % 3] / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encoded(image))
    return folder


def class_folder(folder, seed=0):
    return f"{image_files(folder, seed)}/"


def class_zip(folder, seed=0):
    made = image_files(folder, seed)
    with zipfile.ZipFile(folder / "mine.zip", "w") as archive:
        for file in sorted(made.rglob("*.png")):
            archive.write(file, f"whatever/{file.relative_to(made)}")
        archive.writestr("__MACOSX/whatever/train/cat/._0.png", b"not an image")
    return str(folder / "mine.zip")


def csv_table(folder, seed=0):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    with (folder / "mine.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["width", "label", "height", "group"])
        for i in range(N_TRAIN + N_TEST):
            row = [round(rng.normal(), 3), "ham" if i % 2 else "spam", i, f"p{i // 4}"]
            writer.writerow(row)
    return str(folder / "mine.csv")


def parquet_table(folder, seed=0):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for name, n in (("train", N_TRAIN), ("test", N_TEST)):
        made = {"a": rng.normal(size=n), "label": np.arange(n) % 2, "b": np.arange(n)}
        order = ["a", "label", "b"] if name == "train" else ["b", "a", "label"]
        pq.write_table(pa.table({c: made[c] for c in order}), folder / f"{name}.parquet")
    return f"{folder}/"


KINDS: dict[str, Callable[..., str]] = {
    made.__name__: made
    for made in (
        parquet_images,
        parquet_shards,
        parquet_sounds,
        npz,
        class_folder,
        class_zip,
        csv_table,
        parquet_table,
    )
}
"""Each writes into a new folder and returns the name that stands in a study; `seed` decides the
content."""


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
