"""What a storage has not taken yet, on this machine's disk, so that no kill loses it."""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote, unquote

from bench.store.entry import Entry

VARIABLE = "PTQ_VS_QAT_SPOOL"


def base() -> Path:
    """The folder of all spools: PTQ_VS_QAT_SPOOL, else the user's cache folder."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "ptq-vs-qat" / "spool"


class Spool:
    """Of one folder in storage. Nothing is made before something has to wait."""

    def __init__(self, uri: str) -> None:
        self.folder = base() / hashlib.sha256(uri.encode()).hexdigest()[:16]

    def keep(self, name: str, content: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(name)
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    def read(self, name: str) -> bytes | None:
        try:
            return self._path(name).read_bytes()
        except OSError:
            return None

    def forget(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """In the order in which they came."""
        found = list(self.folder.glob("*.file"))
        found.sort(key=lambda path: path.stat().st_mtime_ns)
        return [unquote(path.stem) for path in found]

    def entries(self, folder: str) -> list[Entry]:
        found = []
        for name in self.names():
            if name.startswith(f"{folder}/"):
                about = self._path(name).stat()
                found.append(Entry(name, about.st_size, about.st_mtime_ns))
        return found

    def drop_all_but(self, prefix: str) -> None:
        for name in self.names():
            if not name.startswith(prefix):
                self.forget(name)

    def _path(self, name: str) -> Path:
        return self.folder / f"{quote(name, safe='')}.file"
