"""How a training step is taken where it is not the plain one, and from which step on.

A mode is a graph of its own: what is off in it is not in the graph, so that a training without any
of this has the graph, and the bits, that it would have if there were no modes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from bench.plan import extent as extents
from bench.plan.cells import Recipe
from bench.plan.extent import Extent

OBSERVER_KEEPS = 0.999
"""The share of an observer's range that a training step leaves (TFMOT's MovingAverageQuantizer)."""

COSINE_END = 0.01
"""Share of the learning rate that a cosine ends at."""

WARM_UP = 0.1
"""Share of the steps over which a warm-up grows."""


@dataclass(frozen=True)
class Mode:
    """scheduled: is the learning rate another one in each step?; batch_norm_frozen: does batch
    normalization use its moving statistics, and leave them?; augmentation, dropout: do layers of
    that kind do what they do in training? Of a quantized model alone: ranges_frozen: do observers
    leave their ranges?; activations: are they quantized, and not only observed?; decay: what a step
    leaves of a range."""

    scheduled: bool = False
    batch_norm_frozen: bool = False
    augmentation: bool = True
    dropout: bool = True
    ranges_frozen: bool = False
    activations: bool = True
    decay: float = OBSERVER_KEEPS


@dataclass(frozen=True)
class Quantized:
    """What QAT does over its steps. behind: its steps before the course that has this; the others
    are counted from QAT's first step."""

    behind: int = 0
    ranges_frozen: int | None = None
    activations_after: int = 0
    decay: float = OBSERVER_KEEPS

    def mode(self, plain: Mode, step: int) -> Mode:
        """The mode of a step of the course, with what QAT does in it."""
        at = step + self.behind
        frozen = self.ranges_frozen is not None and at >= self.ranges_frozen
        # A range that is frozen has no decay: one graph serves all.
        decay = OBSERVER_KEEPS if frozen else self.decay
        on = at >= self.activations_after
        return replace(plain, ranges_frozen=frozen, activations=on, decay=decay)

    @property
    def cuts(self) -> list[int]:
        """Steps of the course at which the mode may change."""
        own = [self.activations_after]
        own += [] if self.ranges_frozen is None else [self.ranges_frozen]
        return [at - self.behind for at in own]

    def range_left(self, steps: int) -> float:
        """The share of a range's start that is left after so many steps of QAT."""
        moved = steps if self.ranges_frozen is None else min(steps, self.ranges_frozen)
        return float(self.decay**moved)


@dataclass(frozen=True)
class Piece:
    """Consecutive steps of one epoch in one mode. first, last: steps of the epoch, [first, last);
    step: how many the training has behind it when the piece starts."""

    epoch: int
    first: int
    last: int
    step: int
    mode: Mode


@dataclass(frozen=True)
class Course:
    """What a training does over its steps, beside the data. multiple: of the recipe's learning
    rate; total: steps that a schedule is laid over; batch_norm_frozen: the step from which it is,
    None: never; augmentation, dropout: are they on? quantized: what is of QAT alone, None of float
    training."""

    extent: Extent
    multiple: float = 1.0
    schedule: str = "constant"
    total: int = 0
    batch_norm_frozen: int | None = None
    augmentation: bool = True
    dropout: bool = True
    quantized: "Quantized | None" = None

    def mode(self, step: int) -> Mode:
        """The mode of a step, counted from 0."""
        frozen = self.batch_norm_frozen is not None and step >= self.batch_norm_frozen
        plain = Mode(self.schedule != "constant", frozen, self.augmentation, self.dropout)
        return plain if self.quantized is None else self.quantized.mode(plain, step)

    def pieces(self, start: int, end: int, epoch: int) -> Iterator[Piece]:
        """The steps [start, end) of a training whose first epoch has the number `epoch`."""
        steps = self.extent.steps
        cuts = [] if self.batch_norm_frozen is None else [self.batch_norm_frozen]
        cuts += [] if self.quantized is None else self.quantized.cuts
        inside = {cut for cut in cuts if start < cut < end}
        borders = sorted({start, end, *inside, *range(start - start % steps + steps, end, steps)})
        for first, last in pairwise(borders):
            whole, within = divmod(first, steps)
            yield Piece(epoch + whole, within, within + last - first, first, self.mode(first))

    def rates(self, learning_rate: float, first: int, last: int) -> np.ndarray:
        """float32 (last - first,): the learning rate of each of these steps."""
        step = np.arange(first, last)
        share = np.ones(len(step))
        if self.schedule == "cosine":
            half = (1 + np.cos(np.pi * step / max(1, self.total - 1))) / 2
            share = COSINE_END + (1 - COSINE_END) * half
        elif self.schedule == "warm-up":
            share = np.minimum(1.0, (step + 1) / max(1.0, WARM_UP * self.total))
        return (learning_rate * self.multiple * share).astype(np.float32)


def quantized_of(recipe: Recipe, behind: int = 0) -> Quantized:
    """What QAT does by a recipe that reaches it."""
    return Quantized(
        behind,
        recipe["qat_ranges_frozen"],
        recipe["qat_activations_after"],
        recipe["qat_ranges_decay"],
    )


def of_float(recipe: Recipe, examples: int, budget: int, quantized: bool = False) -> Course:
    """Float training to a budget, or QAT in its place."""
    extent = extents.of_float(recipe, examples)
    return Course(
        extent,
        schedule=recipe.get("schedule") or "constant",
        total=extent.of(budget, recipe.budget_unit),
        quantized=quantized_of(recipe) if quantized else None,
    )


def of_extra(recipe: Recipe, examples: int, extra: int, behind: int | None = None) -> Course:
    """The epochs more, k of them. behind: of QAT, its steps before these; None: of the control."""
    extent = extents.of_extra(recipe, examples)
    return Course(
        extent,
        recipe["extra_learning_rate"],
        recipe["extra_schedule"],
        extent.of(extra, recipe.extra_unit),
        recipe.get("extra_batch_norm_frozen"),
        recipe.get("extra_augmentation") != "off",
        recipe.get("extra_dropout") != "off",
        None if behind is None else quantized_of(recipe, behind),
    )
