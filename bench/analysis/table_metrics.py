"""A column of numbers -> a metric: its unit, its direction, and its values as exact decimals."""

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bench.errors import InputError
from bench.statistics import decimals
from bench.statistics.checks import FloatArray, IntArray

_LOWER = (
    "loss error errors err nll mae mse rmse mape wer cer perplexity ppl latency regret fid brier "
    "ece logloss time seconds ms ns us duration runtime bytes memory"
)
_HIGHER = (
    "accuracy acc acc1 acc5 top1 top5 auc auroc auprc f1 precision recall map bleu rouge reward "
    "throughput r2 iou miou dice psnr ssim"
)
LOWER_IS_BETTER = frozenset(_LOWER.split())
HIGHER_IS_BETTER = frozenset(_HIGHER.split())
_WITHOUT_DIRECTION = frozenset({"score", "metric", "value", "result"})
_ACCURACIES = frozenset({"accuracy", "acc", "acc1", "acc5", "top1", "top5"})
_SPREADS = frozenset({"std", "sd", "sem", "se", "var", "variance", "ci"})
"""Of a metric: neither an accuracy nor better in a direction that its name tells."""
_MOST = 1e150  # whose square is a float
_LARGEST = 2**62  # of whole numbers whose differences fit in 64 bits


@dataclass(frozen=True)
class Metric:
    """unit: pp, or the metric's own name; values: float64 (rows,), nan where missing or infinite;
    whole: int64 (rows,), values in steps of `step`, and exact: bool (rows,), where that is exact;
    lower_is_better: None where neither the name nor the user says it; said: in a few words."""

    unit: str
    values: FloatArray
    whole: IntArray
    exact: NDArray[np.bool_]
    step: float
    lower_is_better: bool | None
    said: str


def is_known(name: str) -> bool:
    """Does the name say that it is a metric?"""
    return bool(_words(name) & (LOWER_IS_BETTER | HIGHER_IS_BETTER | _WITHOUT_DIRECTION))


def is_accuracy(name: str) -> bool:
    words = _words(name)
    return bool(words & _ACCURACIES) and not words & (LOWER_IS_BETTER | _SPREADS)


def of(
    name: str,
    column: pa.ChunkedArray,
    where: str,
    percent: Collection[str] = (),
    lower: Collection[str] = (),
) -> Metric:
    """The metric of a column of numbers (or of yes and no, as 1 and 0).

    percent, lower: names that the user declares to be percentages, and to be better where lower.
    Accuracies between 0 and 1, or between 0 and 100 and none but 0 at most 1, are in percent here,
    their differences in pp. InputError where an accuracy has values of both kinds.
    """
    values, whole, exact, places = _numbers(column, where)
    if (huge := abs(values) > _MOST).any():
        row = int(huge.argmax())
        raise InputError(where, f"{values[row]:g} in row {row + 1}", f"allowed: up to {_MOST:g}")
    direction, how = _direction(name, name in lower)
    scale, unit = 1, name
    if name in percent:
        _refuse_outside(values, where)
        unit, how = "pp", f"percent by --percent, {how}"
    elif is_accuracy(name) and (kind := _kind_of_accuracy(values, where)) is not None:
        scale, unit = (100, "pp") if kind == "fraction" else (1, "pp")
        how = f"{'a fraction' if scale == 100 else 'in percent'}, {how}"
    step = float(f"1e{(2 if scale == 100 else 0) - places}")
    nan = np.where(np.isfinite(values), 0.0, np.nan)
    scaled = np.where(exact, decimals.in_unit(whole, step), scale * values) + nan
    return Metric(unit, scaled, whole, exact, step, direction, how)


def _words(name: str) -> frozenset[str]:
    """The words of a name: valAccuracy, val_accuracy and "Top-1 acc" have accuracy, top1, acc."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    split = re.sub(r"(?i)top[\s_@-]+(\d)", r"top\1", split)
    return frozenset(re.findall(r"[a-z0-9]+", split.lower()))


def _direction(name: str, declared: bool) -> tuple[bool | None, str]:
    if declared:
        return True, "lower is better by --lower-is-better"
    words = _words(name)
    if words & _SPREADS:
        return None, "whether higher or lower is better is not known"
    if words & LOWER_IS_BETTER:
        return True, "lower is better by its name"
    if words & HIGHER_IS_BETTER:
        return False, "higher is better by its name"
    return None, "whether higher or lower is better is not known"


def _numbers(
    column: pa.ChunkedArray, where: str
) -> tuple[FloatArray, IntArray, NDArray[np.bool_], int]:
    """Values with nan for what is missing or infinite, the same as whole multiples of
    10**-places, where these are exact, and the places."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    values = floats(column)
    missing = ~np.isfinite(values)
    values[missing] = np.nan
    if pa.types.is_integer(column.type):
        if (huge := abs(values) >= _LARGEST).any():
            row = int(huge.argmax())
            allowed = "allowed: whole numbers below 2^62, or numbers with a decimal point"
            raise InputError(where, f"{column[row]} in row {row + 1}", allowed)
        column = column.combine_chunks()
        known = pc.fill_null(column, 0) if column.null_count else column
        whole = np.array(known.cast(pa.int64()))
        return values, whole, ~missing, 0
    places = decimals.places(values[~missing])
    if places is None:
        return values, np.zeros(len(values), np.int64), np.zeros(len(values), np.bool_), 0
    whole, exact = decimals.multiples_of(values, places)
    return values, whole, exact, places


def floats(column: pa.ChunkedArray) -> FloatArray:
    """float64 (rows,), nan where missing.

    Single (half) precision that holds decimals of at most 6 (3) digits, such as 0.9027, is read as
    those: so many digits determine the float, and the float them.
    """
    whole = column.cast(pa.float64(), safe=False).combine_chunks()
    if whole.null_count:
        whole = pc.fill_null(whole, np.nan)  # which imports pandas
    wide: FloatArray = np.from_dlpack(whole).astype(np.float64)
    if not (pa.types.is_float32(column.type) or pa.types.is_float16(column.type)):
        return wide
    kind, most = (np.float32, 6) if pa.types.is_float32(column.type) else (np.float16, 3)
    narrow = wide.astype(kind)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        digits = np.floor(np.log10(abs(wide), where=wide != 0, out=np.zeros_like(wide)))
        for places in range(most + 1):
            short = np.rint(wide * 10.0**places) / 10.0**places
            same = (short.astype(kind) == narrow) & (digits + places < most)
            if bool((same | ~np.isfinite(wide)).all()):
                found: FloatArray = np.where(np.isfinite(wide), short, wide)
                return found
    return wide


def _kind_of_accuracy(values: FloatArray, where: str) -> str | None:
    """fraction or percent; None where values lie outside of both."""
    finite = np.isfinite(values)
    low, high = (finite & (values <= 1) & (values != 0)), finite & (values > 1)
    if bool((values[finite] < 0).any() or (values[finite] > 100).any()):
        return None
    if low.any() and high.any():
        one, other = int(low.argmax()), int(high.argmax())
        raise InputError(
            where,
            f"{values[one]:g} in row {one + 1} and {values[other]:g} in row {other + 1}",
            "allowed: fractions or percentages, not both; --percent NAME takes all of them as "
            "percentages",
        )
    return "percent" if high.any() else "fraction"


def _refuse_outside(values: FloatArray, where: str) -> None:
    outside = np.isfinite(values) & ((values < 0) | (values > 100))
    if outside.any():
        row = int(outside.argmax())
        raise InputError(
            where, f"{values[row]:g} in row {row + 1}", "allowed with --percent: 0 to 100"
        )
