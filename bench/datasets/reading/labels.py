"""Labels as somebody wrote them: integers from 0 or text -> int32 codes and names of classes;
numbers with a decimal point, which a regression is to give, -> float32."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.datasets.reading.limits import MOST_CLASSES
from bench.errors import InputError

Place = Callable[[int], tuple[str, int]]
"""Example -> the file it stands in, and its row there, from 0."""

ALLOWED = f"allowed: integers from 0 to {MOST_CLASSES - 1:,}, or text; of a regression floats"


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of one split.

    codes: int64 (n,), or float32 where they are numbers; words: what the codes stand for, None
    where the labels are integers or numbers; place: where each stands.
    """

    codes: np.ndarray
    words: tuple[str, ...] | None
    place: Place

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: np.ndarray) -> "Labels":
        place = self.place
        return Labels(self.codes[rows], self.words, lambda i: place(int(rows[i])))


def of_array(values: np.ndarray, place: Place) -> Labels:
    """From integers or text, (n,) or (n, 1). Raises InputError naming file and row."""
    if values.ndim == 2 and values.shape[1] == 1:  # as Keras has CIFAR-10's
        values = values[:, 0]
    if values.ndim != 1:
        raise InputError(place(0)[0], f"labels of shape {values.shape}", "allowed: one an example")
    if values.dtype.kind == "U":
        words, codes = np.unique(values, return_inverse=True)
        return of_words(codes.astype(np.int64), [str(word) for word in words], place)
    if values.dtype.kind == "f":
        return of_numbers(values, place)
    if values.dtype.kind not in "iu":
        file, row = place(0)
        shown = f", such as {values[0]} in row {row}" if len(values) else ""
        raise InputError(file, f"labels of type {values.dtype}{shown}", ALLOWED)
    return of_integers(values, place)


def of_integers(values: np.ndarray, place: Place) -> Labels:
    """From integers of any width. Raises InputError naming file and row of one out of range."""
    wrong = (values < 0) | (values >= MOST_CLASSES)
    if wrong.any():
        at = int(np.argmax(wrong))
        file, row = place(at)
        raise InputError(file, f"row {row}: label {values[at]}", ALLOWED)
    return Labels(values.astype(np.int64), None, place)


def of_numbers(values: np.ndarray, place: Place) -> Labels:
    """From floats. Raises InputError naming file and row of one that is not finite as float32."""
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        at = int(np.argmax(wrong))
        file, row = place(at)
        raise InputError(file, f"row {row}: label {values[at]}", "allowed: finite numbers")
    return Labels(numbers, None, place)


def of_words(codes: np.ndarray, words: Sequence[str], place: Place) -> Labels:
    """From codes of distinct words. Raises InputError where one is empty or there are too many."""
    used, codes = np.unique(codes, return_inverse=True)
    words = [words[i] for i in used]
    if "" in words:
        file, row = place(int(np.argmax(codes == words.index(""))))
        raise InputError(file, f"row {row}: no label", ALLOWED)
    if len(words) > MOST_CLASSES:
        raise InputError(
            place(0)[0], f"{len(words):,} different labels", f"allowed: up to {MOST_CLASSES:,}"
        )
    return Labels(codes.astype(np.int64), tuple(words), place)


def numbered(
    splits: Sequence[Labels], named: Sequence[str] = ()
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """int32 labels of each split, and the classes' names; float32 labels and no classes where
    one of them has numbers.

    Text is sorted by name. Integers keep their value; their classes are `named`, or called by
    their number up to the highest. Raises InputError where one split has integers and another
    text, or where a label has no name.
    """
    texts = [labels for labels in splits if labels.words is not None]
    if not texts and any(labels.codes.dtype.kind == "f" for labels in splits):
        return [labels.codes.astype(np.float32) for labels in splits], ()
    if texts and len(texts) < len(splits):
        file = next(labels for labels in splits if labels.words is None).place(0)[0]
        raise InputError(file, "integer labels, where another split has text", ALLOWED)
    if texts:
        classes = tuple(sorted({word for labels in texts for word in labels.words or ()}))
        if len(classes) > MOST_CLASSES:
            raise InputError(
                texts[0].place(0)[0],
                f"{len(classes):,} different labels",
                f"allowed: up to {MOST_CLASSES:,}",
            )
        code = {word: i for i, word in enumerate(classes)}
        tables = [np.array([code[word] for word in labels.words or ()]) for labels in texts]
        return [
            table.astype(np.int32)[labels.codes]
            for table, labels in zip(tables, texts, strict=True)
        ], classes
    if named:
        for labels in splits:
            _check_named(labels, len(named))
    highest = max(int(labels.codes.max()) for labels in splits)
    classes = tuple(named) or tuple(str(c) for c in range(highest + 1))
    return [labels.codes.astype(np.int32) for labels in splits], classes


def _check_named(labels: Labels, names: int) -> None:
    wrong = labels.codes >= names
    if wrong.any():
        at = int(np.argmax(wrong))
        file, row = labels.place(at)
        raise InputError(
            file,
            f"row {row}: label {labels.codes[at]}",
            f"allowed: 0 to {names - 1}, the named classes",
        )
