"""A result folder in object storage: `s3://bucket/path`, and `gs://` as far as PyArrow goes.

Written by the driver alone. An object is whole or not there. What the storage does not take waits
on this machine's disk until it does (see `spool`); one run at a time holds the folder (see
`lease`). Credentials come from the environment, never from a study or an address.
"""

import errno
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from bench.errors import InputError, Unfinished
from bench.store import objects
from bench.store.entry import LARGEST, Entry
from bench.store.lease import Lease
from bench.store.lock import writing
from bench.store.spool import Spool

SCHEMES = ("s3", "gs")

REQUEST_S, CONNECT_S, TRIES = 10, 5, 3
"""Of a request to the storage."""

PAUSE_S = 10.0
"""After a refusal, before the storage is asked again."""

SETTLE_S = 30.0
"""For what waits, at the end of a run."""

T = TypeVar("T")


def address(path: Path | str) -> str | None:
    """The address of a folder in storage, None for one on this machine; of a Path too, which makes
    one slash of two. Raises InputError where it carries credentials."""
    found = re.match(rf"({'|'.join(SCHEMES)}):/+(.+)", str(path))
    if found is None:
        return None
    if "@" in found[2].split("/")[0]:
        raise InputError(
            f"{found[1]}://...", "credentials in an address", "allowed: in the environment"
        )
    return f"{found[1]}://{found[2].rstrip('/')}"


class RemoteFiles:
    """The files of one folder in storage, by their names relative to it; see `files.Files`."""

    def __init__(self, uri: str) -> None:
        self.root = uri
        self._fs: Any = None
        self._path = ""
        self._spool = Spool(uri)
        self._lease: Lease | None = None
        self._asked_again = 0.0
        self._grown: dict[str, bytes] = {}

    def where(self, name: str) -> str:
        return f"{self.root}/{name}"

    def read(self, name: str, largest: int = LARGEST) -> bytes:
        waiting = self._spool.read(name)
        if waiting is not None:
            return waiting

        def read(fs: Any, path: str) -> bytes:
            with fs.open_input_file(path) as file:
                if file.size() > largest:
                    said = f"{file.size():,} bytes, at most {largest:,} are read"
                    raise OSError(errno.EFBIG, said)
                return bytes(file.read())

        return self._ask(name, read)

    def has(self, name: str) -> bool:
        from pyarrow import fs as arrow

        if self._spool.read(name) is not None:
            return True
        info = self._ask(name, lambda fs, path: fs.get_file_info(path))
        return bool(info.type != arrow.FileType.NotFound)

    def write(self, name: str, content: bytes) -> None:
        """Write a whole object. In a run, what the storage does not take waits on this machine.
        Raises OSError if it is not written and does not wait either."""
        if self._lease is None:
            self._put(name, content)
            return
        new = name.startswith("cells/")
        self._lease.check(now=not new)
        if time.monotonic() < self._asked_again:
            self._spool.keep(name, content)
            return
        try:
            self._put(name, content)
            self._spool.forget(name)
            self._send_waiting()
        except OSError:
            self._asked_again = time.monotonic() + PAUSE_S
            self._spool.keep(name, content)

    def append(self, name: str, content: bytes) -> None:
        """An object cannot grow: what comes is kept, and the whole written again."""
        self._grown[name] = self._grown.get(name, b"") + content
        self.write(name, self._grown[name])

    def entries(self, folder: str, suffix: str) -> list[Entry]:
        from pyarrow import fs as arrow

        def listed(fs: Any, path: str) -> list[Any]:
            return list(fs.get_file_info(arrow.FileSelector(path, allow_not_found=True)))

        found = {
            f"{folder}/{info.base_name}": Entry(
                f"{folder}/{info.base_name}", info.size, info.mtime_ns or 0
            )
            for info in self._ask(folder, listed)
            if info.type == arrow.FileType.File
        }
        found |= {each.name: each for each in self._spool.entries(folder)}
        return sorted(
            (
                each
                for name, each in found.items()
                if name.endswith(suffix) and not name.rpartition("/")[2].startswith(".")
            ),
            key=lambda entry: entry.name,
        )

    def delete(self, name: str) -> None:
        if self._lease is not None:
            self._lease.check(now=True)
        self._spool.forget(name)
        self._remove(name)

    def _remove(self, name: str) -> None:
        self._ask(name, lambda _, path: objects.delete(self.root, path))

    @property
    def waiting(self) -> int:
        """Files that the storage has not taken yet."""
        return len(self._spool.names())

    @contextmanager
    def lock(self) -> Iterator[Any]:
        """Hold the folder for one run. Raises InputError if another holds it or if it takes no
        files, and Unfinished at the end where the storage has not taken all."""
        with writing(self.root):
            self._lease = Lease(self)
            self._lease.take()
        try:
            with writing(self.root):
                self._spool.drop_all_but(
                    "cells/"
                )  # of an earlier run: rows are true, whoever sends
                self._send_waiting()
            yield self._lease
        except BaseException:
            with suppress(OSError, InputError):
                self._send_waiting()
            raise
        else:
            self._settle()
        finally:
            lease, self._lease = self._lease, None
            lease.leave()

    def _settle(self) -> None:
        deadline = time.monotonic() + SETTLE_S
        while self.waiting:
            try:
                self._send_waiting()
            except OSError as error:
                if time.monotonic() > deadline:
                    raise Unfinished(
                        f"{self.root}: {self.waiting} files wait in {self._spool.folder}, since "
                        f"the storage does not take them ({error}); the same command sends them"
                    ) from None
                time.sleep(2.0)

    def _send_waiting(self) -> None:
        for name in self._spool.names():
            content = self._spool.read(name)
            if content is not None:
                self._put(name, content)
                self._spool.forget(name)

    def _put(self, name: str, content: bytes) -> None:
        def put(fs: Any, path: str) -> None:
            # One write: an error in the middle of several would still publish the object.
            with fs.open_output_stream(path) as stream:
                stream.write(content)

        self._ask(name, put)

    def create(self, name: str, content: bytes) -> None:
        """Write a new object. Raises FileExistsError where the storage has one: it decides, so
        that of several writers one succeeds."""
        self._ask(name, lambda _, path: objects.create(self.root, path, content))

    def modified(self, name: str) -> float | None:
        """When an object was written by the storage's clock, in seconds; None: there is none."""
        from pyarrow import fs as arrow

        info = self._ask(name, lambda fs, path: fs.get_file_info(path))
        return None if info.type == arrow.FileType.NotFound else (info.mtime_ns or 0) / 1e9

    def _path_of(self, name: str) -> str:
        if self._fs is None:
            self._fs, self._path = opened(self.root)
        return f"{self._path}/{name}"

    def _ask(self, name: str, question: Callable[[Any, str], T]) -> T:
        """Ask the storage; a second time with a fresh file system, which reads credentials anew."""
        path = self._path_of(name)
        try:
            return question(self._fs, path)
        except (FileNotFoundError, FileExistsError):
            raise
        except OSError as error:
            if error.errno == errno.EFBIG or not _may_be_credentials(error):
                raise
        self._fs = None
        path = self._path_of(name)
        return question(self._fs, path)


def _may_be_credentials(error: OSError) -> bool:
    said = str(error)
    return any(sign in said for sign in ("ACCESS_DENIED", "xpired", "EXPIRED", "INVALID", "403"))


def opened(uri: str) -> tuple[Any, str]:
    """PyArrow's file system for an address, and the path in it. AWS_ENDPOINT_URL names another
    server than Amazon's. Raises OSError."""
    # Bodies with a checksum behind them are stored corrupt by some servers, and refused by others.
    os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    from pyarrow import fs

    parts = urlsplit(uri)
    if parts.scheme != "s3":
        found, path = fs.FileSystem.from_uri(uri)
        return found, path.rstrip("/")
    options: dict[str, Any] = {
        "request_timeout": REQUEST_S,
        "connect_timeout": CONNECT_S,
        "retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=TRIES),
    }
    where, secure = endpoint(uri)
    if where is not None:
        options |= {"endpoint_override": where, "scheme": "https" if secure else "http"}
        options["region"] = os.environ.get("AWS_REGION", "us-east-1")
    else:
        with suppress(OSError):
            options["region"] = fs.resolve_s3_region(parts.netloc)
    return fs.S3FileSystem(**options), f"{parts.netloc}{parts.path}".rstrip("/")


def endpoint(uri: str) -> tuple[str | None, bool]:
    """The server of an address, host:port, and whether by TLS; None: the vendor's own."""
    asked = parse_qs(urlsplit(uri).query)
    if "endpoint_override" in asked:
        return asked["endpoint_override"][0], asked.get("scheme", ["https"])[0] == "https"
    said = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not said:
        return None, True
    parts = urlsplit(said)
    return parts.netloc, parts.scheme == "https"
