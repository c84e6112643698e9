"""Where each training behind a checkpoint starts: a trainer and the state to load into it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.datasets import Dataset
from bench.pipelines import modes, train
from bench.pipelines.calibration import calibration_of
from bench.pipelines.trainers import trained, trainer_of
from bench.plan.cells import Recipe
from bench.plan.trajectories import Fork, Segment
from bench.study.effective import QAT_BY_START
from bench.study.factors import Value


@dataclass(frozen=True)
class Checkpoint:
    """A float training at a budget, and the seconds that its last segment took."""

    budget: int
    state: train.State
    train_s: float


Start = tuple[train.Trainer, train.State]


def _from_checkpoint(data: Dataset, segment: Segment, fork: Fork, checkpoint: Checkpoint) -> Start:
    return trainer_of(data, segment, False), checkpoint.state


def _control(data: Dataset, segment: Segment, fork: Fork, checkpoint: Checkpoint) -> Start:
    trainer = trainer_of(data, segment, False, more=fork.recipe)
    optimizer = _optimizer(fork.recipe, checkpoint.state, segment)
    return trainer, trainer.forked(checkpoint.state.weights, optimizer)


def _optimizer(recipe: Recipe, state: train.State, segment: Segment) -> Any:
    """The optimizer's variables that the epochs more start from; None: as initialized. Raises
    Unmatched where they are another optimizer's."""
    if recipe["extra_optimizer_state"] == "fresh":
        return None
    other = recipe.get("extra_optimizer")
    if other is not None and other != segment.recipe.get("optimizer"):
        raise train.Unmatched(
            f"the state of {segment.recipe.get('optimizer')} cannot be carried over to {other}"
        )
    return state.optimizer


def _quantized(data: Dataset, segment: Segment, fork: Fork, checkpoint: Checkpoint) -> Start:
    recipe = fork.recipe
    trainer = trainer_of(data, segment, True, more=recipe)
    if recipe["qat_start"] == "checkpoint":
        optimizer = _optimizer(recipe, checkpoint.state, segment)
        state = trainer.forked(checkpoint.state.weights, optimizer)
        return trainer, _with_ranges(data, segment, fork, trainer, state)
    # With the optimizer of float training.
    by_float = recipe.without("extra_optimizer").without("extra_weight_decay")
    first = trainer_of(data, segment, True, more=by_float)
    initial = trainer_of(data, segment, False).initial(fork.seed, dict(recipe.pin))
    state = _with_ranges(data, segment, fork, first, first.forked(initial.weights))
    course = modes.of_float(recipe, len(data.x_train), segment.budget, quantized=True)
    state = trained(first, data, segment, state, course, 0, course.total)
    optimizer = _optimizer(recipe, state, segment)
    return trainer, train.State(state.weights, optimizer or trainer.start.optimizer)


def _with_ranges(
    data: Dataset, segment: Segment, fork: Fork, trainer: train.Trainer, state: train.State
) -> train.State:
    """The state with its ranges as the fork's training has them at its start."""
    start = ranges_start(fork)
    if start == "cold":
        return state
    trainer.load(state)
    calibration = calibration_of(data, segment.model, fork.seed, fork.recipe)
    trainer.calibrate(calibration, segment.recipe["batch_size"], start == "calibrated")
    return train.State(trainer.state.weights, state.optimizer)


def ranges_start(fork: Fork) -> Value:
    """Where the ranges of a QAT start."""
    return next(start for start, name in QAT_BY_START.items() if name == fork.training)


STARTS: dict[str, Callable[..., tuple[train.Trainer, train.State]]] = {
    "float": _from_checkpoint,
    "float+k": _control,
    "qat": _quantized,
    "qat-cal": _quantized,
    "qat-cal-inference": _quantized,
}
"""Where each training of study.arms starts."""
