"""Which nodes a study's tasks may run on, and how many at once.

Every node is asked for its CPU type once, by a task that reserves nothing. A worker refuses what is
for another type, or for other code: what is known here only saves a task the way.
"""

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from math import inf
from typing import Any

from bench.errors import InputError, Unfinished
from bench.plan.schedule import AHEAD, Task
from bench.runner import environment, nodes
from bench.runner.cpus import CpuTypes
from bench.runner.worker import Refusal
from bench.study.resources import Resources

COUNT_EVERY_S = 1.0
"""Between two counts of nodes: it takes Ray a while where there are many."""

NODE_WAIT_S = 900.0
"""For a node on which a task fits, before a run gives up."""

CENSUS_S = 30.0
"""For all nodes to say their CPU type, before the first cell."""


class Room:
    """local: is this Ray on this machine alone? away: nodes that do not answer, or went of late;
    said: for what somebody should know at once."""

    def __init__(
        self,
        resources: Resources,
        local: bool,
        types: CpuTypes,
        away: Callable[[], Collection[str]],
        said: Callable[[str], None],
    ) -> None:
        self._resources, self._away, self._said = resources, away, said
        self._types = types
        self._known: set[str] = set()  # nodes that were asked for it, or need not be
        self._asked: dict[Any, str] = {}  # what comes -> the node that was asked
        self._refusing: dict[str, str] = {}  # node -> what it has instead
        self._settled = self._worked = False
        self._moved: set[str | None] = set()  # types that no node has, as was said
        self._able: dict[str, int] = {}
        self._counted = self._able_at = -inf
        if local:
            for node in nodes.alive():
                self._note(node, environment.cpu())
        if local and not self.capacity():
            raise InputError(
                "cpus, gpus, memory",
                f"a task reserves {resources}, and here is {nodes.lacking(resources)}",
                "allowed: what this machine has (--workers), or a cluster that has it (--address)",
            )
        self._able_at = time.monotonic()

    def capacity(self) -> int:
        """How many tasks the nodes that are there take at once."""
        return sum(self.able().values())

    def able(self, cpu: str | None = None) -> dict[str, int]:
        """Node id -> how many tasks it takes at once, of those that take one; cpu: of this type, as
        far as is known."""
        now = time.monotonic()
        if now - self._counted > COUNT_EVERY_S:
            self._counted = now
            self._ask()
            self._able = nodes.able(self._resources, {*self._refusing, *self._away()})
            if self._able:
                self._able_at = now
        others = self._types.others(cpu)
        return {node: tasks for node, tasks in self._able.items() if node not in others}

    def avoided(self, cpu: str | None = None) -> list[str]:
        """Nodes that a task is kept from; cpu: one for this type."""
        return sorted({*self._refusing, *self._away(), *self._types.others(cpu)})

    def waits(self) -> str | None:
        """That the run waits for a node, where there is none. Raises Unfinished after a while."""
        if self.capacity():
            return None
        lacking = nodes.lacking(self._resources, self._refusing)
        waited = time.monotonic() - self._able_at
        if waited > NODE_WAIT_S:
            raise Unfinished(
                f"{lacking} for {NODE_WAIT_S / 60:.0f} minutes, and a task reserves "
                f"{self._resources}; the same command goes on from here"
            )
        return f"{lacking}: waits for one, {waited:.0f} s of {NODE_WAIT_S:.0f}"

    def settle(self) -> None:
        """Wait until every node has said its CPU type, for a while at most; once."""
        import ray

        if self._settled:
            return
        self._settled = True
        self._ask()
        deadline = time.monotonic() + CENSUS_S
        while self._asked and time.monotonic() < deadline:
            ray.wait(list(self._asked), timeout=1.0)
            self._take_answers()

    def _ask(self) -> None:
        """Ask nodes that are new for their CPU type, and take in what others answered."""
        self._take_answers()
        fresh = {node for node, has in nodes.alive().items() if has.get("CPU")} - self._known
        if not fresh:
            return
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        ask = ray.remote(num_cpus=0, max_retries=0)(_cpu)
        for node in fresh:
            self._known.add(node)
            there = NodeAffinitySchedulingStrategy(node, soft=False)
            self._asked[ask.options(name="CPU type", scheduling_strategy=there).remote()] = node

    def _take_answers(self) -> None:
        if not self._asked:
            return
        import ray

        refs = list(self._asked)
        ready = ray.wait(refs, num_returns=len(refs), timeout=0)[0]
        for ref, node in [(ref, self._asked.pop(ref)) for ref in ready]:
            with suppress(ray.exceptions.RayError):  # it has gone
                self._note(node, ray.get(ref))

    def worked(self, node: str, cpu: str) -> None:
        """A task ended on this node, which is of this CPU type."""
        self._worked = True
        self._note(node, cpu)

    def _note(self, node: str, cpu: str) -> None:
        self._known.add(node)
        self._types.of_node[node] = cpu
        one = self._types.one
        if one is not None and cpu != one:
            self._refuse(node, f"CPU type {cpu}", f"CPU type {one} (require_same)")

    def refused(self, refusal: Refusal, expected: Mapping[str, str]) -> None:
        """A node has refused a task. Raises InputError if no node is left, and none has worked."""
        found = refusal.found
        if any(found[what] != there for what, there in expected.items() if what != "cpu"):
            self._refuse(
                refusal.node, environment.described(found), environment.described(expected)
            )
        else:
            self._note(refusal.node, found["cpu"])

    def _refuse(self, node: str, found: str, wanted: str) -> None:
        if node in self._refusing:  # it had several tasks at once
            return
        self._refusing[node] = found
        self._counted = -inf
        if not self.capacity() and not self._worked:
            each = "; ".join(f"{node[:8]} has {what}" for node, what in self._refusing.items())
            raise InputError(
                "--address",
                f"no node with {wanted}: {each}",
                "allowed: the same package and TensorFlow on every node; with `require_same` one "
                "CPU type, in each folder (--out)",
            )
        self._said(f"node {node[:8]} gets no cell: it has {found}, not {wanted}")

    def at_most(self) -> int:
        """How many tasks may be in flight. As long as no CPU type is known, one."""
        able = self.able()
        known = not able.keys().isdisjoint(self._types.of_node)
        return AHEAD * max(1, sum(able.values())) if known else 1

    def type_for(self, task: Task, flying: Mapping[str | None, int]) -> str | None:
        """The CPU type that a task is for; see CpuTypes.choose."""
        before, one = self._types.before(task), self._types.one
        cpu = self._types.choose(task, self.able(), flying)
        if self._types.one != one:
            for node, its in list(self._types.of_node.items()):
                self._note(node, its)
        if before not in (None, cpu, *self._moved):
            self._moved.add(before)
            self._said(
                f"no node has the CPU type {before}: seeds that were begun on it go on on {cpu}, "
                "and their rows say so"
            )
        return cpu


def _cpu() -> str:
    return environment.cpu()
