"""A folder of this run's own for what its Ray and its workers write besides results.

It goes when the run ends. That of a run which was killed goes when the next one starts: its owner
held a lock on it, and the lock went with the owner.
"""

import fcntl
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "pvq-"
_LOCK = "owner"

_LONGEST = 107
"""Characters that the path of a Unix socket may have."""

_IN_IT = len("/pvq-12345678/r/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store")


@contextmanager
def folder(for_ray: bool = True) -> Iterator[Path]:
    """A new folder that only this user can read, until the block ends. for_ray: is its path short
    enough for Ray's sockets, in `r`?"""
    base = _base() if for_ray else Path(tempfile.gettempdir())
    _remove_those_left(base)
    made, lock = _made(base)
    try:
        yield made
    finally:
        remove(made)
        os.close(lock)


def token(folder: Path) -> Path:
    """A file with a fresh secret that only this user can read."""
    path = folder / "token"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32))
    return path


def _base() -> Path:
    """Where temporary files go, if a socket's path below it is short enough."""
    wanted = [os.environ.get("RAY_TMPDIR"), tempfile.gettempdir(), "/tmp"]
    for path in wanted:
        if path and os.path.isdir(path) and len(os.fsencode(path)) + _IN_IT <= _LONGEST:
            return Path(path).resolve()
    return Path("/tmp")


def _made(base: Path) -> tuple[Path, int]:
    while True:
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        lock = os.open(made / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (made / _LOCK).exists():  # else another run took it for one that was left
            (made / "r").mkdir()
            return made, lock
        os.close(lock)


def _remove_those_left(base: Path) -> None:
    for found in base.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or gone by now
            if found.is_symlink() or found.stat().st_uid != os.getuid():
                continue
            lock = os.open(found / _LOCK, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(found)
            finally:
                os.close(lock)


def remove(path: Path) -> None:
    """Remove a folder, again and again for some seconds: processes that are about to end may still
    write into it."""
    deadline = time.monotonic() + 5
    while path.exists() and time.monotonic() < deadline:
        shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            time.sleep(0.1)
