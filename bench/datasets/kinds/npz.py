"""A file mine.npz in Keras's layout: x_train, y_train, x_test, y_test; perhaps groups_test."""

import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench import datasets
from bench.datasets import Dataset, Source, content
from bench.datasets.reading import labels as labels_of
from bench.datasets.reading.arrays import PIXELS, Arrays, check_finite
from bench.datasets.reading.limits import affordable
from bench.datasets.reading.options import DEFAULT, Options
from bench.errors import InputError

EXAMPLE = "mine.npz"
NAMES = ("x_train", "y_train", "x_test", "y_test")
GROUPS = "groups_test"
TRAINED = "groups_train"


def recognize(name: str, where: str, options: Options = DEFAULT) -> Source | None:
    path = Path(name).expanduser()
    if path.suffix.lower() != ".npz" or not path.is_file():
        return None
    about = path.stat()
    label = datasets.label(name)
    return Arrays(label, lambda: _load(path, label, about.st_size, about.st_mtime_ns), named=False)


@lru_cache(maxsize=2)
def _load(path: Path, label: str, size: int, changed: int) -> Dataset:
    """Raises InputError naming the file, the array and the row that are not as expected."""
    arrays = _read(path)
    x_train, x_test = (_inputs(path, name, arrays[name]) for name in ("x_train", "x_test"))
    if x_train.shape[1:] != x_test.shape[1:] or x_train.dtype != x_test.dtype:
        raise InputError(
            str(path),
            f"x_test of {x_test.dtype} {x_test.shape[1:]}",
            f"allowed: as x_train, {x_train.dtype} {x_train.shape[1:]}",
        )
    of_splits = []
    for name, x in (("y_train", x_train), ("y_test", x_test)):
        if len(arrays[name]) != len(x):
            raise InputError(
                str(path), f"{len(arrays[name])} labels {name}", f"allowed: {len(x)}, one each"
            )
        of_splits.append(labels_of.of_array(_text(arrays[name]), _place(path, name)))
    (y_train, y_test), classes = labels_of.numbered(of_splits)
    scale = PIXELS if x_train.dtype == np.uint8 else 1.0
    key = content(x_train, y_train, x_test, y_test, scale=scale)
    groups = _groups(path, GROUPS, arrays.get(GROUPS), len(x_test))
    trained = _groups(path, TRAINED, arrays.get(TRAINED), len(x_train))
    return Dataset(
        key,
        label,
        x_train,
        y_train,
        x_test,
        y_test,
        scale,
        classes,
        groups=groups,
        trained_groups=frozenset(trained) if trained else None,
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        _check_claims(path)
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in NAMES if name not in file.files]
            if missing:
                raise InputError(
                    str(path),
                    f"arrays {', '.join(file.files) or 'none'}, no {', '.join(missing)}",
                    f"allowed: {', '.join(NAMES)}",
                )
            wanted = (*NAMES, GROUPS, TRAINED)
            found = {name: file[name] for name in wanted if name in file.files}
    except InputError:
        raise
    except Exception as error:  # NumPy, zipfile and zlib raise what they like on damaged bytes
        raise InputError(
            str(path), f"not readable as .npz ({error})", "allowed: what numpy.savez wrote"
        ) from None
    for name, array in found.items():
        if not array.ndim or not len(array):
            raise InputError(str(path), f"{name}: no examples", "allowed: at least one")
    return found


def _check_claims(path: Path) -> None:
    """Of the arrays' headers: a small file may claim to become anything."""
    needed = 0
    with zipfile.ZipFile(path) as archive:
        for name in (*NAMES, GROUPS, TRAINED):
            if f"{name}.npy" in archive.namelist():
                with archive.open(f"{name}.npy") as member:
                    shape, dtype = _header(member)
                needed += int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
    most = affordable()
    if needed > most:
        raise InputError(
            str(path),
            f"arrays of {needed / 1e9:.1f} GB",
            f"allowed: up to {most / 1e9:.1f} GB, a quarter of the memory",
        )


def _header(member: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(member)
    return shape, dtype


def _inputs(path: Path, name: str, x: np.ndarray) -> np.ndarray:
    """uint8 or float32, (n, height, width, channels) or (n, features)."""
    if x.dtype != np.uint8 and x.dtype.kind != "f":
        raise InputError(
            str(path), f"{name} of {x.dtype}", "allowed: uint8 (divided by 255), or floats as fed"
        )
    if x.ndim not in (2, 3, 4) or 0 in x.shape:
        raise InputError(
            str(path),
            f"{name} of shape {x.shape}",
            "allowed: (n, height, width), (n, height, width, channels) or (n, features)",
        )
    if x.dtype != np.uint8:
        with np.errstate(over="ignore"):
            x = x.astype(np.float32)
        check_finite(x, _place(path, name), "not as float32")
    return x[..., None] if x.ndim == 3 else x


def _text(y: np.ndarray) -> np.ndarray:
    """Byte strings as text."""
    return np.char.decode(y, "utf-8") if y.dtype.kind == "S" else y


def _groups(path: Path, name: str, groups: np.ndarray | None, n: int) -> tuple[str, ...] | None:
    if groups is None:
        return None
    if groups.shape != (n,) or groups.dtype.kind not in "iuU":
        raise InputError(
            str(path),
            f"{name} of {groups.dtype} {groups.shape}",
            f"allowed: integers or text, ({n},)",
        )
    return tuple(str(group) for group in groups.tolist())


def _place(path: Path, name: str) -> labels_of.Place:
    return lambda row: (f"{path}, {name}", row)
