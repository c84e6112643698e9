"""What an arm is at given levels of the factors: the training and the conversion that it then has.

Some factors choose between trainings or file formats. Whatever asks what an arm trains, what its
file claims to be, or what determines its result, asks here; the arm's own row says what it is at
their defaults.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from bench.study.arms import ARMS, CONVERSIONS, TRAININGS, Conversion, Stage, Training
from bench.study.factors import FACTORS, RANDOMNESS, Value

QAT_BY_START: Mapping[Value, str] = {
    "cold": "qat",
    "calibrated": "qat-cal",
    "calibrated-inference": "qat-cal-inference",
}
"""Level of qat_ranges_start -> the training that it is."""

PTQ_FORMATS: Mapping[Value, str] = {
    "int8": "int8",
    "int8-float-io": "int8-float-io",
    "dynamic-range": "mixed",
    "int16": "int16x8",
    "float16": "float16",
}
"""Level of ptq_format -> what pipelines.audit calls such a file."""

UNCALIBRATED = frozenset({"dynamic-range", "float16"})
"""Levels of ptq_format that need no calibration."""

Levels = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Effective:
    """number_format: what its file claims to be; ranges: how those in it came about; levels: of the
    factors, those that determine the result, each not at its default; stages: that it goes through.
    """

    training: Training
    conversion: Conversion
    number_format: str
    ranges: str
    levels: Levels
    stages: frozenset[Stage]


@lru_cache(maxsize=1 << 16)
def effective(arm: str, levels: Levels) -> Effective:
    """An arm at these levels of the factors that reach it; those left out are at their default."""
    row, found = ARMS[arm], dict(levels)
    training, conversion = TRAININGS[row.training], CONVERSIONS[row.conversion]
    if training.name == "qat":
        training = TRAININGS[QAT_BY_START[found.pop("qat_ranges_start", "cold")]]
    found.pop(RANDOMNESS, None)  # what it pins determines the result
    stages: frozenset[Stage] = training.stages | conversion.stages | {"evaluation"}
    claimed: str = conversion.number_format
    ranges = conversion.ranges or training.ranges
    if "conversion" in stages:
        kind = found.get("ptq_format", "int8")
        claimed = PTQ_FORMATS[kind]
        if kind in UNCALIBRATED:
            ranges = ""
            if "calibration" not in training.stages:
                stages = stages - {"calibration"}
    elif training.quantized and found.get("qat_layers", "all") != "all":
        claimed = "mixed"
    determining = tuple(
        (name, level)
        for name, level in found.items()
        if level != FACTORS[name].default and FACTORS[name].stage in stages
    )
    return Effective(training, conversion, claimed, ranges, determining, stages)


def number_format(arm: str, levels: Levels) -> str | None:
    """What an arm's files claim to be at these levels; None of an arm that is none of ARMS."""
    return effective(arm, levels).number_format if arm in ARMS else None


def ranges(arm: str, levels: Levels) -> str:
    """How the ranges in an arm's files came about; empty where that is not known."""
    return effective(arm, levels).ranges if arm in ARMS else ""
