"""Where each training behind a checkpoint starts: a trainer and the state to load into it."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.datasets import Dataset
from bench.pipelines import train
from bench.pipelines.conversions import calibration_of
from bench.pipelines.trainers import trainer_of
from bench.plan.trajectories import Fork, Segment


@dataclass(frozen=True)
class Checkpoint:
    """A float training after `epochs` epochs, and the seconds that its last segment took."""

    epochs: int
    state: train.State
    train_s: float


def _from_checkpoint(
    data: Dataset, segment: Segment, fork: Fork, checkpoint: Checkpoint
) -> tuple[train.Trainer, train.State]:
    return trainer_of(data, segment, False), checkpoint.state


def _with_fresh_optimizer(
    data: Dataset, segment: Segment, fork: Fork, checkpoint: Checkpoint
) -> tuple[train.Trainer, train.State]:
    trainer = trainer_of(data, segment, False)
    return trainer, trainer.forked(checkpoint.state.weights)


def _quantized(
    data: Dataset, segment: Segment, fork: Fork, checkpoint: Checkpoint
) -> tuple[train.Trainer, train.State]:
    trainer = trainer_of(data, segment, True)
    return trainer, trainer.forked(checkpoint.state.weights)


def _quantized_and_calibrated(
    data: Dataset, segment: Segment, fork: Fork, checkpoint: Checkpoint
) -> tuple[train.Trainer, train.State]:
    trainer, state = _quantized(data, segment, fork, checkpoint)
    trainer.load(state)
    calibration = calibration_of(data, segment.model, segment.seed, fork.recipe)
    trainer.calibrate(calibration, segment.recipe["batch_size"])
    return trainer, trainer.state


STARTS: dict[str, Callable[..., tuple[train.Trainer, train.State]]] = {
    "float": _from_checkpoint,
    "float+k": _with_fresh_optimizer,
    "qat": _quantized,
    "qat-cal": _quantized_and_calibrated,
}
"""Where each training of study.arms starts."""
