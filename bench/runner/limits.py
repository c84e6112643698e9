"""How long a task may take: what the study says, else many times what its like took so far."""

from collections.abc import Iterator
from typing import Any

from bench.plan.schedule import Task
from bench.plan.trajectories import Fork, Segment

TIMES = 10
"""The longest of its kind so far, that many times."""

LEAST_S = 600.0
"""And never less: imports, graphs and a busy machine take time too."""

FIRST_S = 6 * 3600.0
"""Where no task of its model has ended yet."""

Kind = tuple[Any, ...]


class Limits:
    """timeout: of every task, as the study says it; None: by what others took."""

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout
        self._slowest: dict[Kind, float] = {}  # seconds for each epoch or evaluation
        self._slowest_of: dict[Kind, float] = {}  # of a dataset and model

    @property
    def least(self) -> float:
        """For what trains nothing."""
        return self.timeout or LEAST_S

    def note(self, task: Task, seconds: float) -> None:
        """A task ended after `seconds` in its process."""
        pieces = list(_pieces(task))
        rate = seconds / max(1, sum(amount for _, amount in pieces))
        for kind, _ in pieces:
            self._slowest[kind] = max(rate, self._slowest.get(kind, 0.0))
            model = kind[:2]
            self._slowest_of[model] = max(rate, self._slowest_of.get(model, 0.0))

    def of(self, task: Task) -> float:
        """Seconds that a task may take."""
        if self.timeout is not None:
            return self.timeout
        expected = 0.0
        for kind, amount in _pieces(task):
            rate = self._slowest.get(kind)
            if rate is None:  # of another kind: batch size, examples and training may differ
                rate = TIMES * self._slowest_of.get(kind[:2], 0.0)
            if not rate:
                return FIRST_S
            expected += amount * rate
        return max(LEAST_S, TIMES * expected)


def _pieces(task: Task) -> Iterator[tuple[Kind, int]]:
    """The kind of each of a task's trainings, and its epochs and evaluations together."""
    return (_piece(segment, fork) for work in task.works for segment, fork in work.pieces)


def _piece(segment: Segment, fork: Fork | None) -> tuple[Kind, int]:
    if fork is None:
        kind = (segment.dataset, segment.model, "float", segment.recipe)
        return kind, segment.budget - segment.start
    kind = (segment.dataset, segment.model, f"{fork.training}, a fork", fork.recipe)
    return kind, max(fork.extras, default=0) + len(fork.cells)
