"""The file system under a result folder: the only module that opens, lists or deletes its files.

What is in the files is no matter here.
"""

import errno
import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from bench.store import remote
from bench.store.entry import LARGEST, Entry
from bench.store.lock import Lock, locked


class AnyFiles(Protocol):
    """The files of one folder, by their names relative to it, such as `cells/x.parquet`."""

    def where(self, name: str) -> str:
        """How messages call a file."""

    def read(self, name: str, largest: int = LARGEST) -> bytes:
        """All bytes of a file. Raises FileNotFoundError where there is none, and OSError where it
        cannot be read or is larger than `largest`."""

    def has(self, name: str) -> bool: ...

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file: whenever this is interrupted, the old one or the new one is there."""

    def append(self, name: str, content: bytes) -> None:
        """Add to a file that one process writes alone; a kill may cut what it adds."""

    def entries(self, folder: str, suffix: str) -> list[Entry]:
        """The files of a folder with this suffix, by name; none where there is no such folder.

        A listing is no snapshot: what is created or deleted meanwhile may or may not be in it.
        """

    def delete(self, name: str) -> None:
        """Delete a file; nothing where there is none."""

    def lock(self) -> AbstractContextManager[Any]:
        """Hold the folder for one run. Yields what has `check()`, which raises if it is held no
        more, and `waiting`, the number of files that are not where they belong yet. Raises
        InputError if another run holds it, or if it cannot be made or written."""


def of(folder: Path | str) -> AnyFiles:
    """The files of a folder on this machine, or of one in storage (`s3://bucket/path`)."""
    uri = remote.address(folder)
    return Files(Path(folder)) if uri is None else remote.RemoteFiles(uri)


def is_folder(path: Path | str) -> bool:
    """Is it a folder, on this machine or in storage?"""
    return remote.address(path) is not None or Path(path).is_dir()


def content(path: str) -> bytes:
    """All bytes of a file, on this machine or in storage. Raises OSError."""
    uri = remote.address(path)
    if uri is None:
        return Path(path).read_bytes()
    folder, _, name = uri.rpartition("/")
    return of(folder).read(name)


def shown(folder: Path | str, name: str = "") -> str:
    """How messages call a folder, or a file in it."""
    uri = remote.address(folder)
    if uri is not None:
        return f"{uri}/{name}" if name else uri
    return str(Path(folder) / name)


class Files:
    """The files of one folder, by their names relative to it, such as `cells/x.parquet`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def where(self, name: str) -> str:
        """How messages call a file."""
        return str(self.root / name)

    def read(self, name: str, largest: int = LARGEST) -> bytes:
        """All bytes of a file. Raises FileNotFoundError where there is none, and OSError where it
        cannot be read or is larger than `largest`."""
        with (self.root / name).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > largest:
                raise OSError(errno.EFBIG, f"{size:,} bytes, at most {largest:,} are read")
            return file.read()

    def has(self, name: str) -> bool:
        return (self.root / name).exists()

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file so that a kill or a power cut at any moment leaves the old one or the
        new one: under a temporary name, synced, renamed, the folder synced."""
        path = self.root / name
        _make(path.parent)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        try:
            descriptor = _create(temporary)
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
                os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    def entries(self, folder: str, suffix: str) -> list[Entry]:
        """The files of a folder with this suffix, by name; none where there is no such folder.

        A listing is no snapshot: what is created or deleted meanwhile may or may not be in it.
        """
        while True:
            try:
                return sorted(self._listed(folder, suffix), key=lambda entry: entry.name)
            except _VanishedError:
                continue

    def _listed(self, folder: str, suffix: str) -> Iterator[Entry]:
        try:
            found = list(os.scandir(self.root / folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        for each in found:
            if each.name.startswith(".") or not each.name.endswith(suffix):
                continue
            try:
                about = each.stat()
            except FileNotFoundError as error:
                raise _VanishedError from error
            yield Entry(f"{folder}/{each.name}", about.st_size, about.st_mtime_ns)

    def append(self, name: str, content: bytes) -> None:
        path = self.root / name
        _make(path.parent)
        with path.open("ab") as file:
            file.write(content)

    def delete(self, name: str) -> None:
        """Delete a file; nothing where there is none."""
        (self.root / name).unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[Lock]:
        """Hold the folder for one run, and remove what killed ones left half written.

        The lock goes with the process, however that ends. Raises InputError if another holds it, or
        if the folder cannot be made or written.
        """
        with locked(self.root) as lock:
            self._sweep()
            yield lock

    def _sweep(self) -> None:
        """Remove temporary files whose writer is no more: one that writes still holds its lock."""
        for path in (*self.root.glob(".*.tmp"), *self.root.glob("*/.*.tmp")):
            with suppress(OSError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


class _VanishedError(Exception):
    """A file was deleted while its folder was listed."""


def _create(path: Path) -> int:
    """A new file, open for writing and locked for as long as it is open."""
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # swept before it was locked


def _make(folder: Path) -> None:
    """Make a folder and its parents, each synced into the one above it."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Make durable which names a folder holds."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
