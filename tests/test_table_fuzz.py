"""Whatever pandas writes: a report, or one short line; never a traceback.

Tables of ordinary runs with columns, names, indices and formats drawn from all that pandas has.
"""

import random
import warnings
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench import report
from bench.analysis.roles import Declared
from bench.analysis.table import analyze_table
from bench.errors import InputError

Rng = random.Random

COLUMNS: dict[str, Callable[[Rng, int], Any]] = {
    "floats": lambda r, n: [r.gauss(0.9, 0.02) for _ in range(n)],
    "single": lambda r, n: np.array([r.random() for _ in range(n)], np.float32),
    "half": lambda r, n: np.array([r.random() for _ in range(n)], np.float16),
    "nullable": lambda r, n: pd.array([r.choice([0.5, 0.75, None]) for _ in range(n)], "Float64"),
    "whole": lambda r, n: pd.array([r.choice([1, 2, None]) for _ in range(n)], dtype="Int64"),
    "bytes8": lambda r, n: np.array([r.randrange(256) for _ in range(n)], np.uint8),
    "unsigned": lambda r, n: np.array([r.choice([2**64 - 1, 5]) for _ in range(n)], np.uint64),
    "past 2^53": lambda r, n: [2**53 + r.randrange(9) for _ in range(n)],
    "past 2^62": lambda r, n: [r.choice([2**62, -(2**63), 2**63 - 1]) for _ in range(n)],
    "20 digits": lambda r, n: [r.choice([10**19 + 1, 5]) for _ in range(n)],
    "yes or no": lambda r, n: [r.random() < 0.5 for _ in range(n)],
    "maybe": lambda r, n: pd.array([r.choice([True, False, None]) for _ in range(n)], "boolean"),
    "category": lambda r, n: pd.Categorical([r.choice("xy") for _ in range(n)]),
    "category of numbers": lambda r, n: pd.Categorical([r.choice([1.5, 2, None])
                                                        for _ in range(n)]),
    "category of dates": lambda r, n: pd.Categorical(pd.to_datetime(["2024-01-01"] * n)),
    "bins": lambda r, n: pd.cut([r.random() for _ in range(n)], 3),
    "decimals": lambda r, n: [Decimal(r.randrange(9999)).scaleb(-4) for _ in range(n)],
    "lists": lambda r, n: [[1.0] * r.randrange(3) for _ in range(n)],
    "structs": lambda r, n: [{"lr": r.random()} for _ in range(n)],
    "unlike structs": lambda r, n: [{f"k{i}": i} for i in range(n)],
    "dates": lambda r, n: pd.date_range("2024-01-01", periods=n),
    "zoned": lambda r, n: pd.date_range("2024-01-01", periods=n, tz="Europe/Berlin"),
    "spans": lambda r, n: pd.to_timedelta(range(n), unit="s"),
    "months": lambda r, n: pd.period_range("2024-01", periods=n, freq="M"),
    "days": lambda r, n: [date(2024, 1, 1 + i % 20) for i in range(n)],
    "times": lambda r, n: [time(1, 2, i % 60) for i in range(n)],
    "binary": lambda r, n: [b"\xff\x00"] * n,
    "text": lambda r, n: [r.choice(["u", "v", "", None]) for _ in range(n)],
    "ids": lambda r, n: [f"{r.getrandbits(64):x}" for _ in range(n)],
    "mixed": lambda r, n: [r.choice([1, "a", 2.5, None]) for _ in range(n)],
    "numbers as text": lambda r, n: [f"{r.random():.3f}" for _ in range(n)],
    "with a word": lambda r, n: [r.choice(["0.5", "0.75", "n/a"]) for _ in range(n)],
    "nothing": lambda r, n: [None] * n,
    "not numbers": lambda r, n: [np.nan] * n,
    "infinite": lambda r, n: [r.choice([np.inf, -np.inf, 1.0]) for _ in range(n)],
    "tiny": lambda r, n: [r.gauss(1, 0.1) * 1e-300 for _ in range(n)],
    "denormal": lambda r, n: [r.gauss(1, 0.1) * 5e-320 for _ in range(n)],
    "huge": lambda r, n: [r.gauss(1, 0.1) * 1e300 for _ in range(n)],
    "any size": lambda r, n: [r.gauss(1, 0.1) * 10.0 ** r.randrange(-20, 20) for _ in range(n)],
    "constant": lambda r, n: [0.5] * n,
    "zeros": lambda r, n: [r.choice([0.0, -0.0]) for _ in range(n)],
    "sparse": lambda r, n: pd.arrays.SparseArray([r.choice([0, 1.5]) for _ in range(n)]),
    "marks": lambda r, n: [r.choice(["🙂", "{x}", "<b>", "`", "[red]", "a,b", 'q"', "l\nn",
                                     "\x1b[3m", "|", "$x$", "\\"]) for _ in range(n)],
    "shares": lambda r, n: [f"{100 * r.random():.1f}%" for _ in range(n)],
    "arrays": lambda r, n: [np.arange(3.0) for _ in range(n)],
}  # fmt: skip
NAMES = (
    *("acc", "loss", "latency_ms", "score", "f1", "budget", "extra", "dataset", "model", "width"),
    *("lr", "notes", "index", "level_0", "mean", "unit", "contrast", "verdict", "kind", "p"),
    *("learning_rate", "bits", "calibration", "example", "prediction", "label", "", "Unnamed: 0"),
    *("a,b", 'q"q', "<b>", "{x}", "x" * 80, "日本", "$x$", "l\nn", "`t`"),
)
ARMS = (
    *("float", "ptq", "qat", "a", "b", "1", "True", "nan", "{x}", "<b>&", "`q`", "a - b", "a,b"),
    *('q"q', "x" * 60, "日本語", "[red]", "$m$", "-", "_u_*", "🙂", "l\nn", "\x1b[31m", " pad "),
)
SEEDS: dict[str, Callable[[list[int]], Any]] = {
    "whole": lambda s: s,
    "text": lambda s: [str(x) for x in s],
    "float": lambda s: [float(x) for x in s],
    "large": lambda s: [2**62 + x for x in s],
    "category": lambda s: pd.Categorical(s),
    "nullable": lambda s: pd.array(s, dtype="Int64"),
    "date": lambda s: pd.to_datetime(s, unit="D"),
}
FORMATS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "csv": lambda t, p: t.to_csv(p, index=False),
    "csv with its index": lambda t, p: t.to_csv(p),
    "utf-16": lambda t, p: t.to_csv(p, index=False, encoding="utf-16"),
    "cp1252": lambda t, p: t.to_csv(p, index=False, encoding="cp1252", errors="replace"),
    "semicolons": lambda t, p: t.to_csv(p, index=False, sep=";", decimal=","),
    "tabs": lambda t, p: t.to_csv(p, index=False, sep="\t", na_rep="NaN"),
    "gzip": lambda t, p: t.to_csv(p, index=False, compression="gzip"),
    "parquet": lambda t, p: t.to_parquet(p),
    "lines": lambda t, p: t.to_json(p, orient="records", lines=True),
    "columns": lambda t, p: t.to_json(p),
}


def drawn(rng: Rng) -> pd.DataFrame:
    """An ordinary table of 2 to 5 arms, and one to three columns of anything."""
    arms = rng.sample(ARMS, rng.choice([2, 2, 2, 3, 5]))
    places = range(rng.choice([1, 1, 1, 2]))
    rows = [(g, s, a) for g in places for a in arms for s in range(rng.choice([2, 6, 8]))]
    if rng.random() < 0.3:
        rng.shuffle(rows)
    rows = rows[: len(rows) - (rng.random() < 0.15)]
    seeds = SEEDS[rng.choice(["whole"] * 6 + list(SEEDS))]([s for _, s, _ in rows])
    table = pd.DataFrame({"seed": seeds, "arm": [a for _, _, a in rows]})
    if rng.random() < 0.1:
        table["arm"] = table["arm"].astype("category")
    table["accuracy"] = [round(rng.gauss(0.9, 0.01), 4) for _ in rows]
    if len(places) > 1:
        table[rng.choice(["budget", "dataset"])] = [g + 1 for g, _, _ in rows]
    for _ in range(rng.choice([1, 1, 2, 3])):
        kind = rng.choice(list(COLUMNS))
        name = rng.choice(NAMES) if rng.random() < 0.4 else kind
        table[name] = COLUMNS[kind](rng, len(rows))
    index = rng.random()
    if index < 0.1:
        table = table.set_index(["seed", "arm"]).reset_index(drop=index < 0.02)
    elif index < 0.15:
        table.columns = pd.MultiIndex.from_tuples([(name, "") for name in table.columns])
    elif index < 0.2:
        table = pd.concat([table, table[table.columns[-1:]]], axis=1)  # a name twice
    return table


def options(rng: Rng, names: list[str]) -> dict[str, Any]:
    kind, name = rng.random(), rng.choice(names)
    if kind < 0.1:
        return {"delta": rng.choice([1.0, 1e-9, 1e9])}
    if kind < 0.4:
        return {"declared": Declared(metrics=["accuracy"], ignore=names[3:])}
    if kind < 0.6:
        return {"declared": Declared(**{rng.choice(["metrics", "factors", "ignore"]): [name]})}
    return {}


def try_one(seed: int, folder: Path, whole: bool) -> str:
    """reported, refused, unwritable (by pandas), or an error that is no short line."""
    rng = Rng(seed)
    path = folder / "table"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            table = drawn(rng)
            FORMATS[rng.choice(list(FORMATS))](table, path)
        except Exception:  # not ours
            return "unwritable"
    how = options(rng, [str(name) for name in table.columns])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            if whole:
                report.write_table(path, folder / "out", **how)
            else:
                assert analyze_table(path, **how).rows
        except InputError as error:
            return "refused" if "\n" not in str(error) and len(str(error)) < 700 else str(error)
    return "reported"


@pytest.mark.parametrize("block", range(4))
def test_a_result_or_one_line(tmp_path: Path, block: int):
    seeds = range(60 * block, 60 * (block + 1))
    outcomes = [try_one(seed, tmp_path, whole=seed % 8 == 0) for seed in seeds]
    assert set(outcomes) <= {"reported", "refused", "unwritable"}
    assert outcomes.count("reported") >= 10
    assert outcomes.count("refused") >= 10


@pytest.mark.faults
def test_a_result_or_one_line_many_times(tmp_path: Path):
    outcomes = [try_one(seed, tmp_path, whole=seed % 4 == 0) for seed in range(1000, 4000)]
    assert set(outcomes) == {"reported", "refused", "unwritable"}
    assert outcomes.count("reported") > 600
