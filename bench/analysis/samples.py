"""Cells -> samples: the rows that the study names, by setting, arm and seed, and checks of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import datasets
from bench.analysis.records import (
    DISAGREEING,
    Checks,
    Disagreement,
    Sample,
    Setting,
    Value,
    WrongFormat,
)
from bench.errors import InputError
from bench.plan.cells import cells
from bench.store.folder import Results
from bench.store.schema import EVALUATED, RESULTS
from bench.study import Study
from bench.study.arms import ARMS
from bench.study.factors import FACTOR_NAMES


class StudyRows:
    """The rows of the cells table that the study names, by setting, arm and seed."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.study = _with_seeds_added(results)
        self.labels = {datasets.label(name): name for name in self.study.datasets}
        self.cells = results.cells
        self.columns = {
            name: self.cells[name].to_pylist()
            for name in (
                *("cell", "dataset", "model", "seed", "budget", "arm", "extra", *FACTOR_NAMES),
                *("status", "number_format", "disagreements", "n", "cpu", "versions"),
            )
        }
        self.at = self._index()

    def _groups(self) -> Iterator[tuple[Setting, str]]:
        """Every arm at every setting that the study plans, in the study's order."""
        study = self.study
        factors = [
            tuple(zip(FACTOR_NAMES, values, strict=True))
            for values in product(*(getattr(study, name) for name in FACTOR_NAMES))
        ]
        grid = product(self.labels, study.models, factors, study.budgets, study.arms)
        for dataset, model, factor, budget, arm in grid:
            for extra in study.extra if ARMS[arm].extra else (None,):
                yield Setting(dataset, model, factor, budget, extra), arm

    def _index(self) -> dict[tuple[Setting, str], dict[int, int]]:
        """(setting, arm) -> seed -> row, for planned groups and seeds."""
        at: dict[tuple[Setting, str], dict[int, int]] = {key: {} for key in self._groups()}
        seeds = set(self.study.seeds)
        c = self.columns
        factors = zip(*(c[name] for name in FACTOR_NAMES), strict=True)
        identity = zip(
            c["dataset"], c["model"], factors, c["budget"], c["arm"], c["extra"], c["seed"],
            strict=True,
        )  # fmt: skip
        settings: dict[tuple[Any, ...], tuple[Setting, str]] = {}
        named: frozenset[str] | None = None
        for row, (dataset, model, values, budget, arm, extra, seed) in enumerate(identity):
            plain = (dataset, model, values, budget, arm, extra)
            if plain not in settings:
                factor = tuple(zip(FACTOR_NAMES, values, strict=True))
                settings[plain] = (Setting(dataset, model, factor, budget, extra), arm)
            by_seed = at.get(settings[plain])
            if by_seed is None or seed not in seeds:
                continue
            if seed in by_seed:
                named = self._named_cells() if named is None else named
                by_seed[seed] = self._the_named_one(by_seed[seed], row, named)
            else:
                by_seed[seed] = row
        return at

    def _named_cells(self) -> frozenset[str]:
        """Identities of the study's cells; empty where the data are not here to identify them."""
        try:
            return frozenset(cell.id for cell in cells(self.study))
        except (InputError, OSError):
            return frozenset()

    def _the_named_one(self, first: int, second: int, named: frozenset[str]) -> int:
        """Which of two rows with equal settings is the study's: they differ in what has no column
        (pinned streams, the data behind a folder's name, an earlier recipe)."""
        cells = self.columns["cell"]
        candidates = [row for row in (first, second) if cells[row] in named]
        if len(candidates) != 1:
            raise InputError(
                "cells",
                f"{cells[first]} and {cells[second]} are the same arm, setting and seed",
                "allowed: one result of each; analyze them in folders of their own",
            )
        return candidates[0]

    def _planned(self, there: int) -> tuple[int, ...]:
        """The seeds that an arm should have at a setting where `there` seeds have a row: all, or
        in a sequential study those up to the look that is under way."""
        study = self.study
        if study.sequential is None:
            return tuple(sorted(study.seeds))
        look = study.sequential.look_after(max(there - 1, 0)) or there
        return tuple(sorted(study.with_seeds(look).seeds))

    def samples(self) -> Iterator[Sample]:
        c = self.columns
        for (setting, arm), by_seed in self.at.items():
            planned = self._planned(len(by_seed))
            statuses = Counter(c["status"][row] for row in by_seed.values())
            if missing := len(planned) - len(by_seed):
                statuses["missing"] = missing
            seeds = tuple(s for s in sorted(by_seed) if c["status"][by_seed[s]] in EVALUATED)
            rows = [by_seed[seed] for seed in seeds]
            correct = self._correct(str(setting.dataset), rows)
            yield Sample(
                setting=setting,
                arm=arm,
                metric="accuracy",
                unit="pp",
                planned=planned,
                statuses=dict(statuses),
                seeds=seeds,
                values=100 * correct.sum(axis=1, dtype=np.int64) / correct.shape[1],
                correct=correct,
                machines=tuple((c["cpu"][row], c["versions"][row]) for row in rows),
            )

    def _correct(self, dataset: str, rows: Sequence[int]) -> NDArray[np.bool_]:
        """bool (rows, examples): predictions equal to labels."""
        labels = self.results.labels.get(dataset)
        if labels is None:
            if not rows:
                return np.empty((0, 1), dtype=np.bool_)
            raise InputError("labels.parquet", f"no labels of {dataset!r}", "allowed: those of run")
        n = len(labels)
        column = self.cells["predictions"]
        correct = np.empty((len(rows), n), dtype=np.bool_)
        for at, row in enumerate(rows):
            buffer = column[row].as_buffer()
            size = 0 if buffer is None else buffer.size
            if size not in (n, 2 * n):
                raise InputError(
                    f"cells, {self.columns['cell'][row]}, predictions",
                    f"{size} bytes for {n} labels of {dataset!r}",
                    f"allowed: {n} (uint8) or {2 * n} (uint16)",
                )
            predictions = np.frombuffer(buffer, np.uint8 if size == n else np.dtype("<u2"))
            np.equal(predictions, labels, out=correct[at])
        return correct

    def checks(self) -> Checks:
        c = self.columns
        with_result = 0
        disagreements: list[Disagreement] = []
        formats: Counter[tuple[str, str]] = Counter()
        machines: dict[tuple[Any, ...], set[tuple[Value, Value]]] = {}
        for (setting, arm), by_seed in self.at.items():
            for seed, row in by_seed.items():
                with_result += c["status"][row] in RESULTS
                if c["status"][row] not in EVALUATED:
                    continue
                claimed, found = ARMS[arm].number_format, c["number_format"][row]
                if found is not None and found != claimed:
                    formats[arm, found] += 1
                differ, n = c["disagreements"][row], c["n"][row]
                if claimed == "float32" and differ is not None and differ > DISAGREEING * n:
                    disagreements.append(Disagreement(setting, seed, differ, n))
                place = (setting.dataset, setting.model, setting.factors, seed)
                machines.setdefault(place, set()).add((c["cpu"][row], c["versions"][row]))
        return Checks(
            planned=sum(len(self._planned(len(by_seed))) for by_seed in self.at.values()),
            with_result=with_result,
            disagreements=tuple(disagreements),
            wrong_formats=tuple(
                WrongFormat(arm, ARMS[arm].number_format, found, cells)
                for (arm, found), cells in sorted(formats.items())
            ),
            mixed_seeds=tuple(sorted({place[-1] for place, on in machines.items() if len(on) > 1})),
            ignored_files=self.results.ignored,
        )


def _with_seeds_added(results: Results) -> Study:
    """The study with the seeds that looks have added: without a declared maximum study.toml has
    those of the start."""
    study = results.study
    if study.sequential is None or study.sequential.every is None:
        return study
    latest = max(results.cells["seed"].to_pylist(), default=0)
    added = max(latest - max(study.seeds), 0)
    return study.with_seeds(max(len(study.seeds) + added, study.sequential.looks[0]))
