"""A run on a Ray whose autoscaler brings nodes of one CPU, from none, and takes them away again;
they are raylets on this machine.

    python -m tests.cluster.autoscaled OUT FIELDS

As tests.runner.drive. Only where no other Ray is to be seen: Ray's own test cluster begins with
`ray stop --force`. Prints what the run says, and how many workers there are some time after it.
"""

import os
import subprocess
import sys
import time
from typing import Any

import ray
from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID
from ray.cluster_utils import AutoscalingCluster

PROVIDER = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
MOST = 2
ADDRESS = "127.0.0.1:6379"


class FromZero(AutoscalingCluster):
    """Ray's own reads an example that is not in its package."""

    def _generate_config(
        self, head_resources: Any, worker_node_types: Any, *_: Any, **more: Any
    ) -> dict[str, Any]:
        head = {"node_config": {}, "resources": head_resources, "max_workers": 0}
        return {
            "cluster_name": "from-zero",
            "max_workers": MOST,
            "idle_timeout_minutes": 0.2,
            "upscaling_speed": 1,
            "provider": {
                "type": "external",
                "module": PROVIDER,
                "disable_node_updaters": True,
                "launch_multiple": True,
                "head_node_id": FAKE_HEAD_NODE_ID,
            },
            "available_node_types": {"ray.head.default": head, **worker_node_types},
            "head_node_type": "ray.head.default",
            "auth": {},
            "docker": {},
            "file_mounts": {},
            "cluster_synced_files": [],
            "initialization_commands": [],
            "setup_commands": [],
            "head_setup_commands": [],
            "worker_setup_commands": [],
            "head_start_ray_commands": [],
            "worker_start_ray_commands": [],
        }


def workers() -> int:
    return sum(node["Alive"] and "CPU" in node["Resources"] for node in ray.nodes())


def main() -> None:
    assert not [each for each in os.listdir("/proc") if each.isdigit() and int(each) > 1000], (
        "in a process table of its own alone"
    )
    worker = {"node_config": {}, "resources": {"CPU": 1}, "min_workers": 0, "max_workers": MOST}
    cluster = FromZero({"CPU": 0}, {"one": worker}, autoscaler_v2=True)
    cluster.start()
    try:
        command = [sys.executable, "-m", "tests.runner.drive", *sys.argv[1:], ADDRESS]
        code = subprocess.run(command).returncode
        print(f"ended: {code}", flush=True)
        ray.init(ADDRESS, logging_level="error", log_to_driver=False)
        print(f"workers: {workers()}", flush=True)
        deadline = time.monotonic() + 90
        while workers() and time.monotonic() < deadline:
            time.sleep(1)
        print(f"workers: {workers()}", flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
