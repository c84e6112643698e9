"""The factors of a study: what may vary beside data, model, budget, extra, arm and seed."""

from typing import NamedTuple


class Column(NamedTuple):
    name: str
    type: str  # of Arrow, as pyarrow.type_for_alias understands it
    meaning: str  # with its unit


FACTORS = (
    Column("train_examples", "int32", "training examples used; null: all"),
    Column("batch_size", "int32", "examples in a training step"),
    Column("optimizer", "string", "of every training, float, control and QAT"),
    Column("learning_rate", "float64", "constant, of every training"),
    Column("calibration_examples", "int32", "training examples drawn to calibrate PTQ and qat-cal"),
)
FACTOR_NAMES = tuple(column.name for column in FACTORS)
