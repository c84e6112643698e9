"""The nodes of a connected Ray, and how many tasks of a study fit on them at once."""

from collections.abc import Collection, Mapping
from math import floor

from bench.study.resources import Resources

_ROUNDING = 1e-9


def alive() -> dict[str, dict[str, float]]:
    """Node id -> its resources, as Ray names them, in use or not."""
    import ray

    return {n["NodeID"]: dict(n["Resources"]) for n in ray.nodes() if n["Alive"]}


def able(resources: Resources, without: Collection[str] = ()) -> dict[str, int]:
    """Node id -> how many tasks fit there at once, of those where one fits.

    without: nodes that get none.
    """
    fits = {node: _fit(there, resources) for node, there in alive().items() if node not in without}
    return {node: tasks for node, tasks in fits.items() if tasks}


def lacking(resources: Resources, without: Collection[str] = ()) -> str:
    """What it is that no node has enough of, in words; without: nodes that get none."""
    there = [node for name, node in alive().items() if name not in without]
    if not any(node.get("CPU") for node in there):
        return "no node with a CPU"
    wanted = {"CPU": resources.cpus, "GPU": resources.gpus, "memory": resources.memory or 0}
    for name, amount in wanted.items():
        most = max((node.get(name, 0.0) for node in there), default=0.0)
        if most < amount:
            if name == "memory":
                return (
                    f"no node with {amount / 2**30:.3g} GiB of memory, at most {most / 2**30:.3g}"
                )
            return f"no node with {amount:g} {name}s, at most {most:g}"
    return f"no node with {resources} together"


def _fit(there: Mapping[str, float], resources: Resources) -> int:
    fits = [there.get("CPU", 0.0) / resources.cpus]
    if 0 < resources.gpus < 1:  # a task's share is of one GPU
        fits.append(floor(there.get("GPU", 0.0)) * floor(1 / resources.gpus + _ROUNDING))
    elif resources.gpus:
        fits.append(there.get("GPU", 0.0) / resources.gpus)
    if resources.memory:
        fits.append(there.get("memory", 0.0) / resources.memory)
    return floor(min(fits) + _ROUNDING)
