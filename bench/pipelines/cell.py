"""One task: a segment of a float trajectory, or a fork from a checkpoint to rows.

A process keeps its traced graphs and its data between tasks; a task's result does not depend on
what ran before it. Knows TensorFlow, not Ray.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from bench import models
from bench.datasets import Dataset
from bench.pipelines import convert, evaluate, measure, train
from bench.pipelines import usable as checks
from bench.pipelines.blame import explained
from bench.pipelines.cache import recent
from bench.pipelines.lean import forget_gradients, tf
from bench.plan.cells import Cell, Recipe
from bench.plan.trajectories import Fork, Segment
from bench.study.arms import ARMS, TRAININGS

Row = dict[str, Any]

Given = tuple[tuple[str, Any], ...]
"""Fields of the study that a model's function asks for, beside shape and classes: name, level."""

TRAINERS = 16
"""Trainers that a process keeps, about 20 MB each for a small model: two for each architecture and
optimizer. One more is traced again, in a second or two."""

OBSERVER_KEEPS = 0.999
"""The share of an observer's range that a training step leaves (TFMOT's MovingAverageQuantizer)."""


@dataclass(frozen=True)
class Checkpoint:
    """A float training after `epochs` epochs, and the seconds that its last segment took."""

    epochs: int
    state: train.State
    train_s: float


def prepare() -> None:
    """Call before TensorFlow's first operation: one thread, so that sums have one order."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def trace(data: Dataset, segments: Sequence[Segment]) -> None:
    """Trace the graphs that these segments and their forks need, in a process that has nothing else
    to do, so that its first task runs at once.

    No result depends on it. Raises what the segments' own tasks would raise.
    """
    trainer = _trainer_of(data, segments[0], False)
    trainer.trace(*_tensors(data))
    _converter(trainer).float32()
    if any(fork.quantized for segment in segments for fork in segment.forks):
        trainer = _trainer_of(data, segments[0], True)
        trainer.trace(*_tensors(data))
        _converter(trainer).qat()


def probe(data: Dataset, segment: Segment, fork: Fork) -> Row:
    """Try with untrained weights what a fork of one cell does: build, quantize, convert, run.

    data: a few examples of each split. Returns `unusable`: why nothing can be done with the model,
    or None; `unsupported`: why this arm cannot be, or None; `batch_norms`: how many
    BatchNormalization layers there are.
    """
    found: Row = {"unusable": None, "unsupported": None, "batch_norms": 0}
    try:
        base = _trainer_of(data, segment, False)
    except (Exception, SystemExit) as error:
        return found | (unusable(segment, data) or {"unsupported": explained(error)})
    if reason := unusable(segment, data, base.model):
        return found | reason
    found["batch_norms"] = checks.batch_norms(base.model)
    try:
        blob = untrained_file(data, segment, fork)
        evaluate.Evaluator(blob, data.scale).outputs(data.x_test)
    except (MemoryError, OSError):  # this machine's, not this arm's
        raise
    except Exception as error:  # whatever the libraries raise is why this arm cannot be
        found["unsupported"] = explained(error)
    return found


def untrained_file(data: Dataset, segment: Segment, fork: Fork) -> bytes:
    """What a fork of one cell converts, of untrained weights."""
    (cell,) = fork.cells
    untrained = Checkpoint(0, _trainer_of(data, segment, False).start, 0.0)
    trainer, state = STARTS[fork.training](data, segment, fork, untrained)
    trainer.load(state)
    return CONVERTS[ARMS[cell.arm].conversion](data, segment, cell, trainer)[0]


def unusable(segment: Segment, data: Dataset, model: Any = None) -> Row:
    """Why nothing can be done with a model of this name, or nothing.

    model: one that was built already; another one would count on in the names of its layers, which
    the files have in them.
    """
    shape, classes = data.x_train.shape[1:], len(data.classes)
    x = data.x_train.astype(np.float32) / np.float32(data.scale)
    try:
        if model is None:
            model = models.get(segment.model).build(shape, classes, **dict(_given(segment)))
        reason = checks.unusable(model, shape, classes, x)
    except ModuleNotFoundError as error:
        reason = f"needs the package {error.name!r}, which is not there"
        return {"unusable": _not_built(shape, classes, reason), "missing": True}
    except (Exception, SystemExit) as error:
        reason = f"cannot be built: {explained(error)}"
        if isinstance(error, FileNotFoundError):
            reason += "; a file that is read outside of data() has to stand in `files = [...]`"
    if reason is None:
        return {}
    return {"unusable": _not_built(shape, classes, reason)}


def _not_built(shape: tuple[int, ...], classes: int, reason: str) -> str:
    return f"built for inputs of {shape} and {classes} classes, {reason}"


def run_segment(data: Dataset, segment: Segment, before: Checkpoint | None) -> Checkpoint:
    """Train a float trajectory on from `before` (None: from initialization) to its next budget."""
    pin = dict(segment.recipe.pin)
    trainer = _trainer_of(data, segment, False)
    started = time.perf_counter()
    state = before.state if before else trainer.initial(segment.seed, pin)
    state = _trained(trainer, data, segment, state, segment.start, segment.budget)
    return Checkpoint(segment.budget, state, time.perf_counter() - started)


def run_fork(data: Dataset, segment: Segment, fork: Fork, checkpoint: Checkpoint) -> Iterator[Row]:
    """Train what the fork trains, convert and evaluate its cells: one row for each as soon as it is
    there, those of fewer epochs more first.

    A cell that fails gets a row that says so; it takes no other cell with it.
    """
    spent = checkpoint.train_s
    at = segment.budget
    try:
        trainer, state = STARTS[fork.training](data, segment, fork, checkpoint)
    except train.Refused as error:
        yield from (cell.failure("unsupported", explained(error)) for cell in fork.cells)
        return
    for extra in fork.extras or (0,):
        if fork.extras:
            started = time.perf_counter()
            state = _trained(trainer, data, segment, state, at, segment.budget + extra)
            spent, at = time.perf_counter() - started, segment.budget + extra
        trainer.load(state)
        for cell in fork.cells:
            if (cell.extra or 0) == extra:
                yield _evaluated(data, segment, cell, trainer, fork) | {"train_s": spent}
                spent = 0.0  # of the first cell: the others share it


def _from_checkpoint(
    data: Dataset, segment: Segment, fork: Fork, checkpoint: Checkpoint
) -> tuple[train.Trainer, train.State]:
    return _trainer_of(data, segment, False), checkpoint.state


def _with_fresh_optimizer(
    data: Dataset, segment: Segment, fork: Fork, checkpoint: Checkpoint
) -> tuple[train.Trainer, train.State]:
    trainer = _trainer_of(data, segment, False)
    return trainer, trainer.forked(checkpoint.state.weights)


def _quantized(
    data: Dataset, segment: Segment, fork: Fork, checkpoint: Checkpoint
) -> tuple[train.Trainer, train.State]:
    trainer = _trainer_of(data, segment, True)
    return trainer, trainer.forked(checkpoint.state.weights)


def _quantized_and_calibrated(
    data: Dataset, segment: Segment, fork: Fork, checkpoint: Checkpoint
) -> tuple[train.Trainer, train.State]:
    trainer, state = _quantized(data, segment, fork, checkpoint)
    trainer.load(state)
    calibration = _calibration(data, segment.seed, fork.recipe)
    trainer.calibrate(calibration, segment.recipe["batch_size"])
    return trainer, trainer.state


STARTS: dict[str, Callable[..., tuple[train.Trainer, train.State]]] = {
    "float": _from_checkpoint,
    "float+k": _with_fresh_optimizer,
    "qat": _quantized,
    "qat-cal": _quantized_and_calibrated,
}
"""Where each training of study.arms starts."""


Converted = tuple[bytes, str]
"""A file, and the route that its conversion took, in words."""


def _as_float(data: Dataset, segment: Segment, cell: Cell, trainer: train.Trainer) -> Converted:
    converter = _converter(trainer)
    return converter.float32(), _route(converter)


def _by_ptq(data: Dataset, segment: Segment, cell: Cell, trainer: train.Trainer) -> Converted:
    converter = _converter(trainer)
    return converter.ptq(_calibration(data, cell.seed, cell.recipe)), _route(converter)


def _by_its_own_ranges(
    data: Dataset, segment: Segment, cell: Cell, trainer: train.Trainer
) -> Converted:
    converter = _converter(trainer)
    return converter.qat(), _route(converter)


def _recalibrated(data: Dataset, segment: Segment, cell: Cell, trainer: train.Trainer) -> Converted:
    base = _trainer_of(data, segment, False)
    base.load(base.forked(trainer.float_weights(trainer.state)))
    return _by_ptq(data, segment, cell, base)


def _route(converter: convert.Converter) -> str:
    return f"{converter.route}: {converter.why}" if converter.why else converter.route


CONVERTS: dict[str, Callable[[Dataset, Segment, Cell, train.Trainer], Converted]] = {
    "float32": _as_float,
    "ptq": _by_ptq,
    "own-ranges": _by_its_own_ranges,
    "recalibrated": _recalibrated,
}
"""What each conversion of study.arms does with a trainer that holds the weights."""


def _trained(
    trainer: train.Trainer,
    data: Dataset,
    segment: Segment,
    state: train.State,
    start: int,
    end: int,
) -> train.State:
    x, y = _tensors(data)
    pin, n = dict(segment.recipe.pin), len(data.x_train)
    orders = [train.data_order(n, epoch, segment.seed, pin) for epoch in range(start, end)]
    noise = [train.noise(epoch, segment.seed, pin) for epoch in range(start, end)]
    trainer.load(state)
    recipe = segment.recipe
    trainer.run(x, y, orders, recipe["batch_size"], recipe["learning_rate"], noise)
    return trainer.state


def _evaluated(
    data: Dataset, segment: Segment, cell: Cell, trainer: train.Trainer, fork: Fork
) -> Row:
    arm = ARMS[cell.arm]
    try:
        started = time.perf_counter()
        blob, route = CONVERTS[arm.conversion](data, segment, cell, trainer)
        converted = time.perf_counter()
        measured = measure.measured(data, trainer, blob, _is_checked(cell))
        evaluated = time.perf_counter()
    except Exception as error:  # whatever the libraries raise is this cell's failure, not the run's
        return cell.failure("failed", explained(error))
    steps = -(-len(data.x_train) // cell.recipe["batch_size"])
    epochs = cell.budget + (cell.extra or 0)
    training = TRAININGS[fork.training]
    cold = training.cold and arm.ranges == training.ranges
    momentum = trainer.batch_norm_momentum
    return {
        **cell.columns,
        **measured,
        "epochs": epochs,
        "steps": epochs * steps,
        "examples_seen": epochs * len(data.x_train),
        "batch_norm_start_left": momentum ** (epochs * steps) if momentum is not None else None,
        "range_start_left": OBSERVER_KEEPS ** (steps * (cell.extra or 0)) if cold else None,
        "route": route,
        "convert_s": converted - started,
        "eval_s": evaluated - converted,
        "finished_at": datetime.now(UTC),
    }


def _is_checked(cell: Cell) -> bool:
    """Is its file compared with Keras? Float files are, once per seed and budget: after more epochs
    they come from the same graph by the same converter, and TensorFlow's inference costs more than
    the file's."""
    return ARMS[cell.arm].number_format == "float32" and cell.extra is None


def _calibration(data: Dataset, seed: int, recipe: Recipe) -> np.ndarray:
    chosen = train.calibration_draw(
        len(data.x_train), recipe["calibration_examples"], seed, dict(recipe.pin)
    )
    return data.x_train[chosen]


def _trainer_of(
    data: Dataset, segment: Segment, quantized: bool, anew: bool = False
) -> train.Trainer:
    """anew: one that was not there before, for a comparison."""
    shape, classes, recipe = data.x_train.shape[1:], len(data.classes), segment.recipe
    momentum, given = dict(recipe.levels).get("batch_norm_momentum"), _given(segment)
    optimizer = recipe["optimizer"]
    make = _trainer.__wrapped__ if anew else _trainer
    return make(segment.model, given, shape, classes, data.scale, optimizer, momentum, quantized)


def _given(segment: Segment) -> Given:
    asked = models.parameters(segment.model)
    return tuple((name, level) for name, level in segment.recipe.levels if name in asked)


@recent(TRAINERS, forget_gradients)
def _trainer(
    model: str,
    given: Given,
    shape: tuple[int, ...],
    classes: int,
    scale: float,
    optimizer: str,
    momentum: float | None,
    quantized: bool,
) -> train.Trainer:
    build, base = partial(models.get(model).build, **dict(given)), None
    if quantized:
        base = _trainer(model, given, shape, classes, scale, optimizer, momentum, False).model
    return train.Trainer(build, shape, classes, optimizer, scale, base, momentum)


def _converter(trainer: train.Trainer) -> convert.Converter:
    if trainer not in _converters:
        _converters[trainer] = convert.Converter(trainer.model, trainer.scale)
    return _converters[trainer]


_converters: WeakKeyDictionary[train.Trainer, convert.Converter] = WeakKeyDictionary()
"""It goes with its trainer."""


@lru_cache(maxsize=4)
def _tensors(data: Dataset) -> tuple[Any, Any]:
    return tf.constant(data.x_train), tf.constant(data.y_train)
