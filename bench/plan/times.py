"""What a plan's work takes: estimated from what a model costs, or measured by a run."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from statistics import median
from typing import Any

from bench import models
from bench.datasets import Size
from bench.plan import extent
from bench.plan.cells import Cell
from bench.plan.trajectories import Fork, Segment
from bench.study.effective import effective
from bench.study.factors import FACTORS
from bench.study.units import NAMES as UNITS
from bench.study.units import known

START_S = 8.0
"""Seconds from the command to workers that have imported TensorFlow."""

TRACE_S = {"float": 1.2, "qat": 1.8}
"""CPU seconds of a process for the graphs of one architecture: quantize_model, tracing, the first
conversion."""

CONVERT_S = 0.1
"""CPU seconds to convert a small model and to open it."""

FORWARD = 0.3
"""Time per pixel of evaluation in units of a training step's: no gradient, int8 kernels."""

MEASURED = ("dataset", "model", *FACTORS, "own_factors", "budget", "arm", "extra", *UNITS)
"""Cells that are equal in these differ in their seed only, and take the same time."""


Key = tuple[Any, ...]


class UnknownCost(Exception):
    """What a model's training takes was neither measured nor said in its file."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model


class Estimated:
    """simulate.Times from each model's COST and the sizes of the datasets, by label.

    Its methods raise UnknownCost for a model without one.
    """

    def __init__(self, sizes: Mapping[str, Size]) -> None:
        self._sizes = sizes

    def seconds(self, segment: Segment, fork: Fork | None) -> float:
        if segment.own:
            if fork is None:
                return 0.0  # what it starts from is part of the fork
            raise UnknownCost(segment.model)
        if fork is None:
            start, end = (self._float(segment, n) for n in (segment.start, segment.budget))
            return self._training(segment, end[0] - start[0], end[1] - start[1], False)
        trained = 0.0
        if fork.extras:
            size, most = self._examples(segment), fork.extras[-1]
            steps = extent.extra_steps(fork.recipe, size, most)
            seen = extent.of_extra(fork.recipe, size).seen(steps)
            if fork.recipe.get("qat_start") == "scratch":
                before = self._float(segment, segment.budget)
                steps, seen = steps + before[0], seen + before[1]
            trained = self._training(segment, steps, seen, fork.quantized)
        return trained + sum(self._evaluation(segment, cell) for cell in fork.cells)

    def graphs(self, segment: Segment, fork: Fork | None) -> Mapping[Hashable, float]:
        if segment.own:
            return {}
        kind = "qat" if fork is not None and fork.quantized else "float"
        key = (kind, segment.dataset, segment.model, segment.recipe.get("optimizer"))
        return {key: TRACE_S[kind]}

    def _examples(self, segment: Segment) -> int:
        """Of its training set."""
        return extent.examples(segment.recipe, self._sizes[segment.dataset])

    def _float(self, segment: Segment, budget: int) -> tuple[int, int]:
        """Steps of float training to a budget, and examples seen."""
        of_float = extent.of_float(segment.recipe, self._examples(segment))
        steps = extent.float_steps(segment.recipe, of_float.examples, budget)
        return steps, of_float.seen(steps)

    def _training(self, segment: Segment, steps: int, seen: int, quantized: bool) -> float:
        cost, pixels = _cost(segment.model), self._sizes[segment.dataset].pixels
        taken: float = steps * cost.step_ms * 1e-3 + seen * pixels * cost.pixel_us * 1e-6
        return taken * (cost.qat if quantized else 1.0)

    def _evaluation(self, segment: Segment, cell: Cell) -> float:
        size, cost = self._sizes[segment.dataset], _cost(segment.model)
        # A float file's predictions are compared with Keras's own.
        made = effective(cell.arm, cell.recipe.levels)
        passes = 2 if made.number_format == "float32" else 1
        return CONVERT_S + passes * FORWARD * size.test * size.pixels * cost.pixel_us * 1e-6


def _cost(model: str) -> models.Cost:
    found = models.cost(model)
    if found is None:
        raise UnknownCost(model)
    return found


class Measured:
    """simulate.Times from a run's rows, medians over seeds; estimates for what has none."""

    def __init__(self, rows: Iterable[Mapping[str, Any]], otherwise: Estimated) -> None:
        self._otherwise = otherwise
        trained: dict[Key, list[float]] = defaultdict(list)
        evaluated: dict[Key, list[float]] = defaultdict(list)
        for row in rows:
            if row["eval_s"] is not None:
                key = _key(row)
                trained[key].append(row["train_s"])
                evaluated[key].append(row["convert_s"] + row["eval_s"])
        self._trained: dict[Key, float] = {key: median(each) for key, each in trained.items()}
        self._evaluated: dict[Key, float] = {key: median(each) for key, each in evaluated.items()}

    def seconds(self, segment: Segment, fork: Fork | None) -> float:
        if segment.own and fork is None:
            return 0.0
        # A float snapshot's row carries the seconds of the segment that led to it.
        of = [f for f in segment.forks if f.training == "float"] if fork is None else [fork]
        keys = [_key(cell.columns) for each in of for cell in each.cells]
        if not keys or not all(key in self._trained for key in keys):
            return self._otherwise.seconds(segment, fork)
        trained = sum(self._trained[key] for key in keys)
        if fork is None:
            return trained
        evaluated = sum(self._evaluated[key] for key in keys)
        return evaluated + (trained if fork.training != "float" else 0.0)

    def graphs(self, segment: Segment, fork: Fork | None) -> Mapping[Hashable, float]:
        return self._otherwise.graphs(segment, fork)


def _key(columns: Mapping[str, Any]) -> Key:
    return tuple(known(name, columns[name]) for name in MEASURED)
