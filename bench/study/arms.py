"""Arms, and the trainings and conversions that they are made of: rows of data, nothing that runs.

A new arm is a row of ARMS. What its training and conversion do stands in
bench.pipelines, in `starts` and `conversions`, one function each, under the same names.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Literal

from bench.errors import InputError, nearest

Stage = Literal["data", "float", "extra", "qat", "calibration", "conversion", "evaluation"]
"""Where a factor acts. It reaches every arm that goes through this stage."""

NumberFormat = Literal["float32", "int8"]
Color = Literal["grey", "blue", "vermillion"]


@dataclass(frozen=True)
class Training:
    """How weights come about, starting from the float checkpoint of a seed and budget.

    stages: those that it goes through; quantized: whether it trains what quantize_model makes of
    the float model; cold: whether its observers' ranges start at TFMOT's [-6, 6]; ranges: how the
    ranges that it leaves came about, empty where it has none; version: part of the identity of
    every cell with this training, raised by hand when the same study would give other results.
    """

    name: str
    stages: frozenset[Stage]
    quantized: bool = False
    cold: bool = False
    ranges: str = ""
    version: int = 1

    @property
    def extra(self) -> bool:
        """Has it k epochs more behind the checkpoint?"""
        return "extra" in self.stages


_CHECKPOINT: frozenset[Stage] = frozenset({"data", "float"})

TRAININGS = {
    training.name: training
    for training in (
        Training("float", _CHECKPOINT),
        Training("float+k", _CHECKPOINT | {"extra"}),
        Training(
            "qat",
            _CHECKPOINT | {"extra", "qat"},
            quantized=True,
            cold=True,
            ranges="trained by QAT from [-6, 6]",
        ),
        Training(
            "qat-cal",
            _CHECKPOINT | {"extra", "qat", "calibration"},
            quantized=True,
            ranges="trained by QAT from calibration data",
            version=2,
        ),
        Training(
            "qat-cal-inference",
            _CHECKPOINT | {"extra", "qat", "calibration"},
            quantized=True,
            ranges="trained by QAT from calibration data, taken in inference mode",
        ),
    )
}


@dataclass(frozen=True)
class Conversion:
    """How a file is made of a training's weights.

    stages: those it goes through beside the training's; number_format: what the file claims to be,
    and is audited for; ranges: how its ranges came about, empty where it has none or the training
    left them; version: as Training's.
    """

    name: str
    stages: frozenset[Stage]
    number_format: NumberFormat
    ranges: str = ""
    version: int = 1


_PTQ: frozenset[Stage] = frozenset({"calibration", "conversion"})

CONVERSIONS = {
    conversion.name: conversion
    for conversion in (
        Conversion("float32", frozenset(), "float32"),
        Conversion("ptq", _PTQ, "int8", ranges="from calibration data"),
        Conversion("own-ranges", frozenset(), "int8"),
        Conversion("recalibrated", _PTQ, "int8", ranges="from calibration data"),
    )
}


@dataclass(frozen=True)
class Arm:
    """One way to get a TFLite file out of the float checkpoint of a seed and budget.

    color, marker, hollow: how figures draw it; sentence: what it is, for the report; fixed: factors
    that do not reach it, since what they choose is what this arm is.
    """

    name: str
    training: str
    conversion: str
    color: Color
    marker: str
    hollow: bool
    sentence: str
    fixed: frozenset[str] = frozenset()

    @cached_property
    def stages(self) -> frozenset[Stage]:
        """The stages that it goes through: factors of other stages do not reach it."""
        own = TRAININGS[self.training].stages | CONVERSIONS[self.conversion].stages
        return own | {"evaluation"}

    @property
    def extra(self) -> bool:
        """Has it k epochs more behind the checkpoint?"""
        return TRAININGS[self.training].extra

    @property
    def number_format(self) -> NumberFormat:
        return CONVERSIONS[self.conversion].number_format

    @property
    def ranges(self) -> str:
        """How the ranges in its file came about; empty for a float file."""
        return CONVERSIONS[self.conversion].ranges or TRAININGS[self.training].ranges


ARMS = {
    arm.name: arm
    for arm in (
        Arm(
            "float", "float", "float32", "grey", "o", False,
            "E epochs of float training, a float TFLite model",
        ),
        Arm(
            "ptq", "float", "ptq", "blue", "s", False,
            "int8 post-training quantization of float",
        ),
        Arm(
            "float+k", "float+k", "float32", "grey", "o", True,
            "float trained k epochs more: the compute-matched control",
        ),
        Arm(
            "ptq+k", "float+k", "ptq", "blue", "s", True,
            "int8 post-training quantization of float+k",
        ),
        Arm(
            "qat", "qat", "own-ranges", "vermillion", "D", False,
            "quantize_model(float) trained k epochs more, as TFMOT's tutorial does",
        ),
        Arm(
            "qat-recal", "qat", "recalibrated", "vermillion", "^", True,
            "the weights of qat put back into the float model and quantized by PTQ: no training of "
            "its own",
        ),
        Arm(
            "qat-cal", "qat-cal", "own-ranges", "vermillion", "D", True,
            "qat whose observers' ranges start from the calibration data, not from [-6, 6]",
            frozenset({"qat_ranges_start"}),
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Contrast:
    """Arm `a` minus arm `b`, paired by seed, and the question that the difference answers."""

    a: str
    b: str
    question: str

    @property
    def name(self) -> str:
        return f"{self.a} - {self.b}"


CONTRASTS = {
    contrast.name: contrast
    for contrast in (
        Contrast("ptq", "float", "what quantization alone does"),
        Contrast("qat", "ptq", "QAT against PTQ, QAT having trained k epochs more"),
        Contrast("qat", "float", "QAT against the float model, QAT having trained k epochs more"),
        Contrast("float+k", "float", "what k more epochs alone do to the float model"),
        Contrast("ptq+k", "ptq", "what k more epochs alone do to the quantized model"),
        Contrast("qat", "ptq+k", "QAT against PTQ at equal compute"),
        Contrast(
            "qat-recal",
            "ptq+k",
            "what training with simulated quantization did to the weights: two files made by one "
            "converter from one calibration set",
        ),
        Contrast(
            "qat",
            "qat-recal",
            "what the ranges and the granularity that QAT leaves in the file cost, against those "
            "that calibration gives",
        ),
        Contrast("qat-cal", "qat", "what a warm start of the ranges does"),
        Contrast("qat", "float+k", "what int8 costs after QAT, at equal compute"),
    )
}

PRIMARY = ("ptq - float", "qat - ptq", "qat - ptq+k")
"""Primary where a study declares none. `qat - float` would be the sum of the first two."""


def contrasts_of(
    arms: Sequence[str], chosen: Sequence[str] | None, where: str
) -> tuple[tuple[Contrast, ...], tuple[str, ...]]:
    """The contrasts of arms that somebody else has named, and the names of the primary ones.

    chosen: `a - b`, or several with commas between, all primary; None: those of CONTRASTS if all
    the arms are known here, else every pair once, the later arm minus the earlier one, all primary.
    Raises InputError naming `where`.
    """
    if chosen is not None:
        names = [name for text in chosen for name in _split(text, arms)]
        if not names:
            raise InputError(where, "none", "allowed: 'arm - arm', separated by commas")
        found = tuple(_contrast(name, arms, where) for name in dict.fromkeys(names))
        return found, tuple(names)
    if set(arms) <= set(ARMS):
        shared = tuple(c for c in CONTRASTS.values() if {c.a, c.b} <= set(arms))
        if shared:
            return shared, tuple(c.name for c in shared if c.name in PRIMARY)
    pairs = tuple(Contrast(later, earlier, "") for earlier, later in combinations(arms, 2))
    return pairs, tuple(c.name for c in pairs)


def _split(text: str, arms: Sequence[str]) -> list[str]:
    """Contrasts between commas, where an arm's own name may hold commas too; or in double quotes.

    Where the text can be read as contrasts of these arms it is, whatever else it looks like.
    """
    pieces = text.split(",")
    read: list[list[str] | None] = [[], *(None for _ in pieces)]  # of the first i pieces
    for end in range(1, len(pieces) + 1):
        for start in range(end):
            before, name = read[start], ",".join(pieces[start:end]).strip()
            if before is not None and (not name or _known(name, arms)):
                read[end] = [*before, name] if name else before
                break
    if read[-1]:
        return read[-1]
    quoted = next(csv.reader([text], skipinitialspace=True), [])
    return [part.strip() for part in quoted if part.strip()]


def _splits(name: str) -> list[tuple[str, str]]:
    parts = name.split(" - ")
    return [(" - ".join(parts[:i]), " - ".join(parts[i:])) for i in range(1, len(parts))]


def _known(name: str, arms: Sequence[str]) -> tuple[str, str] | None:
    """The two arms of `a - b`, where an arm's own name may hold ` - ` too."""
    return next(((a, b) for a, b in _splits(name) if a in arms and b in arms and a != b), None)


def _contrast(name: str, arms: Sequence[str], where: str) -> Contrast:
    splits, known = _splits(name), _known(name, arms)
    if known is not None:
        return CONTRASTS.get(name, Contrast(*known, ""))
    if not splits:
        raise InputError(where, f"no contrast {name!r}", "allowed: 'arm - arm'")
    unknown = next((arm for arm in splits[0] if arm not in arms), None)
    if unknown is None:
        raise InputError(where, f"no contrast {name!r}", "allowed: two different arms")
    raise InputError(where, f"no contrast {name!r}: no arm {unknown!r}", nearest(unknown, arms))
