"""Somebody's own results as a long table (CSV or Parquet) -> an analysis, by the same statistics.

Columns: `seed`, `arm`, one or more metrics (numbers); optionally `dataset`, `model`, `budget`,
`extra` and factors: text, or numbers that are declared. The order of rows changes no number.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from bench.analysis import Analysis, Checks, analyze_samples
from bench.analysis.columns import Columns
from bench.errors import InputError, nearest
from bench.study import Study
from bench.study.arms import ARMS, CONTRASTS, PRIMARY, Contrast

MOST_CONTRASTS = 20_000
"""More than anybody can read, and every one of them is tested."""


def analyze_table(
    table: Path,
    *,
    factors: Sequence[str] = (),
    contrasts: Sequence[str] | None = None,
    delta: float | None = None,
    alpha: float = 0.05,
) -> Analysis:
    """The analysis of a long table.

    factors: columns of numbers that are factors, not metrics; contrasts: `a - b`, all primary
    (default: those of study.arms where all arms are its, else every pair once, later minus earlier
    by first appearance); delta: the smallest difference that matters, in the reported unit
    (default: 0.5 for accuracies, none for anything else). Raises InputError naming file, column
    and row.
    """
    if not 0 < alpha < 1:
        raise InputError("--alpha", str(alpha), "allowed: between 0 and 1, both excluded")
    if delta is not None and not 0 < delta < np.inf:
        raise InputError("--delta", str(delta), "allowed: greater than 0")
    columns = Columns.of(_read(table), str(table), factors)
    of_arms = [str(arm) for arm in columns.arm.values]
    if len(of_arms) < 2:
        raise InputError(f"{table}, arm", f"only {of_arms[0]!r}", "allowed: at least two arms")
    chosen, primary = _contrasts(of_arms, contrasts)
    samples = tuple(columns.samples())
    settings = len({replace(s.setting, extra=None) for s in samples})
    if len(chosen) * settings * len(columns.metrics) > MOST_CONTRASTS:
        raise InputError(
            str(table),
            f"{len(chosen):,} contrasts at {settings:,} settings for "
            f"{len(columns.metrics)} metrics",
            f"allowed: at most {MOST_CONTRASTS:,} in all; choose some with --contrasts",
        )
    analysis = analyze_samples(
        samples,
        chosen,
        primary=primary,
        title=f"Results of {table.name}",
        alpha=alpha,
        deltas=_deltas(columns, delta),
    )
    if not analysis.comparisons:
        raise InputError(
            str(table),
            "no setting holds both arms of any contrast; a setting is a combination of "
            f"{', '.join(columns.setting_names) or 'nothing'}",
            "allowed: arms that share settings (every text column is a factor)",
        )
    planned = sum(len(s.planned) for s in samples)
    with_result = sum(len(s.seeds) for s in samples)
    return replace(analysis, checks=Checks(planned=planned, with_result=with_result))


def _contrasts(
    arms: Sequence[str], chosen: Sequence[str] | None
) -> tuple[tuple[Contrast, ...], tuple[str, ...]]:
    """The contrasts and the names of the primary ones among them."""
    if chosen is not None:
        by_name = {f"{a} - {b}": Contrast(a, b, "") for a in arms for b in arms if a != b}
        by_name |= {name: c for name, c in CONTRASTS.items() if name in by_name}
        names = [part.strip() for text in chosen for part in text.split(",") if part.strip()]
        for name in names:
            if name not in by_name:
                raise InputError("--contrasts", f"no contrast {name!r}", nearest(name, by_name))
        if not names:
            raise InputError("--contrasts", "none", "allowed: 'arm - arm', separated by commas")
        return tuple(by_name[name] for name in dict.fromkeys(names)), tuple(names)
    if set(arms) <= set(ARMS):
        shared = tuple(c for c in CONTRASTS.values() if {c.a, c.b} <= set(arms))
        if shared:
            return shared, tuple(c.name for c in shared if c.name in PRIMARY)
    pairs = tuple(Contrast(later, earlier, "") for earlier, later in combinations(arms, 2))
    return pairs, tuple(c.name for c in pairs)


def _deltas(columns: "Columns", delta: float | None) -> dict[str, float | None]:
    """delta in one unit cannot hold for metrics of another: it is that of the accuracies, or of
    the only metric."""
    accuracies = [name for name, metric in columns.metrics.items() if metric.unit == "pp"]
    default = Study.model_fields["delta"].default
    if accuracies:
        return dict.fromkeys(accuracies, default if delta is None else delta)
    if delta is not None and len(columns.metrics) > 1:
        raise InputError(
            "--delta",
            f"{delta:g} for {', '.join(columns.metrics)}",
            "allowed: with one metric, or with accuracies (whose difference is in pp)",
        )
    return dict.fromkeys(columns.metrics, delta)


def _read(path: Path) -> pa.Table:
    if not path.is_file():
        raise InputError(str(path), "no such file", "allowed: a CSV or Parquet file")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            with pq.ParquetFile(path) as file:
                table = file.read()
        else:
            table = pyarrow.csv.read_csv(path)
    except (pa.ArrowInvalid, OSError, ValueError) as error:
        raise InputError(str(path), str(error), "allowed: a CSV or Parquet file") from None
    names = [name.strip() for name in table.column_names]
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise InputError(str(path), f"two columns {twice[0]!r}", "allowed: each name once")
    table = table.rename_columns(names)
    for name in ("seed", "arm"):
        if name not in names:
            hint, _, found = nearest(name, names).partition("allowed: ")
            raise InputError(
                str(path),
                f"no column {name!r}",
                f"{hint}allowed: seed, arm and one or more metrics (found: {found})",
            )
    if table.num_rows == 0:
        raise InputError(str(path), "no rows", "allowed: one row per seed and arm")
    return table
