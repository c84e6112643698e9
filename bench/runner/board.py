"""What every worker does right now, and that it lives: a board in Ray's own key-value store.

A worker writes which task it runs when it begins one, and again every few seconds from a thread of
its own. The driver reads all of it at once. What stands there of a task that has ended is of no
matter: a worker's next task takes its place.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

BEAT_S = 5.0
"""Between two signs of life of a worker."""

LOOK_S = 0.2
"""Until what a worker does stands on the board."""

PREPARES, WORKS = "prepares", "works"


@dataclass(frozen=True)
class Place:
    """Where a task runs. phase: PREPARES while its process imports; beat: changes with every sign
    of life."""

    node: str
    pid: int
    phase: str
    beat: int


class _Writer:
    """This process's entry, written by a thread: a task that ends at once leaves none."""

    def __init__(self) -> None:
        self._now: tuple[str, str] | None = None  # token, phase
        self._written: tuple[str, str] | None = None
        self._beat = 0
        self._begun = False

    def show(self, token: str, phase: str) -> None:
        self._now = token, phase
        if not self._begun:
            self._begun = True
            threading.Thread(target=self._writes, daemon=True).start()

    def clear(self) -> None:
        self._now = None

    def _writes(self) -> None:
        pause, last = threading.Event(), 0.0
        while not pause.wait(LOOK_S):
            now = self._now
            if now is None or (now == self._written and time.monotonic() - last < BEAT_S):
                continue
            with suppress(Exception):  # it comes again
                self._put(*now)
                self._written, last = now, time.monotonic()

    def _put(self, token: str, phase: str) -> None:
        import ray
        from ray.experimental import internal_kv

        context = ray.get_runtime_context()
        key = f"{_prefix(context.get_job_id())}{context.get_worker_id()}"
        self._beat += 1
        entry = [token, context.get_node_id(), os.getpid(), phase, self._beat]
        internal_kv._internal_kv_put(key.encode(), json.dumps(entry).encode(), overwrite=True)


_writer = _Writer()


@contextmanager
def shown(token: str) -> Iterator[Callable[[], None]]:
    """Show a task on the board while the block runs. Yields what to call when its process has
    imported what it needs: from then on its time counts."""
    _writer.show(token, PREPARES)
    try:
        yield lambda: _writer.show(token, WORKS)
    finally:
        _writer.clear()


def read() -> dict[str, Place]:
    """Token of a task -> where it runs, or has run last of all there."""
    import ray
    from ray.experimental import internal_kv

    prefix = _prefix(ray.get_runtime_context().get_job_id()).encode()
    keys = internal_kv._internal_kv_list(prefix)
    client = internal_kv.internal_kv_get_gcs_client()
    entries = client.internal_kv_multi_get(keys, None, timeout=10) if keys else {}
    found = {}
    for content in entries.values():
        token, *place = json.loads(content)
        found[token] = Place(*place)
    return found


def clear() -> None:
    """Remove what this driver's workers wrote: a cluster's Ray lives on."""
    import ray
    from ray.experimental import internal_kv

    prefix = _prefix(ray.get_runtime_context().get_job_id()).encode()
    internal_kv._internal_kv_del(prefix, del_by_prefix=True)


def _prefix(job: str) -> str:
    return f"ptq-vs-qat/{job}/"
