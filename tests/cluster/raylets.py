"""A Ray of several raylets, all on loopback, until standard input closes.

    python -m tests.cluster.raylets CPUS[,GPUS] FOLDER FOLDER ...

The head has CPUS CPUs, and it is told that it has GPUS GPUs. For each FOLDER there is one more
node with one CPU, whose workers find Python packages there first; where there is a file `cpuinfo`
in it, it and the nodes after it find that as /proc/cpuinfo (as root). Prints the address. A line on
standard input makes the last of these nodes vanish, as a machine does that loses its power. In a
process of its own because RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0, which makes every part of Ray listen
on 127.0.0.1 alone, is read when Ray is imported.
"""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

from ray.cluster_utils import Cluster

NEW_MOUNTS = 0x00020000  # CLONE_NEWNS


def mount_cpuinfo(file: Path) -> None:
    """What this process starts from now on has this file as /proc/cpuinfo."""
    system = ctypes.CDLL(None, use_errno=True)
    if system.unshare(NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", file, "/proc/cpuinfo"], check=True)


def main() -> None:
    sizes, *folders = sys.argv[1:]
    cpus, _, gpus = sizes.partition(",")
    head = {"include_dashboard": False, "num_cpus": int(cpus), "num_gpus": int(gpus or 0)}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        nodes = []
        for folder in folders:
            os.environ["PYTHONPATH"] = folder  # the node's processes inherit it
            if (info := Path(folder) / "cpuinfo").is_file():
                mount_cpuinfo(info)
            nodes.append(cluster.add_node(num_cpus=1))
        print(cluster.address, flush=True)
        for _ in sys.stdin:
            cluster.remove_node(nodes.pop(), allow_graceful=False)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
