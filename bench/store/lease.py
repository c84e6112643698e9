"""One run at a time in a folder in storage: a lease that is renewed, with a number as its token.

The lease is the object of the highest number in `.lease/`. To take it is to create the next number,
which the storage allows to one run alone. Its holder writes it again every few seconds, and asks
whether a higher one has come: before every object that it replaces or deletes, and at least every
few seconds before new ones. A run that was stopped and wakes up so finds that it has lost it.
Times are the storage's own: clocks of machines differ.
"""

import json
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from typing import Protocol

from bench.errors import InputError
from bench.store.entry import Entry

FOLDER = ".lease"

RENEW_S = 10.0
"""Between two renewals, and between two checks before new objects."""

LEASE_S = 60.0
"""Without a renewal, after which another run may take it."""

TRIAL = b"\0" * (64 << 10)
"""What is written at first, to see that it can be."""


class Storage(Protocol):
    """What a lease needs of the folder's files."""

    root: str

    def read(self, name: str) -> bytes: ...
    def entries(self, folder: str, suffix: str) -> list[Entry]: ...
    def create(self, name: str, content: bytes) -> None: ...
    def modified(self, name: str) -> float | None: ...
    def _put(self, name: str, content: bytes) -> None: ...
    def _remove(self, name: str) -> None: ...
    @property
    def waiting(self) -> int: ...


class Lease:
    """A folder in storage that this process has for itself."""

    def __init__(self, files: Storage) -> None:
        self._files = files
        self._number = 0
        self._lost: str | None = None
        self._checked = 0.0
        self._stop = threading.Event()
        self._renewing: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Files that the storage has not taken yet."""
        return self._files.waiting

    def take(self) -> None:
        """Raises InputError if another run has it, OSError where the storage takes no files."""
        now = self._try_to_write()
        while True:
            held = self._highest()
            if held is None or self._is_free(held, now):
                try:
                    self._files.create(_name((held or 0) + 1), self._content())
                except FileExistsError:  # another was first
                    continue
                break
            self._wait_for(held, now)
            now = self._try_to_write()
        self._number = (held or 0) + 1
        self._checked = time.monotonic()
        self._refuse_a_storage_that_does_not_decide()
        for old in self._numbers():
            if old < self._number:
                with suppress(OSError):
                    self._files._remove(_name(old))
        self._renewing = threading.Thread(target=self._renew, daemon=True)
        self._renewing.start()

    def check(self, now: bool = True) -> None:
        """Raises InputError if another run has taken the lease. now: ask, however short ago it was
        asked last; where the storage does not answer, it was not taken by another yet as far as
        is known, for as long as the lease lasts."""
        age = time.monotonic() - self._checked
        if self._lost is None and (now or age > RENEW_S):
            self._ask(age)
        if self._lost is not None:
            raise InputError(self._files.root, self._lost, "allowed: one run per folder at a time")

    def leave(self) -> None:
        """Let others have it at once."""
        self._stop.set()
        if self._renewing is not None:
            self._renewing.join(RENEW_S)
        if self._lost is None and self._number:
            with suppress(OSError):
                self._files._put(_name(self._number), self._content(released=True))

    def _ask(self, age: float) -> None:
        try:
            highest = self._highest()
        except OSError:
            if age > LEASE_S:
                raise
            return
        if highest != self._number:
            self._lost = "another run has taken the folder over while this one was not to be seen"
        self._checked = time.monotonic()

    def _renew(self) -> None:
        while not self._stop.wait(RENEW_S):
            with suppress(OSError):
                self._ask(0.0)
                if self._lost is not None:
                    return
                self._files._put(_name(self._number), self._content())

    def _try_to_write(self) -> float:
        """Write and remove an object. Returns the storage's time."""
        name = f"{FOLDER}/trial-{uuid.uuid4().hex}"
        self._files._put(name, TRIAL)
        written = self._files.modified(name)
        self._files._remove(name)
        return written or 0.0

    def _refuse_a_storage_that_does_not_decide(self) -> None:
        with suppress(FileExistsError):
            self._files.create(_name(self._number), self._content())
            raise InputError(
                self._files.root,
                "this storage lets two runs create the same object: nothing would keep them apart",
                "allowed: a storage with conditional writes (If-None-Match)",
            )

    def _is_free(self, number: int, now: float) -> bool:
        try:
            about = json.loads(self._files.read(_name(number)))
        except (FileNotFoundError, ValueError):
            about = {}
        written = self._files.modified(_name(number))
        return bool(about.get("released")) or written is None or now - written > LEASE_S

    def _wait_for(self, number: int, now: float) -> None:
        """Until a lease ends whose holder may be dead. Raises InputError if it is renewed."""
        before = self._files.modified(_name(number))
        deadline = time.monotonic() + LEASE_S
        while time.monotonic() < deadline:
            time.sleep(2.0)
            written = self._files.modified(_name(number))
            if self._highest() != number or written is None:
                return
            if written != before:
                raise InputError(
                    self._files.root,
                    f"another run is writing there ({self._holder(number)})",
                    "allowed: one run per folder at a time",
                )

    def _holder(self, number: int) -> str:
        try:
            about = json.loads(self._files.read(_name(number)))
            return f"process {about['process']} on {about['machine']}"
        except (OSError, ValueError, KeyError):
            return "it does not say where"

    def _highest(self) -> int | None:
        return max(self._numbers(), default=None)

    def _numbers(self) -> list[int]:
        names = [each.name for each in self._files.entries(FOLDER, ".json")]
        return [int(name.partition("/")[2].partition(".")[0]) for name in names]

    def _content(self, released: bool = False) -> bytes:
        about = {"machine": socket.gethostname(), "process": os.getpid(), "released": released}
        return json.dumps(about).encode()


def _name(number: int) -> str:
    return f"{FOLDER}/{number:08}.json"
