"""A Ray of several raylets, all on loopback, until standard input closes.

    python -m tests.cluster.raylets CPUS[,GPUS] FOLDER FOLDER ...

The head has CPUS CPUs, and it is told that it has GPUS GPUs. For each FOLDER there is one more
node with one CPU, whose workers find Python packages there first; where there is a file `cpuinfo`
in it, it and the nodes after it find that as /proc/cpuinfo (as root). Prints the address. Lines on
standard input: `lose` makes the last of these nodes vanish, as a machine does that loses its power;
`freeze` stops all of its processes, `stop` its raylet alone; `gcs` kills the cluster's GCS; `add`
brings one more node. In a process of its own because RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0, which
makes every part of Ray listen on 127.0.0.1 alone, is read when Ray is imported.
"""

import ctypes
import os
import signal
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


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in found]


def main() -> None:
    sizes, *folders = sys.argv[1:]
    cpus, _, gpus = sizes.partition(",")
    head = {"include_dashboard": False, "num_cpus": int(cpus), "num_gpus": int(gpus or 0)}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = []
    try:
        for folder in folders:
            os.environ["PYTHONPATH"] = folder  # the node's processes inherit it
            if (info := Path(folder) / "cpuinfo").is_file():
                mount_cpuinfo(info)
            nodes.append(cluster.add_node(num_cpus=1))
        print(cluster.address, flush=True)
        for line in sys.stdin:
            what = line.strip()
            if what == "lose":
                cluster.remove_node(nodes.pop(), allow_graceful=False)
            elif what == "add":
                nodes.append(cluster.add_node(num_cpus=1))
            elif what == "gcs":
                (gcs,) = cluster.head_node.all_processes["gcs_server"]
                gcs.process.kill()
            else:
                (raylet,) = nodes[-1].all_processes["raylet"]
                if what == "freeze":
                    for child in children(raylet.process.pid):
                        os.kill(child, signal.SIGSTOP)
                raylet.process.send_signal(signal.SIGSTOP)
    finally:
        for node in nodes:
            for raylet in node.all_processes.get("raylet", ()):
                raylet.process.send_signal(signal.SIGCONT)
                for child in children(raylet.process.pid):
                    os.kill(child, signal.SIGCONT)
        cluster.shutdown()


if __name__ == "__main__":
    main()
