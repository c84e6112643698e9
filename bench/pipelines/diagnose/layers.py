"""All that is measured of one quantized model, by layer: `layer / number` -> value."""

from typing import Any

import numpy as np

from bench.datasets import Dataset
from bench.pipelines import evaluate, measure
from bench.pipelines.diagnose import inside, ranges, statistics
from bench.pipelines.trainers import converter_of, trainer_of
from bench.plan.cells import Cell
from bench.plan.trajectories import Segment
from bench.study.effective import number_format

MOST_SAID = 300
"""Characters of why looking failed."""

LOOKED_AT = 500
"""Examples at most, of the test data and of the training data: the first of each."""


def measured(
    data: Dataset,
    tested: Dataset,
    segment: Segment,
    cell: Cell,
    trainer: Any,
    blob: bytes,
    own_ranges: bool,
) -> dict[str, Any]:
    """Columns of a row: `layers`, `keras_flips`, `keras_flips_tied`, `layers_error`.

    trainer: with the weights that the file was made of, which it has again afterwards; own_ranges:
    does the file have the ranges that the trainer's observers left?
    """
    state = trainer.state
    found: dict[str, float] = {}
    flips: dict[str, int] = {}
    failed = None
    try:
        base = trainer_of(data, segment, False)
        weights = trainer.float_weights(state)
        classifies = cell.recipe.objective.task == "classification"
        if classifies and (own_ranges or base is trainer):
            flips = _flips(tested, trainer, blob)
        if own_ranges:
            found |= ranges.of(trainer, tested.x_test[:LOOKED_AT], data.x_train[:LOOKED_AT])
        found |= statistics.of(trainer, data.x_train)
        before = base.state
        try:
            base.load(base.forked(weights))
            evaluator = evaluate.Evaluator(blob, data.scale)
            found |= inside.of(evaluator, converter_of(base).float32(), tested.x_test[:LOOKED_AT])
        finally:
            base.load(before)
    except Exception as error:  # a model that cannot be looked into is a model all the same
        found[inside.LEFT_OUT] = 3.0
        failed = f"{type(error).__name__}: {' '.join(str(error).split())}"[:MOST_SAID]
    finally:
        trainer.load(state)
    return {"layers": found, **flips, "layers_error": failed}


def _flips(tested: Dataset, trainer: Any, blob: bytes) -> dict[str, int]:
    """Test examples that Keras (with its fake quantization, where it has one) classifies otherwise
    than the file, and how many of them are ties in the file's outputs."""
    outputs = evaluate.Evaluator(blob, tested.scale).outputs(tested.x_test)
    if outputs.ndim != 2 or outputs.shape[1] < 2:
        return {}
    keras = measure.keras_outputs(trainer, tested)
    differ = keras.argmax(axis=1) != outputs.argmax(axis=1)
    tied = evaluate.ties(outputs)
    return {
        "keras_flips": int(np.count_nonzero(differ)),
        "keras_flips_tied": int(np.count_nonzero(differ & tied)),
    }


def wanted(cell: Cell) -> bool:
    """Is there anything to look into: a file of integers?"""
    return number_format(cell.arm, cell.recipe.levels) == "int8"
