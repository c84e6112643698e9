"""Cells -> the trajectories that they share: the least training that gives them.

A trajectory is the float training of one seed through all budgets, each budget a snapshot. From
each snapshot fork the float evaluation, the control and QAT, every one of them a task of its own,
so that a cluster is not held to one seed per core. Seeds whose streams are pinned alike are one
training, as far as it draws from these streams.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from bench.plan.cells import Cell, Recipe
from bench.plan.identity import STREAM_STAGES
from bench.study.arms import TRAININGS, Stage
from bench.study.effective import effective
from bench.study.factors import RANDOMNESS

_CHECKPOINT: frozenset[Stage] = TRAININGS["float"].stages

OWN = "own"
"""The training of a fork that is somebody's whole pipeline: its start, and arms that fork from it.
"""


@dataclass(frozen=True, slots=True)
class Fork:
    """Cells of one budget that share one training behind the snapshot: of one seed, or of several
    whose training draws from the same streams.

    training: its name in study.arms, or OWN; recipe: what acts in it, of the cell that it was made
    for first; seed: of that cell too: with the recipe's pinned streams it says what is drawn,
    whichever of the cells are left; twice: of a pipeline, are its arms run in reverse order too,
    and unequal results refused?
    """

    training: str
    recipe: Recipe
    seed: int
    cells: tuple[Cell, ...]
    twice: bool = False

    @property
    def extras(self) -> tuple[int, ...]:
        """The epochs more at which this training is evaluated, ascending; none for `float`."""
        return tuple(sorted({c.extra for c in self.cells if c.extra is not None}))

    @property
    def quantized(self) -> bool:
        """Does it train what quantize_model made of the float model?"""
        return self.training != OWN and TRAININGS[self.training].quantized


@dataclass(frozen=True, slots=True)
class Segment:
    """Float epochs from one budget (or from initialization) to the next, and the forks there.

    seed, recipe: of the first cell, what acts in float training; own: is it somebody's whole
    pipeline? Then it is no training of ours: its one fork starts by itself, and its cells run in
    one piece.
    """

    dataset: str
    model: str
    seed: int
    recipe: Recipe
    start: int
    budget: int
    forks: tuple[Fork, ...]
    own: bool = False


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The segments of one float training in order: each starts from the weights that the last one
    left."""

    segments: tuple[Segment, ...]

    @property
    def cells(self) -> Iterator[Cell]:
        return (cell for segment in self.segments for fork in segment.forks for cell in fork.cells)


def trajectories(wanted: Collection[Cell]) -> list[Trajectory]:
    """The least training that gives the wanted cells, each once, in the cells' order.

    Only budgets with a wanted cell become snapshots; cells that share a training share a fork.
    """
    shared: dict[tuple[str, str, Drawn, int | None], list[Cell]] = {}
    within: dict[Recipe, Recipe] = {}
    each_once = {cell.id: cell for cell in wanted}.values()
    if any(cell.recipe.pipeline is not None for cell in each_once):
        return list(_pipelines(each_once))
    for cell in each_once:
        if cell.recipe not in within:
            within[cell.recipe] = cell.recipe.within(_CHECKPOINT)
        recipe = within[cell.recipe]
        # A schedule over all of the epochs makes them others for each budget.
        alone = recipe.get("schedule") not in (None, "constant")
        drawn = _drawn(recipe, cell.seed, _CHECKPOINT)
        key = (cell.dataset, cell.model, drawn, cell.budget if alone else None)
        shared.setdefault(key, []).append(cell)
    return [
        Trajectory(tuple(_segments(members, within[members[0].recipe])))
        for members in shared.values()
    ]


Drawn = tuple[int | None, Recipe]
"""What a training is, in one way alone: the seed of all its streams, or None and a recipe that pins
every one of them."""


def _drawn(recipe: Recipe, seed: int, stages: Collection[Stage]) -> Drawn:
    """recipe: what acts in these stages."""
    if recipe.get(RANDOMNESS) is not None:
        recipe = recipe.without(RANDOMNESS)  # it acts by what it pins
    if not recipe.pin:
        return seed, recipe
    pin = dict(recipe.pin)
    drawn = {s: pin.get(s, seed) for s, stage in STREAM_STAGES.items() if stage in stages}
    if len({*drawn.values()}) == 1:
        return next(iter(drawn.values())), replace(recipe, pin=())
    return None, replace(recipe, pin=tuple(sorted(drawn.items())))


def _pipelines(wanted: Iterable[Cell]) -> Iterator[Trajectory]:
    """The cells that fork from one start of somebody's pipeline, in one piece each, of which the
    first one runs twice; every command by itself."""
    shared: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in wanted:
        key: tuple[Any, ...] = (
            *(cell.dataset, cell.model, cell.seed, cell.budget),
            cell.recipe.of_start,
        )
        if cell.recipe.pipeline == "command":
            key += (cell.id,)
        shared.setdefault(key, []).append(cell)
    for at, ((dataset, model, seed, budget, recipe, *_), members) in enumerate(shared.items()):
        fork = Fork(OWN, recipe, seed, tuple(members), twice=at == 0)
        yield Trajectory((Segment(dataset, model, seed, recipe, 0, budget, (fork,), own=True),))


def _segments(members: list[Cell], recipe: Recipe) -> Iterator[Segment]:
    """recipe: what acts in the float training of the first."""
    start, first = 0, members[0]
    by_budget = sorted(members, key=lambda cell: cell.budget)
    for budget, at_budget in groupby(by_budget, key=lambda cell: cell.budget):
        forks = tuple(_forks(at_budget))
        yield Segment(first.dataset, first.model, first.seed, recipe, start, budget, forks)
        start = budget


def _forks(members: Iterator[Cell]) -> Iterator[Fork]:
    shared: dict[tuple[str, Drawn, int | None], tuple[Recipe, list[Cell]]] = {}
    for cell in members:
        training = effective(cell.arm, cell.recipe.levels).training
        recipe = cell.recipe.within(training.stages).without("qat_ranges_start")
        alone = recipe.get("extra_schedule") not in (None, "constant")
        drawn = _drawn(recipe, cell.seed, training.stages)
        key = (training.name, drawn, cell.extra if alone else None)
        shared.setdefault(key, (recipe, []))[1].append(cell)
    for (training_name, *_), (recipe, together) in shared.items():
        yield Fork(training_name, recipe, together[0].seed, tuple(together))
