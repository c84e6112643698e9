"""On which CPU type each seed's tasks run: another one computes other bits.

The arms of a seed run on one type: chosen when the first of its tasks is sent, kept for as long as
a node of that type is there. With `require_same = "cpu"` one type serves the whole study.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bench.plan.schedule import Task, Work

Seed = tuple[str, str, int]
"""A data set, a model and a seed: what contrasts pair."""


def seeds(works: Iterable[Work]) -> list[Seed]:
    """Those that they work for."""
    first = [work.segments[0] for work in works]
    return list(dict.fromkeys((each.dataset, each.model, each.seed) for each in first))


class CpuTypes:
    """The types of nodes, and of seeds. before: seed -> the type of the rows that it has already;
    same: does one type serve the whole study?"""

    def __init__(self, before: Mapping[Seed, str], same: bool) -> None:
        self.of_node: dict[str, str] = {}
        self.one = next(iter(before.values()), None) if same else None
        """That serves the whole study, where it is known."""
        self._same = same
        self._of_seed = dict(before)

    def others(self, cpu: str | None) -> set[str]:
        """Nodes that are known to be of another type; None: no node is."""
        return {node for node, its in self.of_node.items() if cpu is not None and its != cpu}

    def apart(self, task: Task) -> list[Task]:
        """The task, as several where its seeds are on several types."""
        of: dict[str | None, list[Work]] = {}
        for work in task.works:
            (seed,) = seeds([work])
            of.setdefault(self._of_seed.get(seed), []).append(work)
        return [Task(tuple(works), task.checkpoint) for works in of.values()]

    def before(self, task: Task) -> str | None:
        """The type on which its seeds were begun; None: they were not."""
        begun = (self._of_seed.get(seed) for seed in seeds(task.works))
        return next((cpu for cpu in begun if cpu is not None), None)

    def choose(
        self, task: Task, able: Mapping[str, int], flying: Mapping[str | None, int]
    ) -> str | None:
        """The type that a task is for, and its seeds from now on; None: no type is known.

        able: node -> how many tasks run there at once; flying: type -> how many tasks for it are on
        their way.
        """
        size: Counter[str] = Counter()
        for node, tasks in able.items():
            if node in self.of_node:
                size[self.of_node[node]] += tasks
        chosen = self.one or self.before(task)
        if size and self.one is None:
            if self._same:
                chosen = self.one = min(size, key=lambda cpu: (-size[cpu], cpu))
            elif chosen not in size:
                chosen = min(size, key=lambda c: (flying.get(c, 0) / size[c], -size[c], c))
        if chosen is not None:
            self.stay(task.works, chosen)
        return chosen

    def stay(self, works: Sequence[Work], cpu: str) -> None:
        """The seeds of these works stay on this type from now on."""
        self._of_seed |= dict.fromkeys(seeds(works), cpu)
