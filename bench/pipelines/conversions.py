"""What each conversion does with a trainer that holds the weights."""

from collections.abc import Callable

from bench import models
from bench.datasets import Dataset
from bench.pipelines import convert, train
from bench.pipelines.calibration import calibration_of
from bench.pipelines.trainers import converter_of, trainer_of
from bench.plan.cells import Cell
from bench.plan.trajectories import Segment
from bench.study.effective import effective

Converted = tuple[bytes, str]
"""A file, and the route that its conversion took, in words."""


def _as_float(data: Dataset, segment: Segment, cell: Cell, trainer: train.Trainer) -> Converted:
    converter = converter_of(trainer)
    return converter.float32(), _route(converter)


def _by_ptq(data: Dataset, segment: Segment, cell: Cell, trainer: train.Trainer) -> Converted:
    converter = converter_of(trainer)
    recipe = cell.recipe
    calibration = calibration_of(data, segment.model, cell.seed, recipe)
    made = converter.ptq(calibration, recipe["ptq_format"], recipe["ptq_granularity"])
    return made, _route(converter)


def _by_its_own_ranges(
    data: Dataset, segment: Segment, cell: Cell, trainer: train.Trainer
) -> Converted:
    converter = converter_of(trainer)
    whole = models.hook(segment.model, "annotate") is None
    whole = whole and effective(cell.arm, cell.recipe.levels).number_format == "int8"
    return converter.qat(whole), _route(converter)


def _recalibrated(data: Dataset, segment: Segment, cell: Cell, trainer: train.Trainer) -> Converted:
    base = trainer_of(data, segment, False)
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
