"""A folder or .zip of class folders with images: train/cat/1.png ..., or cat/1.png ... alone."""

import hashlib
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from bench import datasets
from bench.datasets import Source
from bench.datasets.reading import labels as labels_of
from bench.datasets.reading.encoded import Encoded, Split
from bench.datasets.reading.images import SUFFIXES, Images
from bench.datasets.reading.limits import MOST_BLOB
from bench.datasets.reading.options import DEFAULT, Options
from bench.datasets.reading.splits import TEST, TRAIN, choose
from bench.errors import InputError

EXAMPLE = "./class-folders or mine.zip"

_HIDDEN = {"__MACOSX", "Thumbs.db", "desktop.ini"}


def recognize(name: str, where: str, options: Options = DEFAULT) -> Source | None:
    path = Path(name).expanduser()
    tree: Tree
    if path.is_dir():
        tree = Folder(path)
    elif path.suffix.lower() == ".zip":
        tree = Archive(path)
    else:
        return None
    splits = _splits(tree)
    if not splits:
        return None

    def split(part: str) -> Split:
        return _split(tree, splits[part])

    def content(part: str) -> bytes:
        return tree.digest(tuple(splits[part]))

    chosen = choose(splits, str(path))
    images = Images(options.resize)
    return Encoded(
        datasets.label(name),
        str(path),
        chosen,
        split,
        content,
        images,
        images.version,
        takes=images.takes,
    )


@dataclass(frozen=True, order=True)
class Image:
    """An image. name: CLASS/FILE below its split's folder; file: its path from the root."""

    name: str
    file: str

    @property
    def of_class(self) -> str:
        return self.name.split("/", 1)[0]


class Tree(Protocol):
    """Files below a root."""

    root: Path

    @property
    def files(self) -> Sequence[str]:
        """Paths from the root, with slashes."""

    def blobs(self, files: Sequence[str]) -> Iterator[bytes]:
        """The bytes of files; at most one more than MOST_BLOB. Raises InputError."""

    def digest(self, images: tuple[Image, ...]) -> bytes:
        """SHA-256 of names and contents, the same in a folder and an archive."""


@dataclass(frozen=True)
class Folder:
    root: Path

    @cached_property
    def files(self) -> Sequence[str]:
        found, seen = [], set()
        for at, folders, names in os.walk(self.root, followlinks=True):
            real = os.path.realpath(at)
            if real in seen:  # a link to a folder above
                folders.clear()
                continue
            seen.add(real)
            relative = Path(at).relative_to(self.root)
            found += [(relative / name).as_posix() for name in names]
        return found

    def blobs(self, files: Sequence[str]) -> Iterator[bytes]:
        for file in files:
            try:
                with (self.root / file).open("rb") as opened:
                    yield opened.read(MOST_BLOB + 1)
            except OSError as error:
                raise InputError(
                    str(self.root / file), f"not readable ({error.strerror})", "allowed: an image"
                ) from None

    def digest(self, images: tuple[Image, ...]) -> bytes:
        stats = [(self.root / image.file).stat() for image in images]
        return _digest(self, images, tuple((s.st_size, s.st_mtime_ns) for s in stats))


@dataclass(frozen=True)
class Archive:
    root: Path

    @cached_property
    def files(self) -> Sequence[str]:
        try:
            with zipfile.ZipFile(self.root) as archive:
                return [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        except Exception as error:  # zipfile raises what it likes on damaged bytes
            raise InputError(
                str(self.root), f"not readable as .zip ({error})", "allowed: a whole archive"
            ) from None

    def blobs(self, files: Sequence[str]) -> Iterator[bytes]:
        file = ""
        try:
            with zipfile.ZipFile(self.root) as archive:
                for file in files:
                    with archive.open(file) as opened:
                        blob = opened.read(MOST_BLOB + 1)
                    yield blob
        except Exception as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"{self.root}/{file}", f"not readable ({error})", "allowed: a whole archive"
            ) from None

    def digest(self, images: tuple[Image, ...]) -> bytes:
        about = self.root.stat()
        return _digest(self, images, ((about.st_size, about.st_mtime_ns),))


@lru_cache(maxsize=8)
def _digest(tree: Tree, images: tuple[Image, ...], stamps: tuple[tuple[int, int], ...]) -> bytes:
    digest = hashlib.sha256()
    for image, blob in zip(images, tree.blobs([i.file for i in images]), strict=True):
        digest.update(f"{image.name}\0".encode())
        digest.update(hashlib.sha256(blob).digest())
    return digest.digest()


def _splits(tree: Tree) -> dict[str, list[Image]]:
    """Split -> its images by name; empty if there are none in class folders."""
    files = [tuple(file.split("/")) for file in tree.files]
    files = [parts for parts in files if not any(map(_is_hidden, parts))]
    prefix = 0
    if isinstance(tree, Archive):  # all in one folder, as most programs make an archive
        while len({parts[prefix] for parts in files if len(parts) > prefix}) == 1 and all(
            len(parts) > prefix + 2 for parts in files
        ):
            prefix += 1
    below = {parts[prefix:]: "/".join(parts) for parts in files}
    if not any(len(p) > 1 and Path(p[-1]).suffix.lower() in SUFFIXES for p in below):
        return {}
    tops = {parts[0].lower() for parts in below if len(parts) > 2}
    found: dict[str, list[Image]] = {}
    if tops & set(TRAIN) or (tops and tops <= set(TEST)):
        for parts, file in below.items():
            if len(parts) > 2:
                found.setdefault(parts[0], []).append(Image("/".join(parts[1:]), file))
            elif len(parts) == 2 and Path(parts[1]).suffix.lower() in SUFFIXES:
                raise InputError(
                    f"{tree.root}/{file}",
                    "an image in no class folder",
                    "allowed: train/CLASS/FILE",
                )
    else:
        found["all"] = [Image("/".join(p), file) for p, file in below.items() if len(p) > 1]
    for images in found.values():
        images.sort(key=lambda image: image.name.split("/"))  # by class, then by name, as text
    return found


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part in _HIDDEN


def _split(tree: Tree, images: list[Image]) -> Split:
    def place(row: int) -> tuple[str, int]:
        return f"{tree.root}/{images[row].file}", row

    def labels() -> labels_of.Labels:
        return labels_of.of_array(np.array([image.of_class for image in images]), place)

    return Split(
        len(images),
        place,
        labels,
        lambda: tuple(image.name for image in images),
        lambda: None,
        lambda: (),
        lambda rows: tree.blobs([images[row].file for row in rows]),
    )
