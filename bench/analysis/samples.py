"""Cells -> samples: the rows that the plan names, by setting, arm and seed, and checks of them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bench.analysis import costs
from bench.analysis.belief import Baselines, FloatCheck, judged
from bench.analysis.draws import averaged
from bench.analysis.inside import Inside, left_out, mean, most
from bench.analysis.measured import MeasuredRows
from bench.analysis.outcome import Checks, Disagreement, WrongFormat
from bench.analysis.records import DISAGREEING, Sample, Setting, Value
from bench.errors import InputError
from bench.metrics import Metric
from bench.store.results import Results
from bench.store.schema import EVALUATED, RESULTS
from bench.study import Study, designs
from bench.study.arms import ARMS
from bench.study.effective import number_format
from bench.study.factors import FACTORS

Place = tuple[Setting, str]
"""A setting, and an arm at it."""

AUDITED = ("granularity", "range_start_left", "steps")
"""Columns of a row that say what a file is beside its number format, and how it came about."""

_USED = (
    *("cell", "status", "number_format", "disagreements", "n", "cpu", "versions", "not_finite"),
    *("accuracy", "batch_norm_start_left", "error"),
    *("outputs_at_limit", "clipped_inputs", "float_ops", "requantizations", "ties", "layers"),
    *("keras_flips", "keras_flips_tied", "kernel_flips", "kernel_outputs", "layers_error"),
)


class StudyRows:
    """The rows of the cells that were planned, by place and seed.

    at: place -> seed -> the row of the cells table, None where the cell has none.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self.cells = results.cells
        self._measured = MeasuredRows(results.cells, results.labels, results.spill)
        self.columns: dict[str, list[Any]] = {
            name: self.cells[name].to_pylist()
            for name in (*_USED, *AUDITED)
            if name in self.cells.column_names
        }
        if results.plan is not None:
            self.study = _with_seeds_of(results.study, set(results.plan["seed"].to_pylist()))
            self.at = self._as_planned(results.plan)
        else:
            self.study = _with_seeds_of(results.study, set(self.cells["seed"].to_pylist()))
            self.at = self._by_columns()

    def _as_planned(self, plan: Any) -> dict[Place, dict[int, int | None]]:
        """The plan's cells, by id: nothing else that lies in the folder counts."""
        row_of = {cell: row for row, cell in enumerate(self.columns["cell"])}
        at: dict[Place, dict[int, int | None]] = {}
        for cell, place, seed in _places(plan, self.study):
            at.setdefault(place, {})[seed] = row_of.get(cell)
        return at

    def _by_columns(self) -> dict[Place, dict[int, int | None]]:
        """In a folder without a plan, of an older version: the rows whose columns are those of a
        cell of the study."""
        at: dict[Place, dict[int, int | None]] = {place: {} for place in _grid(self.study)}
        seeds = set(self.study.seeds)
        for row, (cell, place, seed) in enumerate(_places(self.cells, self.study)):
            by_seed = at.get(place)
            if by_seed is None or seed not in seeds:
                continue
            if (other := by_seed.get(seed)) is not None:
                raise InputError(
                    "cells",
                    f"{self.columns['cell'][other]} and {cell} are the same arm, setting and seed",
                    "allowed: one result of each; analyze them in folders of their own",
                )
            by_seed[seed] = row
        for by_seed in at.values():
            there = len(by_seed)
            for seed in _planned(self.study, there):
                by_seed.setdefault(seed, None)
        return at

    def samples(self) -> Iterator[Sample]:
        """Every arm at every setting by every metric; of several calibration draws their mean."""
        yield from averaged(self._of_draws())

    def _of_draws(self) -> Iterator[Sample]:
        c = self.columns
        for (setting, arm), by_seed in self.at.items():
            rows_of = {seed: row for seed, row in by_seed.items() if row is not None}
            statuses = Counter(c["status"][row] for row in rows_of.values())
            if missing := len(by_seed) - len(rows_of):
                statuses["missing"] = missing
            evaluated = tuple(s for s in sorted(rows_of) if c["status"][rows_of[s]] in EVALUATED)
            for metric in self.results.metrics:
                yield self._sample(setting, arm, metric, by_seed, rows_of, statuses, evaluated)

    def _sample(
        self,
        setting: Setting,
        arm: str,
        metric: Metric,
        planned: Iterable[int],
        rows_of: Mapping[int, int],
        statuses: Counter[str],
        evaluated: Sequence[int],
    ) -> Sample:
        """One arm at one setting by one metric; a row that lacks the metric is missing for it."""
        c = self.columns
        every = [rows_of[seed] for seed in evaluated]
        found = self._measured.of(metric, str(setting.dataset), every)
        seeds = tuple(s for s, there in zip(evaluated, found.there, strict=True) if there)
        rows = [rows_of[seed] for seed in seeds]
        without = Counter(
            c["status"][row] for row, there in zip(every, found.there, strict=True) if not there
        )
        if without:
            statuses = statuses - without + Counter(missing=without.total())
        groups = self.results.groups.get(str(setting.dataset))
        by_example = found.correct is not None or found.per_example is not None
        return Sample(
            setting=setting,
            arm=arm,
            metric=metric.name,
            unit=metric.unit,
            planned=tuple(sorted(planned)),
            statuses=dict(statuses),
            seeds=seeds,
            values=found.values,
            correct=found.correct,
            per_example=found.per_example,
            scale=metric.scale,
            groups=groups if by_example else None,
            own_runs=self.study.pipeline is None,
            machines=tuple((c["cpu"][row], c["versions"][row]) for row in rows),
            audited={
                name: tuple(dict.fromkeys(c[name][row] for row in rows if c[name][row] is not None))
                for name in AUDITED
                if name in c
            },
            not_finite=sum(bool(c["not_finite"][row]) for row in rows),
            lower_is_better=metric.lower_is_better,
            unsupported="" if rows else self._unsupported(rows_of.values()),
        )

    def costs(self) -> tuple[tuple[costs.ArmCost, ...], float | None]:
        """What each arm costs, and the CPU seconds of a seed."""
        columns = {
            name: self.cells[name].to_pylist()
            if name in self.cells.column_names
            else [None] * self.cells.num_rows
            for name in (*costs.COLUMNS, "status")
        }
        return costs.of_arms(self.at, columns), costs.seconds_per_seed(self.at, columns)

    def _unsupported(self, rows: Iterable[int]) -> str:
        """Why the arm of these rows, none of which was evaluated, cannot be; empty where it can."""
        c = self.columns
        why = (c["error"][row] or "no reason" for row in rows if c["status"][row] == "unsupported")
        return next(why, "")

    def insides(self) -> tuple[Inside, ...]:
        """Of every quantized arm at every setting that has an evaluated model; of several
        calibration draws together."""
        c, found = self.columns, []
        at: dict[Place, dict[int, int]] = {}
        for (setting, arm), by_seed in self.at.items():
            if self.study.arm(arm).ranges:
                rows_of = at.setdefault((setting.of_all_draws, arm), {})
                rows_of |= {
                    r: seed
                    for seed, r in by_seed.items()
                    if r is not None and c["status"][r] in EVALUATED
                }
        for (setting, arm), rows in at.items():
            if not rows:
                continue
            shares = {
                name: mean([None if c[name][r] is None else c[name][r] / c["n"][r] for r in rows])
                for name in (
                    *("outputs_at_limit", "ties", "keras_flips", "keras_flips_tied"),
                    *("kernel_flips", "kernel_outputs"),
                )
            }
            into = [r for r in rows if c["layers"][r]]
            looked = [dict(c["layers"][r]) for r in into]
            errors = [c["layers_error"][r] for r in into]
            names = dict.fromkeys(name for of in looked for name in of)
            layers = {name: mean([of.get(name) for of in looked]) or 0.0 for name in names}
            found.append(
                Inside(
                    setting=setting,
                    arm=arm,
                    models=len(rows),
                    seeds=len({*rows.values()}),
                    looked_into=len({rows[r] for r in into}),
                    at_limit=shares["outputs_at_limit"],
                    clipped=most([c["clipped_inputs"][r] for r in rows]),
                    float_ops=most([c["float_ops"][r] for r in rows]),
                    requantizations=most([c["requantizations"][r] for r in rows]),
                    ties=shares["ties"],
                    flips=shares["keras_flips"],
                    flips_tied=shares["keras_flips_tied"],
                    batch_norm_left=mean([c["batch_norm_start_left"][r] for r in rows]),
                    range_left=mean([c["range_start_left"][r] for r in rows]),
                    steps=mean([c["steps"][r] for r in rows]),
                    layers={n: v for n, v in layers.items() if not n.startswith("file / ")},
                    left_out=left_out([*zip(looked, errors, strict=True)]),
                    kernels=shares["kernel_flips"],
                    kernel_outputs=shares["kernel_outputs"],
                )
            )
        return tuple(found)

    def float_checks(self) -> tuple[FloatCheck, ...]:
        """Of every float training, by dataset, model, recipe and budget."""
        c = self.columns
        found = []
        for (setting, arm), by_seed in self.at.items():
            of_it = self.study.arm(arm)
            if of_it.number_format != "float32" or of_it.extra:
                continue
            rows = {
                seed: row
                for seed, row in by_seed.items()
                if row is not None and c["status"][row] in EVALUATED
            }
            differing = [
                (c["disagreements"][row] / c["n"][row], seed)
                for seed, row in rows.items()
                if c["disagreements"][row] is not None
            ]
            left = [c["batch_norm_start_left"][row] for row in rows.values()]
            known = [value for value in left if value is not None]
            right = [v for row in rows.values() if (v := c["accuracy"][row]) is not None]
            check = FloatCheck(
                setting=setting,
                seeds=len(rows),
                keras=max(differing, default=None),
                start_left=max(known, default=None),
                accuracy=sum(right) / len(right) if right else None,
                baselines=self._baselines(setting),
                examples=c["n"][next(iter(rows.values()))] if rows else None,
            )
            found.append(judged(check, self.study.delta_of("accuracy")))
        return tuple(found)

    def _baselines(self, setting: Setting) -> Baselines:
        """As `run` has stored them, of test inputs as they are; the commonest class follows from
        the labels themselves."""
        dataset = str(setting.dataset)
        stored = self.results.environment.get("baselines", {}).get(dataset, {})
        labels = self.results.labels.get(dataset)
        commonest = None
        if labels is not None and len(labels) and labels.dtype.kind == "i":
            commonest = float(np.bincount(labels).max()) / len(labels)
        if any(FACTORS[n].of_test and v != FACTORS[n].default for n, v in setting.factors):
            return Baselines(commonest, None, None)
        return Baselines(commonest, stored.get("nearest_centroid"), stored.get("logistic"))

    def _claimed(self, setting: Setting, arm: str) -> str | None:
        """What an arm's files claim to be; None where they claim nothing: somebody's annotate()
        may leave layers of QAT in float, and what arms of a whole pipeline make is theirs."""
        if self.study.pipeline is not None:
            return None
        own = self.results.study.own.get(setting.model or "")
        if own is not None and own.annotates and ARMS[arm].conversion == "own-ranges":
            return None
        return number_format(arm, setting.factors)

    def checks(self) -> Checks:
        c = self.columns
        with_result = 0
        disagreements: list[Disagreement] = []
        formats: Counter[tuple[str, str, str]] = Counter()
        machines: dict[tuple[Any, ...], set[tuple[Value, Value]]] = {}
        for (setting, arm), by_seed in self.at.items():
            for seed, row in by_seed.items():
                if row is None:
                    continue
                with_result += c["status"][row] in RESULTS
                if c["status"][row] not in EVALUATED:
                    continue
                claimed, found = self._claimed(setting, arm), c["number_format"][row]
                if claimed is not None and found is not None and found != claimed:
                    formats[arm, claimed, found] += 1
                differ, n = c["disagreements"][row], c["n"][row]
                if claimed == "float32" and differ is not None and differ > DISAGREEING * n:
                    disagreements.append(Disagreement(setting, seed, differ, n))
                place = (setting.dataset, setting.model, seed)
                machines.setdefault(place, set()).add((c["cpu"][row], c["versions"][row]))
        return Checks(
            planned=sum(len(by_seed) for by_seed in self.at.values()),
            with_result=with_result,
            disagreements=tuple(disagreements),
            wrong_formats=tuple(
                WrongFormat(arm, claimed, found, cells)
                for (arm, claimed, found), cells in sorted(formats.items())
            ),
            mixed_seeds=tuple(sorted({place[-1] for place, on in machines.items() if len(on) > 1})),
            ignored_files=self.results.ignored,
            rejected=tuple(f"{r.cell} in {r.file}: {r.what}" for r in self.results.rejected),
            notes=self.results.notes,
            declared=tuple(
                each
                for each in self.results.environment.get("declared", ())
                if isinstance(each, dict)
            ),
        )


def _places(table: Any, study: Study) -> Iterator[tuple[str, Place, int]]:
    """The cell, place and seed of each row of a table that has a cell's identity columns."""
    names = ("cell", "dataset", "model", "budget", "arm", "extra", "seed")
    columns = [table[name].to_pylist() for name in names]
    levels = _levels(table, study)
    known = tuple(study.factors)
    reach: dict[tuple[str, str], tuple[tuple[int, str], ...]] = {}
    places: dict[tuple[Any, ...], Place] = {}
    for cell, dataset, model, budget, arm, extra, seed, values in zip(
        *columns, levels, strict=True
    ):
        if (arm, model) not in reach:
            names_of = study.reaching(arm, model=model) if arm in study.all_arms else ()
            reach[arm, model] = tuple((i, name) for i, name in enumerate(known) if name in names_of)
        factors = tuple((name, values[i]) for i, name in reach[arm, model])
        plain = (dataset, model, factors, budget, arm, extra)
        if plain not in places:
            places[plain] = Setting(dataset, model, factors, budget, extra), arm
        yield cell, places[plain], seed


def _levels(table: Any, study: Study) -> Iterable[tuple[Value, ...]]:
    """Of each row of a table, the levels of the study's factors, in their order."""
    columns = [table[name].to_pylist() for name in FACTORS]
    own = [name for name in study.factors if name not in FACTORS]
    if own:
        held = [json.loads(text) if text else {} for text in table["own_factors"].to_pylist()]
        columns += [[levels.get(name) for levels in held] for name in own]
    return zip(*columns, strict=True)


def _grid(study: Study) -> Iterator[Place]:
    """Every place that the study plans, in the study's order."""
    for dataset, model, budget in designs.places(study):
        for arm in study.arms:
            for levels, extra in designs.combinations(study, (arm,), dataset, model, budget):
                yield Setting(dataset, model, levels, budget, extra), arm


def _planned(study: Study, there: int) -> tuple[int, ...]:
    """The seeds that an arm should have at a setting where `there` seeds have a row: all, or in a
    sequential study those up to the look that is under way."""
    if study.sequential is None:
        return study.seeds
    look = study.sequential.look_after(max(there - 1, 0)) or there
    return study.with_seeds(look).seeds


def _with_seeds_of(study: Study, seeds: set[int]) -> Study:
    """The study with the seeds that looks have added: without a declared maximum its file has those
    of the start."""
    if study.sequential is None or study.sequential.every is None:
        return study
    added = max(max(seeds, default=0) - max(study.seeds), 0)
    return study.with_seeds(max(len(study.seeds) + added, study.sequential.looks[0]))
