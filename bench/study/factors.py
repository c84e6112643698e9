"""The factors: what may vary beside data, model, seed, budget, extra and arm, one row each.

Columns of rows, fields of a study, sharing of trainings, identity of cells, sizes of families and
the table in docs/your-own-study.md all follow from this table. A new factor is a row here and its
one use in bench.pipelines; at its default no cell changes its identity.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from bench import models
from bench.study.arms import ARMS, Stage

Value = str | int | float | None

MOST_INT32 = 2**31 - 1
"""Whole numbers of a study are stored in 32 bits."""

Count = Annotated[int, Field(ge=1, le=MOST_INT32)]
CountOrZero = Annotated[int, Field(ge=0, le=MOST_INT32)]
Rate = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=1, le=1e6, allow_inf_nan=False)]
Shift = Literal[
    "none", "noise-1", "noise-2", "noise-3", "blur-1", "blur-2", "blur-3",
    "contrast-1", "contrast-2", "contrast-3", "brightness-1", "brightness-2", "brightness-3",
]  # fmt: skip
"""datasets.changed.shifts.LEVELS, as a type checker can read them."""
RateOrZero = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Draw = Literal["random", "one-class", "skewed", "shifted", "uniform-noise", "augmented"]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]

TRIED = frozenset(
    {
        "width",
        "activation",
        "qat_layers",
        "qat_granularity",
        "ptq_format",
        "ptq_granularity",
        "kernels",
    }
)
"""Factors whose levels may not be possible for a model: each is tried before anything trains."""

FEW_LEVELS = 3
"""A factor of more levels enters by its slope and its last level where they are ordered."""


class Column(NamedTuple):
    """A column of a table: its Arrow type, as pyarrow.type_for_alias understands it, and what it
    means, with its unit."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class Factor:
    """type: of its column, in Arrow; level: what one level may be, as an annotation for pydantic;
    default: one level; meaning: with its unit; stage: where it acts, and so which arms it reaches;
    none: the word that a study writes for the level None, which means no number; concerns: of a
    factor that only some models have, says by name which; lacking: what the others lack; of_test:
    are the test inputs others at each level? replicate: does it repeat what a seed draws, so that
    nobody asks for its effect, and a seed's value is the mean over its levels?"""

    name: str
    type: str
    level: Any
    default: Value
    meaning: str
    stage: Stage
    none: str | None = None
    concerns: Callable[[str], bool] | None = None
    lacking: str = ""
    of_test: bool = False
    replicate: bool = False

    @property
    def column(self) -> Column:
        absent = f"; null: {self.none}" if self.none else "; null where it does not reach the arm"
        return Column(self.name, self.type, self.meaning + absent)

    @property
    def ordered(self) -> bool:
        """Are its levels numbers?"""
        return self.type != "string"

    def shown(self, level: Value) -> Value:
        """A level as a study writes it."""
        return self.none if level is None else level


Schedule = Literal["constant", "cosine", "warm-up"]
Optimizer = Literal["adam", "rmsprop", "sgd"]
Switch = Literal["on", "off"]

_NO_OPTIMIZER: Any = {
    "concerns": lambda model: models.hook(model, "optimizer") is None,
    "lacking": "need of it: optimizer() in its file makes one",
}

_DRAWN: Any = {
    "concerns": lambda model: models.hook(model, "representative") is None,
    "lacking": "need of it: representative() in its file gives them",
}

RANDOMNESS = "randomness"

SOURCES = ("initialization", "order", "augmentation", "dropout", "calibration")
"""Streams that a seed is the seed of: levels of RANDOMNESS, at which the others are pinned."""

FACTORS = {
    factor.name: factor
    for factor in (
        Factor(
            "train_examples", "int32", Count, None,
            "training examples used, the first of a fixed permutation", "data", none="all",
        ),
        Factor(
            "class_imbalance", "float64", Ratio, 1.0,
            "training examples of the first class for one of the last, the others between, where "
            "there were as many; 1 leaves all", "data",
        ),
        Factor(
            "label_noise", "float64", Share, 0.0,
            "share of training labels that are replaced by another class", "data",
        ),
        Factor("batch_size", "int32", Count, 32, "examples in a training step", "float"),
        Factor(
            "optimizer", "string", Optimizer, "adam",
            "of every training, float, control and QAT", "float", **_NO_OPTIMIZER,
        ),
        Factor(
            "learning_rate", "float64", Rate, 0.001,
            "constant, of every training", "float",
        ),
        Factor(
            RANDOMNESS, "string", Literal["all", *SOURCES], "all",
            "what varies over the seeds: all, or one source of randomness, the others being those "
            "of the study's first seed; the report says the SD that each makes, and tests nothing "
            "there", "float",
        ),
        Factor(
            "schedule", "string", Schedule, "constant",
            "of the learning rate in float training, over a whole budget: `cosine` falls to 1%, "
            "`warm-up` grows over the first tenth; each budget is then trained by itself", "float",
        ),
        Factor(
            "weight_decay", "float64", RateOrZero, 0.0,
            "in every training, decoupled (AdamW), not of biases and batch norm", "float",
            **_NO_OPTIMIZER,
        ),
        Factor(
            "width", "float64", Rate, None,
            "times the number of filters of every hidden layer", "float", none="model",
            concerns=lambda model: "width" in models.parameters(model),
            lacking="parameter `width`",
        ),
        Factor(
            "activation", "string", Literal["relu", "relu6", "none"], None,
            "behind each batch normalization", "float", none="model",
            concerns=lambda model: "activation" in models.parameters(model),
            lacking="parameter `activation`",
        ),
        Factor(
            "batch_norm_momentum", "float64", Share, None,
            "of every BatchNormalization layer's moving averages", "float", none="model",
            concerns=models.normalizes, lacking="BatchNormalization layers",
        ),
        Factor(
            "extra_learning_rate", "float64", Rate, 1.0,
            "in the training more: times the float one", "extra",
        ),
        Factor(
            "extra_schedule", "string", Schedule, "constant",
            "of the learning rate in the training more: `cosine` falls to 1% of it over all of it, "
            "`warm-up` grows linearly over its first tenth", "extra",
        ),
        Factor(
            "extra_optimizer", "string", Optimizer, None,
            "in the training more", "extra", none="same", **_NO_OPTIMIZER,
        ),
        Factor(
            "extra_weight_decay", "float64", RateOrZero, None,
            "in the training more, decoupled (AdamW), not of biases and batch norm", "extra",
            none="same", **_NO_OPTIMIZER,
        ),
        Factor(
            "extra_optimizer_state", "string", Literal["fresh", "carried-over"], "fresh",
            "at the start of the training more: new, or as float training left it, each average "
            "with its weight", "extra",
        ),
        Factor(
            "extra_batch_norm_frozen", "int32", CountOrZero, None,
            "steps of the training more after which batch normalization uses its moving statistics "
            "and leaves them as they are; 0: from the start", "extra", none="never",
            concerns=models.normalizes, lacking="BatchNormalization layers",
        ),
        Factor(
            "extra_batch_norm_statistics", "string", Literal["moving", "re-estimated"], "moving",
            "of the model that is converted after the training more: their moving averages, or the "
            "mean over all batches of the training data with the final weights", "extra",
            concerns=models.normalizes, lacking="BatchNormalization layers",
        ),
        Factor(
            "extra_augmentation", "string", Switch, "on",
            "augment() and Keras's augmentation layers in the training more", "extra",
            concerns=models.augments, lacking="augmentation",
        ),
        Factor(
            "extra_dropout", "string", Switch, "on",
            "layers that draw while they train, in the training more", "extra",
            concerns=models.drops, lacking="layers that draw",
        ),
        Factor(
            "extra_examples", "int32", Count, None,
            "training examples in the training more, the first of a fixed permutation", "extra",
            none="all",
        ),
        Factor(
            "extra_batch_size", "int32", Count, None,
            "examples in a step of the training more", "extra", none="same",
        ),
        Factor(
            "qat_ranges_start", "string",
            Literal["cold", "calibrated", "calibrated-inference"], "cold",
            "of the observers' ranges in QAT: TFMOT's [-6, 6], or those that calibration examples "
            "take with batch statistics, or with moving ones; `qat-cal` has the second", "qat",
        ),
        Factor(
            "qat_ranges_frozen", "int32", CountOrZero, None,
            "steps of QAT after which observers leave their ranges; 0: from the start; that of the "
            "model's input is left out", "qat", none="never",
        ),
        Factor(
            "qat_ranges_decay", "float64", Share, 0.999,
            "what a step of QAT leaves of an observer's range", "qat",
        ),
        Factor(
            "qat_activations_after", "int32", CountOrZero, 0,
            "steps of QAT before activations are quantized; until then they are observed only",
            "qat",
        ),
        Factor(
            "qat_layers", "string", Literal["all", "first-and-last-float"], "all",
            "that QAT quantizes: all, or all but the first and the last with a kernel", "qat",
        ),
        Factor(
            "qat_granularity", "string", Literal["stock", "depthwise-per-channel"], "stock",
            "of the weights' ranges in QAT: TFMOT's, one for a whole depthwise or dense kernel, or "
            "one for each channel of a depthwise one too", "qat",
            concerns=models.has_depthwise, lacking="depthwise convolutions",
        ),
        Factor(
            "qat_start", "string", Literal["checkpoint", "scratch"], "checkpoint",
            "of QAT: the float model after its budget E, or the initial weights, with as much QAT "
            "by the float recipe before the training more", "qat",
        ),
        Factor(
            "ptq_format", "string",
            Literal["int8", "int8-float-io", "dynamic-range", "int16", "float16"], "int8",
            "what post-training quantization makes: int8 throughout, or with float input and "
            "output; int8 weights in float computation; int16 activations with int8 weights; "
            "float16 weights", "conversion",
        ),
        Factor(
            "ptq_granularity", "string",
            Literal["stock", "dense-per-tensor", "per-tensor"], "stock",
            "of the weights' scales in post-training quantization: per channel; per tensor in "
            "dense layers, as QAT has them; or per tensor in all", "conversion",
        ),
        Factor(
            "calibration_examples", "int32", Count, 200,
            "training examples drawn to calibrate", "calibration",
            **_DRAWN,
        ),
        Factor(
            "calibration_draw", "string", Draw, "random",
            "what is drawn to calibrate: training examples, all alike, of one class only, skewed "
            "(of each class half of the one before), shifted (contrast-3), or with augment() left "
            "on; or uniform noise in their place", "calibration", **_DRAWN,
        ),
        Factor(
            "draw", "int32", CountOrZero, 0,
            "number of the calibration draw: `calibration_draws = n` runs 0 to n - 1, and a seed's "
            "value is the mean over them", "calibration", replicate=True, **_DRAWN,
        ),
        Factor(
            "test_shift", "string", Shift, "none",
            "what is done to the test inputs, and how strongly (Hendrycks & Dietterich 2019)",
            "evaluation", of_test=True,
        ),
        Factor(
            "kernels", "string", Literal["xnnpack", "built-in", "reference"], "xnnpack",
            "that run the file: XNNPACK's where it has one, TFLite's optimized or its reference "
            "ones", "evaluation",
        ),
        Factor(
            "threads", "int32", Count, 1,
            "of the interpreter that runs the file", "evaluation",
        ),
    )
}  # fmt: skip

REPLICATES = frozenset(name for name, factor in FACTORS.items() if factor.replicate)
"""Factors that repeat, within a seed, what it draws."""

COLUMNS = tuple(factor.column for factor in FACTORS.values())


def of_arms(*arms: str, calibrated: bool = False) -> tuple[str, ...]:
    """The names of the factors that reach any of these arms, in the table's order. Which of them a
    model has something for, a study says: Study.reaching.

    calibrated: does calibration reach QAT too, since its ranges may start from there?
    """
    return tuple(name for name in FACTORS if any(_reaches(name, arm, calibrated) for arm in arms))


def _reaches(factor: str, arm: str, calibrated: bool) -> bool:
    row, stage = ARMS[arm], FACTORS[factor].stage
    if factor in row.fixed:
        return False
    return stage in row.stages or (calibrated and stage == "calibration" and "qat" in row.stages)


def by_order(levels: Sequence[Value]) -> list[float] | None:
    """The levels, ascending, where effects are counted by their order: more than FEW_LEVELS, all
    numbers above 0, which have a logarithm. None where each level is counted by itself."""
    numbers = [
        v for v in levels if isinstance(v, int | float) and not isinstance(v, bool) and v > 0
    ]
    return sorted(numbers) if len(numbers) == len(levels) > FEW_LEVELS else None
