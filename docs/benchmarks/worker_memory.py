"""Memory of the Ray workers of this machine, watched from outside."""

import re
import threading
import time
from pathlib import Path
from typing import Any


class WorkerMemory(threading.Thread):
    """Samples the largest resident set of a worker, in MB, twice a second, while it is entered."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._samples: list[tuple[float, float]] = []
        self._open = True

    def __enter__(self) -> "WorkerMemory":
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._open = False
        self.join()

    def run(self) -> None:
        while self._open:
            self._samples.append((time.time(), max(map(_mb, _workers()), default=0.0)))
            time.sleep(0.5)

    @property
    def peak(self) -> float:
        return max(mb for _, mb in self._samples)

    def at(self, when: float) -> float:
        """At this time of the machine's clock."""
        return min(self._samples, key=lambda sample: abs(sample[0] - when))[1]


def _workers() -> list[Path]:
    return [p for p in Path("/proc").glob("[0-9]*") if _read(p / "cmdline").startswith("ray::")]


def _mb(process: Path) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", _read(process / "status"))
    return int(found[1]) / 1024 if found else 0.0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended
        return ""
