"""Reading results from Python: a result folder as pandas frames and arrays, verdicts of any frame.

    from bench import results
    loaded = results.load("results/digits")
    loaded.contrasts.query("family == 'primary'")[["contrast", "budget", "mean", "verdict"]]

The only place that imports pandas. Neither TensorFlow nor Ray is needed, nor anybody's own model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from bench import analysis
from bench.analysis import table
from bench.analysis.roles import Declared
from bench.analysis.samples import StudyRows
from bench.errors import InputError, nearest
from bench.store import folder
from bench.study import Study

NOT_SHOWN = ("predictions", "metrics", "values")
"""Columns of cells that are no numbers: predictions have their own place, metrics are columns."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one arm's models answered at one setting.

    setting: dataset, model, factors, budget and extra, of those that reach the arm; seeds: int64
    (seeds,), ascending; array: int (seeds, examples), a class each, in the order of `labels`.
    """

    arm: str
    setting: Mapping[str, Any]
    seeds: np.ndarray
    array: np.ndarray


class Results:
    """A result folder.

    study: as run; labels: a row for each test example (dataset, example, label, and group, missing
    where there is none); cells, contrasts: see there; predictions: a method.
    """

    def __init__(self, read: folder.Results) -> None:
        self._read = read

    @property
    def study(self) -> Study:
        return self._read.study

    @cached_property
    def cells(self) -> pd.DataFrame:
        """A row for each evaluated model that the study names, with the columns of
        bench/store/schema.py; accuracies are shares. Metrics beside these have columns of their
        names."""
        rows = sorted(
            row for by_seed in self._rows.at.values() for row in by_seed.values() if row is not None
        )
        whole = self._read.cells.take(rows)
        names = [name for name in whole.column_names if name not in NOT_SHOWN]
        frame = whole.select(names).to_pandas()
        if "metrics" in whole.column_names:
            found = [dict(each or ()) for each in whole["metrics"].to_pylist()]
            for name in dict.fromkeys(name for each in found for name in each):
                if name not in frame:
                    frame[name] = [each.get(name) for each in found]
        return frame

    @cached_property
    def contrasts(self) -> pd.DataFrame:
        """A row for each contrast, effect and overall effect at each setting, as `analyze` would
        write contrasts.parquet now. Differences are in the column `unit`."""
        return _frame(analysis.analyze(self._read))

    @cached_property
    def labels(self) -> pd.DataFrame:
        parts = []
        for dataset, labels in self._read.labels.items():
            groups = self._read.groups.get(dataset)
            columns = {"dataset": dataset, "example": np.arange(len(labels)), "label": labels}
            parts.append(pd.DataFrame(columns | {"group": groups}))
        return pd.concat(parts, ignore_index=True)

    def predictions(self, arm: str, **setting: Any) -> Predictions:
        """Of one arm at one setting: `predictions("qat", budget=4, batch_norm_momentum=0.9)`.

        setting: values of dataset, model, budget, extra and factors; what does not vary may be left
        out. Raises InputError naming what would have to be said, or what there is.
        """
        of_arm = [(s.fields(), rows) for (s, a), rows in self._rows.at.items() if a == arm]
        if not of_arm:
            arms = list(dict.fromkeys(a for _, a in self._rows.at))
            raise InputError("arm", f"no arm {arm!r}", nearest(arm, arms))
        for name, value in setting.items():
            values = list(dict.fromkeys(fields.get(name) for fields, _ in of_arm))
            if not any(name in fields for fields, _ in of_arm):
                known = list(dict.fromkeys(name for fields, _ in of_arm for name in fields))
                raise InputError(name, f"no field of {arm}", nearest(name, known))
            if value not in values:
                raise InputError(name, f"found {value!r}", f"allowed: {_listed(values)}")
        wanted = setting.items()
        left = [each for each in of_arm if all(each[0].get(n) == v for n, v in wanted)]
        if not left:
            raise InputError("setting", f"{arm} is at no such setting", "allowed: see `cells`")
        for name in left[0][0]:
            values = list(dict.fromkeys(fields.get(name) for fields, _ in left))
            if len(values) > 1:
                raise InputError(
                    name, f"{len(values)} values at which {arm} is", f"allowed: {_listed(values)}"
                )
        fields, by_seed = left[0]
        return self._predictions(arm, fields, by_seed)

    def _predictions(
        self, arm: str, fields: Mapping[str, Any], by_seed: Mapping[int, int | None]
    ) -> Predictions:
        n = len(self._read.labels[fields["dataset"]])
        column = self._read.cells["predictions"]
        answers: dict[int, np.ndarray] = {}
        for seed, row in sorted(by_seed.items()):
            content = None if row is None else column[row].as_py()
            if content:
                dtype = np.dtype("u1" if len(content) == n else "<u2")
                answers[seed] = np.frombuffer(content, dtype).astype(np.int64)
        array = np.stack(list(answers.values())) if answers else np.empty((0, n), np.int64)
        return Predictions(arm, dict(fields), np.array(list(answers), np.int64), array)

    @cached_property
    def _rows(self) -> StudyRows:
        return StudyRows(self._read)


def load(path: str | PathLike[str]) -> Results:
    """A folder that `run` wrote. Raises InputError naming the file that is missing or damaged."""
    return Results(folder.read(Path(path)))


def analyze(
    frame: pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    metrics: Sequence[str] | None = None,
    factors: Sequence[str] = (),
    ignore: Sequence[str] = (),
    percent: Sequence[str] = (),
    lower_is_better: Sequence[str] = (),
    contrasts: Sequence[str] | None = None,
    delta: float | None = None,
    alpha: float = 0.05,
    wide: bool = False,
) -> pd.DataFrame:
    """The verdicts of a long table: seed, arm, metrics, and what else varies, as in docs/tables.md;
    the keywords are the options of `ptq-vs-qat analyze TABLE`.

    Returns a row for each contrast at each setting, with the columns of contrasts.parquet that say
    something here. Raises InputError naming column and row, and the option that decides.
    """
    try:
        rows = pa.Table.from_pandas(_without_index(frame), preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError("frame", reason, "allowed: columns of one kind each") from None
    declared = Declared(metrics, factors, ignore, percent, lower_is_better)
    made = table.analyze_table(
        Path("frame"), frame=rows, declared=declared, columns=columns, contrasts=contrasts,
        delta=delta, alpha=alpha, wide=wide,
    )  # fmt: skip
    return _frame(made).dropna(axis="columns", how="all")


def _without_index(frame: pd.DataFrame) -> pd.DataFrame:
    """With the named levels of its index as columns; numbers of rows are none."""
    named = [name for name in frame.index.names if name is not None]
    return frame.reset_index(named) if named else frame


def _frame(made: analysis.Analysis) -> pd.DataFrame:
    return pd.DataFrame(made.rows)


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(repr, values[:20])) + (", ..." if len(values) > 20 else "")
