"""Sources of encoded examples (images, sound): decoded once, kept in the cache."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from bench.datasets import Dataset, Size, Test, fixed_permutation
from bench.datasets.reading import cache
from bench.datasets.reading.images import OfAnotherShape, Undecodable, shown
from bench.datasets.reading.labels import Labels, Place, numbered
from bench.datasets.reading.limits import MOST_BLOB, check_size
from bench.datasets.reading.splits import Chosen, hold_out
from bench.errors import InputError


class Decoder(Protocol):
    """Turns bytes into arrays of one shape."""

    dtype: np.dtype[Any]
    scale: float
    allowed: str
    takes: frozenset[str]

    def versions(self) -> dict[str, str]: ...
    def notes(self) -> tuple[str, ...]: ...
    def first(self, blob: bytes) -> np.ndarray: ...
    def into(self, blob: bytes, out: np.ndarray) -> None: ...


@dataclass(frozen=True, eq=False)
class Split:
    """The encoded examples of one split.

    n: how many; labels, paths (file names, or none), groups (and the note that says what they are,
    or None): of all; names: of the classes where the source names them; place: where an example
    stands; blobs: bytes of examples at ascending rows.
    """

    n: int
    place: Place
    labels: Callable[[], Labels]
    paths: Callable[[], tuple[str, ...]]
    groups: Callable[[], tuple[str, tuple[str, ...]] | None]
    names: Callable[[], tuple[str, ...]]
    blobs: Callable[[np.ndarray], Iterator[bytes | None]]

    def part(self, rows: np.ndarray) -> "Split":
        """The examples at ascending rows alone."""

        def groups() -> tuple[str, tuple[str, ...]] | None:
            whole = self.groups()
            return whole and (whole[0], tuple(whole[1][row] for row in rows))

        def paths() -> tuple[str, ...]:
            whole = self.paths()
            return whole and tuple(whole[row] for row in rows)

        return Split(
            len(rows),
            lambda i: self.place(int(rows[i])),
            lambda: self.labels()[rows],
            paths,
            groups,
            self.names,
            lambda chosen: self.blobs(rows[chosen]),
        )


@dataclass(frozen=True, eq=False)
class Encoded:
    """A source whose examples are encoded one by one.

    contents: split -> SHA-256 of its content; version: raised by hand when what is made of the
    same bytes changes, empty for images as they are; takes: the fields of Options that act here.
    """

    label: str
    where: str
    chosen: Chosen
    split: Callable[[str], Split]
    content: Callable[[str], bytes]
    decoder: Decoder
    version: str = ""
    taken: tuple[str, ...] = ()
    takes: frozenset[str] = frozenset()

    def identity(self) -> str:
        """SHA-256 over the content of the splits that are used, wherever they lie."""
        chosen = self.chosen
        used = [chosen.test] if chosen.train is None else [chosen.train, chosen.test]
        digest = hashlib.sha256()
        for name in dict.fromkeys(used):
            digest.update(self.content(name))
        if chosen.held_out:
            digest.update(b"held out")
        digest.update(self.version.encode())
        return digest.hexdigest()

    def size(self) -> Size:
        """From metadata and the first example. Raises InputError if the files are not whole."""
        shape = self._shape(self._train)
        return Size(self._train.n, self._test.n, int(np.prod(shape[:2])))

    def load(self, train_examples: int | None = None) -> Dataset:
        """Decode both splits, no training examples but those that Dataset.first would choose."""
        train, test = self._train, self._test
        (y_train, y_test), classes = numbered([train.labels(), test.labels()], train.names())
        x_test = self._decoded(test, "test")
        x_train = self._train_examples(train, train_examples)
        if x_train.shape[1:] != x_test.shape[1:]:
            raise InputError(
                test.place(0)[0],
                f"test examples of {shown(x_test.shape[1:])}",
                f"allowed: the training images' shape {shown(x_train.shape[1:])}{self._resize()}",
            )
        key = self.identity()
        if train_examples is not None:
            key = f"{key}/{train_examples}"
            y_train = y_train[fixed_permutation(train.n)[:train_examples]]
        groups = test.groups()
        trained = train.groups() if groups else None
        notes = (
            *self.chosen.notes,
            *self.taken,
            *self.decoder.notes(),
            *([groups[0]] if groups else []),
        )
        return Dataset(
            key,
            self.label,
            x_train,
            y_train,
            x_test,
            y_test,
            self.decoder.scale,
            classes,
            test.paths(),
            permuted=train_examples is not None,
            groups=groups and groups[1],
            notes=notes,
            trained_groups=trained and frozenset(trained[1]),
        )

    def test(self) -> Test:
        """The test split alone: training examples are not read, but text labels of theirs are, so
        that classes are numbered as in training."""
        test = self._test
        labels = [test.labels()]
        if labels[0].words is not None and self.chosen.train is not None:
            labels.append(self._train.labels())
        (y, *_), classes = numbered(labels, test.names())
        named = bool(test.names()) or labels[0].words is not None
        groups = test.groups()
        return Test(
            self.label,
            self._decoded(test, "test"),
            y,
            self.decoder.scale,
            classes if named else (),
            groups and groups[1],
        )

    @cached_property
    def _train(self) -> Split:
        if self.chosen.train is None:
            raise InputError(self.where, "no training split", "allowed: train and test")
        whole = self.split(self.chosen.train)
        return whole.part(hold_out(whole.n, self.where)[0]) if self.chosen.held_out else whole

    @cached_property
    def _test(self) -> Split:
        whole = self.split(self.chosen.test)
        return whole.part(hold_out(whole.n, self.where)[1]) if self.chosen.held_out else whole

    def _train_examples(self, train: Split, first: int | None) -> np.ndarray:
        if first is None or first >= train.n:
            whole = self._decoded(train, "train")
            return whole if first is None else whole[fixed_permutation(train.n)]
        kept = fixed_permutation(train.n)[:first]
        order = np.argsort(kept)
        ascending = self._decoded(train.part(kept[order]), f"train {first}")
        x = np.empty_like(ascending)
        x[order] = ascending
        return x

    def _decoded(self, split: Split, part: str) -> np.ndarray:
        content = self.content(self.chosen.test if part == "test" else str(self.chosen.train))
        determines = {
            "content": content.hex(),
            "part": part,
            "held_out": self.chosen.held_out,
            "decoder": self.decoder.versions(),
        }
        return cache.cached(determines, lambda: self._decode(split))

    def _shape(self, split: Split) -> tuple[int, ...]:
        blob = next(iter(split.blobs(np.arange(1))), None)
        try:
            return self.decoder.first(_whole(blob)).shape
        except Undecodable as error:
            raise self._error(split, 0, error) from None

    def _decode(self, split: Split) -> np.ndarray:
        shape = self._shape(split)
        each = int(np.prod(shape)) * self.decoder.dtype.itemsize
        check_size(split.place(0)[0], split.n, each, shown(shape))
        x = np.empty((split.n, *shape), self.decoder.dtype)
        row, into = -1, self.decoder.into
        for row, blob in enumerate(split.blobs(np.arange(split.n))):
            try:
                into(_whole(blob), x[row])
            except (OfAnotherShape, Undecodable) as error:
                raise self._error(split, row, error) from None
        if row + 1 != split.n:
            raise InputError(
                split.place(0)[0], f"{row + 1} examples", f"allowed: {split.n}, as it says itself"
            )
        return x

    def _resize(self) -> str:
        """The field that helps."""
        if "resize" not in self.decoder.takes:
            return ""
        return "; a study's field `resize = [height, width]` brings images to one size"

    def _error(self, split: Split, row: int, error: Exception) -> InputError:
        file, at = split.place(row)
        if isinstance(error, OfAnotherShape):
            first = shown(self._shape(split))
            return InputError(
                file,
                f"row {at}: an example of {error}, the first is {first}",
                f"allowed: one shape for all images{self._resize()}",
            )
        return InputError(file, f"row {at}: {error}", self.decoder.allowed)


def _whole(blob: bytes | None) -> bytes:
    if not blob:
        raise Undecodable("no bytes")
    if len(blob) > MOST_BLOB:
        raise Undecodable(f"{len(blob):,} bytes, more than {MOST_BLOB:,} are not read")
    return blob
