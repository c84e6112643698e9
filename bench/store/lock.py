"""One run at a time in a result folder, and one message where nothing can be written there."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.errors import InputError

_TRIAL = b"\0" * (64 << 10)
"""What a study writes at once at least: there must be room for it."""


class Lock:
    """A folder that this process has for itself, and what it may do there."""

    def __init__(self, out: Path) -> None:
        self._out, self._path = out, out / ".lock"
        self._made: list[Path] = []
        self._descriptor = -1

    def take(self) -> None:
        """Make the folder and hold it. Raises InputError if another run does, OSError."""
        missing = [path for path in (self._out, *self._out.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            self._made.append(path)
        while not self._is_held():
            self._close()
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._close()  # it is the other run's, to keep and to remove
                raise InputError(
                    str(self._out),
                    "another run is writing there",
                    "allowed: one run per folder at a time",
                ) from None

    def try_to_write(self) -> None:
        """Raises OSError if the folder takes no files."""
        trial = self._out / f".trial.{os.getpid()}"
        try:
            with trial.open("wb") as file:
                file.write(_TRIAL)
                file.flush()
                os.fsync(file.fileno())
        finally:
            trial.unlink(missing_ok=True)

    waiting = 0
    """Files that are not where they belong yet."""

    def check(self) -> None:
        """Raises FileNotFoundError if the folder that was taken is no more."""
        if not self._is_held():
            raise FileNotFoundError(errno.ENOENT, "it was removed while the run wrote there")

    def leave(self) -> None:
        """Let others have it. What this run has made goes if nothing was written in it."""
        if self._is_held():
            with suppress(OSError):  # not empty; or the disk takes no changes any more
                self._path.unlink()
                for path in reversed(self._made):
                    path.rmdir()
        self._close()

    def _is_held(self) -> bool:
        """Is the open file still the one of that name? Whoever leaves removes it."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return False

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@contextmanager
def locked(out: Path) -> Iterator[Lock]:
    """Hold a folder for one run. The lock goes with the process, however that ends.

    Raises InputError if another run holds it, or if it cannot be made or written.
    """
    lock = Lock(out)
    try:
        with writing(out):
            lock.take()
            lock.try_to_write()
        yield lock
    finally:
        lock.leave()


@contextmanager
def writing(out: Path | str) -> Iterator[None]:
    """Turn an OSError that the block raises into an InputError that names the folder."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            str(out),
            f"cannot be written: {reason}",
            "allowed: a folder on a disk with room, in which this user may create files",
        ) from error
