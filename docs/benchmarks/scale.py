"""What the program itself takes: plan, schedule, store and analysis of cells that train nothing.

    python docs/benchmarks/scale.py [CELLS [WORKERS]]

Default: 100,000 cells, 2 workers, on a real local Ray. Prints seconds, cells per second, and how
much the driver's memory grew.
"""

import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # all on loopback; read by `import ray`
os.environ["RAY_AUTH_MODE"] = "disabled"  # a process that starts Ray twice keeps the first token

from bench import report, runner
from bench.plan import cells as plan
from bench.plan.schedule import AHEAD
from bench.plan.trajectories import trajectories
from bench.study import load

EACH = "budgets=[1,2,3,4,5,6,7,8]"
FLYING = AHEAD * 1000


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


class Watcher:
    """Times and the driver's memory; it also samples the peak, whenever rows come."""

    def __init__(self) -> None:
        self.first = self.last = self.before = self.peak = 0.0
        self.rows = self.files = 0

    def planned(self, wanted: Any, rows: Any, others: int) -> None: ...

    def waiting(self, cpus: int) -> None: ...

    def waits(self, what: str | None) -> None: ...

    def said(self, text: str) -> None: ...

    def added(self, wanted: Any) -> None: ...

    def finished(self, rows: Any) -> None:
        if not self.rows:
            self.first, self.before = time.perf_counter(), rss_mb()
            self.early = len(rows)
        self.rows += len(rows)
        self.files += 1
        self.last = time.perf_counter()
        self.peak = max(self.peak, rss_mb())


def main() -> None:
    cells = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    per_seed = len(plan.cells(load("digits", ["seeds=1", EACH])))
    study = load("digits", [f"seeds={-(-cells // per_seed)}", EACH])
    start, at_start = time.perf_counter(), rss_mb()
    planned = plan.cells(study)
    trajectories(planned)
    planning = time.perf_counter() - start
    total = len(planned)
    del planned
    watcher = Watcher()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results"
        start = time.perf_counter()
        runner.run(study, out, watcher, workers=workers, pipeline="empty")
        running = time.perf_counter() - start
        after, stored = rss_mb(), list((out / "cells").glob("*.parquet"))
        size = sum(path.stat().st_size for path in stored)
        start = time.perf_counter()
        report.write(out)
        analysis = time.perf_counter() - start
    steady = (watcher.rows - watcher.early) / (watcher.last - watcher.first)
    whole = planning + running + analysis
    print(f"{total:,} cells, {workers} workers")
    print(
        f"plan {planning:.1f} s, run {running:.1f} s (with Ray's start and end, the plan again, "
        f"compaction), analysis and report {analysis:.1f} s"
    )
    print(f"rows came at {steady:,.0f} cells/s; the whole {total / whole:,.0f} cells/s")
    print(
        f"driver: {at_start:.0f} MB at start, {watcher.before:.0f} at the first row, "
        f"{watcher.peak:.0f} at most while rows came, {after:.0f} after the run "
        f"(grew by {max(watcher.peak, after) - watcher.before:.0f} MB); with the analysis "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} at most"
    )
    print(
        f"{watcher.files} files written, {len(stored)} after compaction, "
        f"{size / total:.0f} bytes a cell"
    )
    print(f"one look at {FLYING:,} tasks in flight: {waiting() * 1e3:.1f} ms")


def waiting() -> float:
    """Seconds of one ray.wait on as many tasks as 1,000 CPUs have in flight."""
    import ray

    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    sleep = ray.remote(lambda: time.sleep(60))
    flying = [sleep.remote() for _ in range(FLYING)]
    ray.wait(flying, timeout=1)
    start = time.perf_counter()
    for _ in range(10):
        ray.wait(flying, num_returns=len(flying), timeout=0)
    seconds = (time.perf_counter() - start) / 10
    ray.shutdown()
    return seconds


if __name__ == "__main__":
    main()
