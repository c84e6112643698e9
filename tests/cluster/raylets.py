"""A Ray of three raylets with one CPU each, all on loopback, until standard input closes.

Prints its address. In a process of its own because RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0, which
makes every part of Ray listen on 127.0.0.1 alone, is read when Ray is imported.
"""

import sys

from ray.cluster_utils import Cluster


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"include_dashboard": False})
    try:
        cluster.add_node()
        cluster.add_node()
        print(cluster.address, flush=True)
        sys.stdin.read()
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
