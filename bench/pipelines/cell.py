"""One task: a segment of a float trajectory, or a fork from a checkpoint to rows.

A process keeps its traced graphs and its data between tasks; a task's result does not depend on
what ran before it. Knows TensorFlow, not Ray.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from bench.datasets import Dataset
from bench.datasets.changed.shifts import shifted
from bench.pipelines import diagnose, hooks, measure, modes, train
from bench.pipelines.blame import explained
from bench.pipelines.conversions import CONVERTS
from bench.pipelines.diagnose import layers
from bench.pipelines.lean import tf
from bench.pipelines.probes import probe
from bench.pipelines.starts import STARTS, Checkpoint
from bench.pipelines.trainers import converter_of, pretrained, tensors, trained, trainer_of
from bench.plan.cells import Cell, Recipe
from bench.plan.trajectories import Fork, Segment
from bench.store.schema import FILE
from bench.study.arms import ARMS, CONVERSIONS, TRAININGS

__all__ = ["Checkpoint", "prepare", "probe", "run_fork", "run_segment", "trace"]

Row = dict[str, Any]


def prepare() -> None:
    """Call before TensorFlow's first operation: one thread, so that sums have one order; on a GPU,
    kernels that always sum in one order, and no more of its memory than is used."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if gpus := tf.config.list_physical_devices("GPU"):
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        tf.config.experimental.enable_op_determinism()


def trace(data: Dataset, segments: Sequence[Segment]) -> None:
    """Trace the graphs that these segments and their forks need, in a process that has nothing else
    to do, so that its first task runs at once.

    No result depends on it. Raises what the segments' own tasks would raise.
    """
    data = hooks.prepared(data, segments[0].model)
    trainer = trainer_of(data, segments[0], False)
    trainer.trace(*tensors(data))
    converter_of(trainer).float32()
    if any(fork.quantized for segment in segments for fork in segment.forks):
        trainer = trainer_of(data, segments[0], True)
        trainer.trace(*tensors(data))
        converter_of(trainer).qat()


def run_segment(data: Dataset, segment: Segment, before: Checkpoint | None) -> Checkpoint:
    """Train a float trajectory on from `before` (None: from initialization) to its next budget."""
    data = hooks.prepared(data, segment.model)
    pin = dict(segment.recipe.pin)
    trainer = trainer_of(data, segment, False)
    started = time.perf_counter()
    state = before.state if before else trainer.initial(segment.seed, pin)
    course = modes.of_float(segment.recipe, len(data.x_train), segment.budget)
    start = steps_of(data, segment.recipe, segment.start)
    state = trained(trainer, data, segment, state, course, start, course.total)
    return Checkpoint(segment.budget, state, time.perf_counter() - started)


def run_fork(data: Dataset, segment: Segment, fork: Fork, checkpoint: Checkpoint) -> Iterator[Row]:
    """Train what the fork trains, convert and evaluate its cells: one row for each as soon as it is
    there, those that train less first.

    A cell that fails gets a row that says so; it takes no other cell with it.
    """
    raw, data = data, hooks.prepared(data, segment.model)
    spent, started = checkpoint.train_s, time.perf_counter()
    at, behind = 0, steps_of(data, segment.recipe, segment.budget)
    epoch = -(-behind // modes.of_float(segment.recipe, len(data.x_train), 0).extent.steps)
    try:
        trainer, state = STARTS[fork.training](data, segment, fork, checkpoint)
    except train.Refused as error:
        yield from (cell.failure("unsupported", explained(error)) for cell in fork.cells)
        return
    for extra in fork.extras or (0,):
        if fork.extras:
            course = course_of(data, fork, behind, extra)
            try:
                state = trained(trainer, data, segment, state, course, at, course.total, epoch)
            except train.Refused as error:
                left = (cell for cell in fork.cells if (cell.extra or 0) >= extra)
                yield from (cell.failure("unsupported", explained(error)) for cell in left)
                return
            now = time.perf_counter()
            spent, started, at = now - started, now, course.total
        trainer.load(state)
        if fork.extras and fork.recipe.get("extra_batch_norm_statistics") == "re-estimated":
            trainer.reestimate(data.x_train, course.extent.batch)
        for cell in fork.cells:
            if (cell.extra or 0) == extra:
                yield _evaluated(raw, data, segment, cell, trainer, fork) | {"train_s": spent}
                spent = 0.0  # of the first cell: the others share it
        started = time.perf_counter()


def steps_of(data: Dataset, recipe: Recipe, budget: int) -> int:
    """Steps of float training to a budget."""
    return modes.of_float(recipe, len(data.x_train), budget).total


def course_of(data: Dataset, fork: Fork, behind: int, extra: int) -> modes.Course:
    """The training more of a fork. behind: steps of float training."""
    if not fork.quantized:
        return modes.of_extra(fork.recipe, len(data.x_train), extra)
    before = behind if fork.recipe["qat_start"] == "scratch" else 0
    return modes.of_extra(fork.recipe, len(data.x_train), extra, before)


def _evaluated(
    raw: Dataset,
    data: Dataset,
    segment: Segment,
    cell: Cell,
    trainer: train.Trainer,
    fork: Fork,
) -> Row:
    """raw: the data before what a model's `inputs` makes of them."""
    arm = ARMS[cell.arm]
    try:
        started = time.perf_counter()
        blob, route = CONVERTS[arm.conversion](data, segment, cell, trainer)
        converted = time.perf_counter()
        tested = hooks.prepared(shifted(raw, cell.recipe.get("test_shift")), segment.model)
        measured = measure.measured(
            tested,
            trainer,
            blob,
            _is_checked(cell),
            cell.recipe.objective,
            cell.recipe["kernels"],
            cell.recipe["threads"],
        )
        evaluated = time.perf_counter()
        own_ranges = fork.quantized and not CONVERSIONS[arm.conversion].ranges
        if diagnose.asked(cell.seed) and layers.wanted(cell):
            measured |= layers.measured(data, tested, segment, cell, trainer, blob, own_ranges)
    except Exception as error:  # whatever the libraries raise is this cell's failure, not the run's
        return cell.failure("failed", explained(error))
    behind = modes.of_float(segment.recipe, len(data.x_train), segment.budget)
    course = course_of(data, fork, behind.total, cell.extra) if cell.extra else None
    steps = behind.total + (course.total if course else 0)
    seen = behind.extent.seen(behind.total)
    seen += course.extent.seen(course.total) if course else 0
    cold = own_ranges and TRAININGS[fork.training].cold
    # Averages that came with the weights have no start of Keras's left.
    momentum = None if pretrained(data, segment) else trainer.batch_norm_momentum
    return {
        **cell.columns,
        **measured,
        FILE: blob,
        "epochs": _epochs(behind, course),
        "steps": steps,
        "examples_seen": seen,
        "batch_norm_start_left": _batch_norm_left(momentum, behind, course, fork),
        "range_start_left": _range_left(course) if cold else None,
        "route": route,
        "convert_s": converted - started,
        "eval_s": evaluated - converted,
        "finished_at": datetime.now(UTC),
    }


def _epochs(behind: modes.Course, course: modes.Course | None) -> int | None:
    """Behind a model; None where one of its trainings ended within one."""
    found = [of.extent.epochs(of.total) for of in (behind, course) if of is not None]
    whole = [epochs for epochs in found if epochs is not None]
    return sum(whole) if len(whole) == len(found) else None


def _batch_norm_left(
    momentum: float | None, behind: modes.Course, course: modes.Course | None, fork: Fork
) -> float | None:
    """The share of batch norm's start that is left in its averages."""
    if momentum is None:
        return None
    if course is None:
        return float(momentum**behind.total)
    if fork.recipe.get("extra_batch_norm_statistics") == "re-estimated":
        return None
    frozen = course.batch_norm_frozen
    moved = course.total if frozen is None else min(course.total, frozen)
    return float(momentum ** (behind.total + moved))


def _range_left(course: modes.Course | None) -> float | None:
    """The share of an observer's start that is left in its range after QAT."""
    if course is None or course.quantized is None:
        return None
    return course.quantized.range_left(course.quantized.behind + course.total)


def _is_checked(cell: Cell) -> bool:
    """Is its file compared with Keras? Float files are, once per seed and budget: after more epochs
    they come from the same graph by the same converter, and TensorFlow's inference costs more than
    the file's."""
    return ARMS[cell.arm].number_format == "float32" and cell.extra is None
