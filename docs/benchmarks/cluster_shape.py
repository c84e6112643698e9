"""How long 30 seeds take on 1 to 1,000 CPUs: simulated, and on real raylets that sleep instead.

    python docs/benchmarks/cluster_shape.py [FOLDER] [--real 1,2,8,32] [--seeds 30]

FOLDER (results/digits): a finished run of the study `digits`, whose times are taken. The simulation
runs the driver's schedule. The real run is the driver itself on Ray clusters of up to four raylets,
every task sleeping for half of the time that its work took, so that two cores can be 32.
"""

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # all on loopback; read by `import ray`
os.environ["RAY_AUTH_MODE"] = "disabled"

import sleeping

from bench import runner
from bench.plan import cells as plan
from bench.plan.simulate import DRIVER_S, critical_path, simulate
from bench.plan.trajectories import trajectories
from bench.store.folder import Store
from bench.study import load

CPUS = (1, 2, 8, 32, 200, 1000)
FACTOR = 0.5
NODES = {1: (1,), 2: (1, 1), 8: (2, 2, 2, 2), 32: (8, 8, 8, 8)}


class Quiet:
    """A watcher that looks away."""

    def planned(self, wanted: Any, rows: Any, others: int) -> None: ...

    def waiting(self, cpus: int) -> None: ...

    def waits(self, what: str | None) -> None: ...

    def said(self, text: str) -> None: ...

    def added(self, wanted: Any) -> None: ...

    def finished(self, rows: Any) -> None: ...


def on_raylets(study: Any, cpus: int) -> float:
    """Seconds from the first task's start to the last row's end."""
    from ray.cluster_utils import Cluster

    nodes = NODES[cpus]
    head = {"include_dashboard": False, "num_cpus": nodes[0]}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for count in nodes[1:]:
            cluster.add_node(num_cpus=count)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "results"
            runner.run(study, out, Quiet(), address=cluster.address, pipeline="sleeping")
            rows = Store(out).statuses("train_s", "finished_at", "node")
    finally:
        cluster.shutdown()
    assert all(row["status"] == "ok" for row in rows)
    assert len({row["node"] for row in rows}) == len(nodes)
    ends = [row["finished_at"].timestamp() for row in rows]
    starts = [end - row["train_s"] for end, row in zip(ends, rows, strict=True)]
    return max(ends) - min(starts)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", default="results/digits")
    parser.add_argument("--real", default="1,2,8,32")
    parser.add_argument("--seeds", type=int, default=30)
    asked = parser.parse_args()
    os.environ["MEASURED"] = str(Path(asked.folder).resolve())
    os.environ["FACTOR"] = str(FACTOR)
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    study = load("digits", [f"seeds={asked.seeds}"])
    planned = trajectories(plan.cells(study))
    times = sleeping.measured()
    real = {int(cpus) for cpus in asked.real.split(",") if cpus}
    longest = critical_path(planned, times)
    print(f"{asked.seeds} seeds of digits; critical path {longest:.1f} s\n")
    print("| CPUs | makespan, s | over the critical path | CPUs in use | slept, s | simulated, s |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for cpus in CPUS:
        made = simulate(planned, cpus, times)
        in_use = made.core_s / made.makespan_s / cpus
        slept = expected = "—"
        if cpus in real:
            shorter = simulate(planned, cpus, times, driver_s=DRIVER_S / FACTOR)
            expected = f"{shorter.makespan_s * FACTOR:.1f}"
            slept = f"{on_raylets(study, cpus):.1f}"
        print(
            f"| {cpus:,} | {made.makespan_s:.1f} | {made.makespan_s / longest:.2f} | {in_use:.0%} "
            f"| {slept} | {expected} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
