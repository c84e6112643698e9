"""Columns of the product's tables: names, types, units. Read by both halves."""

from typing import Literal

from bench.study.factors import COLUMNS as FACTORS
from bench.study.factors import Column

Status = Literal["ok", "diverged", "unsupported", "failed", "timeout"]

RESULTS: frozenset[str] = frozenset({"ok", "diverged", "unsupported"})
"""Statuses that count as a cell's result; a cell of any other status runs again."""

EVALUATED: frozenset[str] = frozenset({"ok", "diverged"})
"""Statuses of cells that have predictions. A diverged model is a result and stays in."""

FILE = "file"
"""What a row may carry beside its columns, from a worker to the driver: the TFLite file."""

LOG = "log"
"""The same of what somebody's program printed."""

OWN_FACTORS = Column(
    "own_factors", "string", "JSON: levels of factors that only this pipeline has, or null"
)

UNITS = (
    Column("budget_unit", "string", "epochs or steps; null of a pipeline's own number"),
    Column("extra_unit", "string", "epochs or steps; null where `extra` is, and as budget_unit"),
)

PLAN = (
    Column("cell", "string", "identity: a hash of all that determines the result"),
    Column("dataset", "string", "name"),
    Column("model", "string", "name"),
    Column("seed", "int64", "replicate"),
    Column("budget", "int32", "E, in budget_unit: how long float training was"),
    Column("arm", "string", "name in bench.study.arms"),
    Column("extra", "int32", "k more, in extra_unit; null for float and ptq"),
    *UNITS,
    *FACTORS,
    OWN_FACTORS,
)

CELLS = (
    *PLAN,
    Column("status", "string", "ok, diverged, unsupported, failed or timeout"),
    Column("error", "string", "why not ok; null where ok"),
    Column("n", "int32", "test examples"),
    Column("correct", "int32", "test examples classified correctly"),
    Column("accuracy", "float64", "fraction of test examples classified correctly"),
    Column("loss", "float64", "mean cross-entropy on the test set, nats"),
    Column(
        "train_accuracy",
        "float64",
        "fraction, on the first min(n, n_train, 1000) train examples",
    ),
    Column("predictions", "binary", "one uint8 (uint16 from 257 classes) per test example"),
    Column("metrics", "map[string,float64]", "metric -> value, as metrics.json's `scale` expects"),
    Column(
        "values",
        "map[string,binary]",
        "metric -> one little-endian float32 per test example, whose mean it is; without those "
        "that predictions or a number alone say",
    ),
    Column(
        "epochs",
        "int32",
        "epochs behind the model, of E and of k; null where either ends within one, and of a "
        "pipeline of somebody's own",
    ),
    Column("steps", "int64", "optimizer steps behind the model"),
    Column("examples_seen", "int64", "training examples behind the model, repeats counted"),
    Column("bytes", "int64", "size of the TFLite file"),
    Column("sha256", "string", "of the TFLite file"),
    Column("number_format", "string", "as audited by pipelines.audit: float32, int8, mixed ..."),
    Column(
        "granularity",
        "string",
        "scales of quantized weights by operator kind: per channel, per tensor or mixed",
    ),
    Column("int8_ops", "int32", "operators whose inputs and outputs are integers"),
    Column("float_ops", "int32", "operators with a float input or output"),
    Column("int8_tensors", "int32", "int8 tensors in the file"),
    Column("float_tensors", "int32", "float tensors in the file"),
    Column("requantizations", "int32", "operators that only turn one integer scale into another"),
    Column("outputs_at_limit", "int32", "test examples with an output at the limit of its type"),
    Column("clipped_inputs", "float64", "share of the test inputs that the input cannot hold"),
    Column(
        "layers",
        "map[string,float64]",
        "`layer / number` -> value, for the first seeds of a setting (layers.parquet)",
    ),
    Column("layers_error", "string", "why looking into the layers failed; null where it did not"),
    Column(
        "keras_flips", "int32", "test examples that Keras, fake-quantized, classifies otherwise"
    ),
    Column("keras_flips_tied", "int32", "of these, those with two highest outputs that are equal"),
    Column("route", "string", "frozen graph, or the stock conversion and why"),
    Column("ties", "int32", "test examples whose two highest outputs are equal"),
    Column(
        "disagreements",
        "int32",
        "of arm float: test examples where Keras and the file differ, no ties",
    ),
    Column(
        "kernel_flips",
        "int32",
        "test examples classified otherwise than by XNNPACK on one thread; null there",
    ),
    Column(
        "kernel_outputs",
        "int32",
        "test examples whose largest output is more than a step away from XNNPACK's; null for "
        "float outputs and there",
    ),
    Column("not_finite", "int32", "test examples with outputs that are not finite"),
    Column(
        "batch_norm_start_left",
        "float64",
        "fraction of batch norm's start left in its averages: the largest momentum ** steps; null "
        "without such layers",
    ),
    Column("range_start_left", "float64", "fraction of the observers' start value left after QAT"),
    Column("train_s", "float64", "seconds of training for this cell beyond what it shares"),
    Column("convert_s", "float64", "seconds"),
    Column("eval_s", "float64", "seconds"),
    Column(
        "latency_us",
        "float64",
        "median microseconds of the interpreter for one test example alone, on this CPU beside "
        "whatever else ran there",
    ),
    Column("node", "string", "which node of the cluster, shortened id"),
    Column("cpu", "string", "CPU model"),
    Column("versions", "string", "key into environment.json"),
    Column("finished_at", "timestamp[us, tz=UTC]", "when the cell ended"),
    Column("package", "string", "hash of this package's sources that computed it"),
)

LOOKS = (
    Column("contrast", "string", "arm minus arm"),
    Column("dataset", "string", "name"),
    Column("model", "string", "name"),
    *FACTORS,
    OWN_FACTORS,
    Column("budget", "int32", "E, in the study's budget_unit"),
    Column("extra", "int32", "k more, in the study's extra_unit; null where neither arm has any"),
    Column("look", "int32", "which look at the data, from 1"),
    Column("planned_seeds", "int32", "how many seeds the look was planned to see"),
    Column("seeds", "list[int64]", "the seeds that it saw"),
    Column("at", "timestamp[us, tz=UTC]", "when"),
)

CONTRASTS = (
    Column("kind", "string", "contrast, interaction, slope, effect or overall"),
    Column("dataset", "string", "name"),
    Column("model", "string", "name"),
    *FACTORS,
    Column(
        "budget", "int32", "E, in the study's budget_unit; null for interaction, slope and effect"
    ),
    Column("extra", "int32", "k more, in the study's extra_unit; null where neither arm has any"),
    Column("factor", "string", "what changes; of contrasts null"),
    Column("level", "string", "of the factor, minus `reference`; null for slopes"),
    Column("reference", "string", "the level that the change is counted from; null for slopes"),
    Column("contrast", "string", "arm minus arm; of an effect on one arm alone, that arm"),
    Column("metric", "string", "what is compared"),
    Column("unit", "string", "of mean, sd and intervals: pp for accuracies"),
    Column("population", "string", "seeds, or seeds+examples"),
    Column("n_seeds", "int32", "pairs"),
    Column("mean", "float64", "mean paired difference"),
    Column("sd", "float64", "SD of the paired differences over seeds"),
    Column("ci_low", "float64", "pointwise interval at 1 - alpha"),
    Column("ci_high", "float64", "pointwise interval at 1 - alpha"),
    Column("ci_low_simultaneous", "float64", "the family's interval"),
    Column("ci_high_simultaneous", "float64", "the family's interval"),
    Column("t", "float64", "paired t statistic; null where sd = 0"),
    Column("df", "float64", "degrees of freedom"),
    Column("p", "float64", "paired t-test, two-sided"),
    Column("p_signflip", "float64", "exact sign-flip test of the mean, two-sided"),
    Column("p_wilcoxon", "float64", "Wilcoxon's signed ranks, exact, zeros dropped, two-sided"),
    Column("family", "string", "primary, interaction, overall or exploratory"),
    Column("p_adjusted", "float64", "Benjamini-Hochberg (exploratory), or Holm (the others)"),
    Column("p_equivalence", "float64", "TOST: the larger one-sided p"),
    Column("p_equivalence_adjusted", "float64", "in the same family by the same method"),
    Column("verdict", "string", "of statistics"),
    Column("n_draws", "int32", "calibration draws of each seed; null where it has one"),
    Column("sd_draw", "float64", "SD over calibration draws of one seed, nested mean squares"),
    Column("sd_seed", "float64", "SD over seeds, the draws' part left out"),
    Column("dz", "float64", "mean / sd"),
    Column("gz", "float64", "Hedges' correction of dz; null at 2 seeds"),
    Column("win_rate", "float64", "share of seeds in which a is above b, ties half, 0 to 1"),
    Column("churn_fixed", "float64", "share of test examples wrong in b and right in a, 0 to 1"),
    Column("churn_broken", "float64", "share of test examples right in b and wrong in a, 0 to 1"),
    Column("seeds_needed", "int64", "to detect a true difference of delta with 80% power"),
    Column("seeds_needed_equivalence", "int64", "to show equivalence if the true difference is 0"),
    Column("half_width_examples", "float64", "half-width that infinitely many seeds would leave"),
    Column("worst_low", "float64", "least mean over all planned seeds, whatever the missing give"),
    Column("worst_high", "float64", "greatest such mean; both null where no cell is missing"),
)
