"""A Ray of several raylets, all on loopback, until standard input closes.

    python -m tests.cluster.raylets CPUS[,GPUS] FOLDER FOLDER ...

The head has CPUS CPUs, and it is told that it has GPUS GPUs. For each FOLDER there is one more
node with one CPU, whose workers find Python packages there first. Prints the address. A line on
standard input makes the last of these nodes vanish, as a machine does that loses its power. In a
process of its own because RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0, which makes every part of Ray listen
on 127.0.0.1 alone, is read when Ray is imported.
"""

import os
import sys

from ray.cluster_utils import Cluster


def main() -> None:
    sizes, *folders = sys.argv[1:]
    cpus, _, gpus = sizes.partition(",")
    head = {"include_dashboard": False, "num_cpus": int(cpus), "num_gpus": int(gpus or 0)}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        nodes = []
        for folder in folders:
            os.environ["PYTHONPATH"] = folder  # the node's processes inherit it
            nodes.append(cluster.add_node(num_cpus=1))
        print(cluster.address, flush=True)
        for _ in sys.stdin:
            cluster.remove_node(nodes.pop(), allow_graceful=False)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
