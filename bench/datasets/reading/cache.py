"""Decoded examples on disk, so that they are decoded once: one file each, mapped into memory.

A file is an array as NumPy writes it (.npy) and behind it the SHA-256 of that, under a name made
from the content of the source and from what decodes it. It is written under another name and then
renamed, so that concurrent runs see whole files only; what was damaged later is made anew. The
folder may be deleted at any time.
"""

import contextlib
import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import InputError

VARIABLE = "PTQ_VS_QAT_CACHE"
"""Environment variable that names the folder; the option --cache sets it."""

_DIGEST = hashlib.sha256().digest_size
_STALE_S = 24 * 3600


def folder() -> Path:
    """What VARIABLE names, else the user's own cache directory as the XDG rules have it."""
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    own = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(own).expanduser() / "ptq-vs-qat"


def use(path: Path) -> None:
    """Keep decoded examples in `path`. Raises InputError if nothing can be written there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(
            "--cache", f"cannot write {str(path)!r} ({error.strerror})", "allowed: a folder"
        ) from None
    os.environ[VARIABLE] = str(path)


def cached(determines: Mapping[str, Any], make: Callable[[], np.ndarray]) -> np.ndarray:
    """The array that `make` returns, from the cache where it is there; then it is read-only.

    determines: all that the array depends on, as JSON. Where the cache cannot be written (a home
    directory that is read-only, a disk that is full), the array is made each time.
    """
    text = json.dumps(determines, sort_keys=True)
    path = folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npy"
    found = _read(path)
    if found is not None:
        return found
    array = make()
    with contextlib.suppress(OSError):
        _write(path, array)
    return array


def _read(path: Path) -> np.ndarray | None:
    """None where there is no file, or one that is not as it was written."""
    try:
        content = np.memmap(path, np.uint8, "r")
        if hashlib.sha256(content[:-_DIGEST]).digest() != content[-_DIGEST:].tobytes():
            return None
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError):
        return None


def _write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path.parent)
    part = path.with_name(f".{path.stem}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            hashed = _Hashed(file)
            np.lib.format.write_array(hashed, array, allow_pickle=False)
            file.write(hashed.digest())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class _Hashed:
    """A file to write to, and the SHA-256 of what was written."""

    def __init__(self, file: Any) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def write(self, content: Any) -> int:
        self._hash.update(content)
        written: int = self._file.write(content)
        return written

    def digest(self) -> bytes:
        return self._hash.digest()


def _remove_stale(directory: Path) -> None:
    """Parts that killed runs have left."""
    for part in directory.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _STALE_S:
                part.unlink()
