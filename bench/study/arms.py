"""The arms of a study and the contrasts between them: rows of data, nothing that runs.

A new arm is a row of ARMS; if it converts in a new way, a function in pipelines/tflite.py.
"""

from dataclasses import dataclass
from typing import Literal

Training = Literal["float", "float+k", "qat", "qat-cal"]
NumberFormat = Literal["float32", "int8"]


@dataclass(frozen=True)
class Arm:
    """One way to get a TFLite file out of the float checkpoint of a seed and budget.

    training: whose weights are converted; number_format: what the file claims to be (audited);
    extra: whether it has k extra epochs behind the checkpoint; sentence: for the report.
    """

    name: str
    training: Training
    number_format: NumberFormat
    sentence: str

    @property
    def extra(self) -> bool:
        return self.training != "float"


ARMS = {
    arm.name: arm
    for arm in (
        Arm("float", "float", "float32", "E epochs of float training, a float TFLite model"),
        Arm("ptq", "float", "int8", "int8 post-training quantization of float"),
        Arm(
            "float+k",
            "float+k",
            "float32",
            "float trained k epochs more: the compute-matched control",
        ),
        Arm("ptq+k", "float+k", "int8", "int8 post-training quantization of float+k"),
        Arm(
            "qat",
            "qat",
            "int8",
            "quantize_model(float) trained k epochs more, as TFMOT's tutorial does",
        ),
        Arm(
            "qat-cal",
            "qat-cal",
            "int8",
            "qat whose observers' ranges start from PTQ's calibration data, not from [-6, 6]",
        ),
    )
}


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
        Contrast("qat", "ptq+k", "QAT against PTQ at equal compute"),
        Contrast("float+k", "float", "what k more epochs alone do to the float model"),
        Contrast("ptq+k", "ptq", "what k more epochs alone do to the quantized model"),
        Contrast(
            "qat-cal",
            "ptq+k",
            "quantization awareness itself, at equal compute and with honest ranges",
        ),
        Contrast("qat", "qat-cal", "what the cold start of the ranges costs"),
        Contrast("qat", "float+k", "what int8 costs after QAT, at equal compute"),
    )
}

PRIMARY = ("ptq - float", "qat - ptq", "qat - float", "qat - ptq+k")
