"""A folder in the Hugging Face Parquet layout: train.parquet and test.parquet, image and label."""

import hashlib
import io
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.datasets import Dataset, Size, fixed_permutation
from bench.errors import InputError

SPLITS = ("train", "test")


def check(folder: str, where: str) -> None:
    """Raises InputError naming `where` unless both files are there."""
    if not Path(folder).is_dir():
        raise InputError(where, f"no folder {folder!r}", "allowed: a folder that exists")
    for split in SPLITS:
        if not (Path(folder) / f"{split}.parquet").is_file():
            raise InputError(
                where,
                f"{folder!r} has no {split}.parquet",
                "allowed: a folder with train.parquet and test.parquet",
            )


@lru_cache
def fingerprint(folder: Path) -> str:
    """SHA-256 over both files' bytes: a folder that is moved or copied keeps it."""
    digest = hashlib.sha256()
    for split in SPLITS:
        with (folder / f"{split}.parquet").open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def size(folder: Path) -> Size:
    """From the files' metadata and the first image. Raises InputError if they are not whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    counts = []
    for split in SPLITS:
        path = folder / f"{split}.parquet"
        try:
            file = pq.ParquetFile(path)
            counts.append(file.metadata.num_rows)
            first = next(file.iter_batches(1, columns=["image"])).column(0)[0].as_py()
        except (pa.ArrowInvalid, OSError, KeyError, StopIteration) as error:
            raise InputError(
                str(path), f"no readable column image ({error})", "allowed: a whole Parquet file"
            ) from None
    image = _decode(first["bytes"])
    if image is None:
        raise InputError(str(path), "row 0: bytes that are no image", "allowed: PNG, JPEG ...")
    return Size(counts[0], counts[1], image.shape[0] * image.shape[1])


def load(folder: Path, train_examples: int | None = None) -> Dataset:
    """Read both splits, decoding no training images but those that `Dataset.first` would choose.

    Raises InputError naming the file that is not as expected.
    """
    x_train, y_train, _, names = read_split(folder / "train.parquet", train_examples)
    x_test, y_test, paths, _ = read_split(folder / "test.parquet")
    if x_train.shape[1:] != x_test.shape[1:]:
        raise InputError(
            str(folder / "test.parquet"),
            f"images of {x_test.shape[1:]}",
            f"allowed: the training images' shape {x_train.shape[1:]}",
        )
    labels = y_train if train_examples is None else _labels(folder / "train.parquet")
    highest = int(max(labels.max(), y_test.max()))
    classes = names or tuple(str(c) for c in range(highest + 1))
    if highest >= len(classes):
        raise InputError(
            str(folder), f"label {highest}", f"allowed: 0 to {len(classes) - 1}, the named classes"
        )
    key = fingerprint(folder)
    return Dataset(
        key if train_examples is None else f"{key}/{train_examples}",
        folder.resolve().name,
        x_train,
        y_train,
        x_test,
        y_test,
        255.0,
        classes,
        paths,
        permuted=train_examples is not None,
    )


def _labels(path: Path) -> np.ndarray:
    import pyarrow.parquet as pq

    labels: np.ndarray = pq.read_table(path, columns=["label"])["label"].to_numpy()
    return labels


def read_split(
    path: Path, first: int | None = None
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Images uint8 (n, height, width, channels), labels int32 (n,), file names, class names.

    first: only as many rows, in the order of the fixed permutation; None: all, in their own.
    Raises InputError naming the file and what in it is not as expected.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            str(path), f"not readable as Parquet ({error})", "allowed: a whole Parquet file"
        ) from None
    for column in ("image", "label"):
        if column not in table.column_names:
            raise InputError(
                str(path),
                f"columns {', '.join(table.column_names)}",
                "allowed: image (struct of bytes and path) and label (integer)",
            )
    if table.num_rows == 0:
        raise InputError(str(path), "no rows", "allowed: at least one example")
    if not pa.types.is_integer(table.schema.field("label").type) or table["label"].null_count:
        raise InputError(str(path), "labels that are not all integers", "allowed: 0, 1, 2, ...")
    labels = table["label"].to_numpy().astype(np.int32)
    if labels.min() < 0:
        raise InputError(str(path), f"label {labels.min()}", "allowed: 0, 1, 2, ...")
    images = table["image"].combine_chunks()
    blobs, kept = images.field("bytes"), np.arange(len(labels))
    if first is not None:
        kept = fixed_permutation(len(labels))[:first]
        labels = labels[kept]
        images = images.take(pa.array(kept))
        blobs = images.field("bytes")
    blobs = blobs.to_pylist()
    decoded = [_decode(blob) for blob in blobs]
    images_only = [image for image in decoded if image is not None]
    if len(images_only) < len(decoded):
        row = next(row for row, image in zip(kept, decoded, strict=True) if image is None)
        raise InputError(
            str(path), f"row {row}: bytes that are no image", "allowed: PNG, JPEG and the like"
        )
    shapes = {image.shape for image in images_only}
    if len(shapes) != 1:
        raise InputError(
            str(path), f"images of shapes {sorted(shapes)}", "allowed: one shape for all images"
        )
    x = np.stack(images_only)
    names = tuple(name or "" for name in images.field("path").to_pylist())
    return x if x.ndim == 4 else x[..., None], labels, names, _class_names(table.schema)


def _decode(blob: bytes | None) -> np.ndarray | None:
    """uint8 (height, width) or (height, width, 3), as Pillow has it; None if it is no image."""
    image = _decode_common(blob or b"")
    if image is not None:
        return image
    from PIL import Image, UnidentifiedImageError

    try:
        opened = Image.open(io.BytesIO(blob or b""))
        return np.asarray(opened if opened.mode in ("L", "RGB") else opened.convert("RGB"))
    except (UnidentifiedImageError, OSError):
        return None


def _decode_common(blob: bytes) -> np.ndarray | None:
    """What nearly all data sets hold, 6 times as fast as Pillow does it; None: ask Pillow.

    PNG in 8 bits, gray or RGB; JPEG that is whole (libjpeg would fill the rest with gray).
    """
    import imagecodecs

    if blob.startswith(b"\x89PNG\r\n\x1a\n") and blob[24:26] in (b"\x08\x00", b"\x08\x02"):
        decode = imagecodecs.png_decode
    elif blob.startswith(b"\xff\xd8\xff") and blob.endswith(b"\xff\xd9"):
        decode = imagecodecs.jpeg8_decode
    else:
        return None
    try:
        image: np.ndarray = decode(blob)
    except (imagecodecs.PngError, imagecodecs.Jpeg8Error):
        return None
    return image if image.ndim == 2 or image.shape[2] == 3 else None  # no alpha, no CMYK


def _class_names(schema: Any) -> tuple[str, ...]:
    """The schema's `class_names`, or those that Hugging Face's `datasets` writes, if any."""
    metadata = schema.metadata or {}
    if b"class_names" in metadata:
        return tuple(json.loads(metadata[b"class_names"]))
    described = json.loads(metadata.get(b"huggingface", b"{}"))
    feature = described.get("info", {}).get("features", {}).get("label", {})
    return tuple(feature.get("names", ()))
