"""Result folders -> studies: folders of the same data, model and recipe are one, and each cell
counts once.

What one folder has of a data set and a model is one study, whatever settings it has: they share a
test set, and often checkpoints. Two folders are the same study where an arm has the same recipe in
both, unless a seed of it is another model there.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.analysis.belief import FloatCheck
from bench.analysis.records import Sample, Setting
from bench.analysis.samples import StudyRows
from bench.analysis.settings import named, varying
from bench.errors import InputError
from bench.store import folder as store
from bench.store.files import shown
from bench.store.merging import identities, merged, only
from bench.store.results import Results
from bench.study import Study as Declared
from bench.study.arms import Contrast
from bench.study.units import known

Key = tuple[str, bytes, str, str]
"""A data set's name, its test labels, what identifies its content where that is known, a model."""


@dataclass(frozen=True, eq=False)
class Study:
    """One study. folders: that it lies in; test_set: identifies its test examples; samples: every
    arm at every setting; contrasts: between its arms; checks, wrong_formats: as analysis.belief
    wants them; deltas: metric -> the smallest difference that matters; metrics: the first one
    counts; notes: what must be said of
    it, each a sentence without its name."""

    name: str
    folders: tuple[str, ...]
    test_set: bytes
    samples: tuple[Sample, ...]
    contrasts: tuple[Contrast, ...]
    checks: tuple[FloatCheck, ...]
    wrong_formats: Mapping[tuple[str, str], str]
    deltas: Mapping[str, float | None]
    metrics: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Part:
    """What one folder has of one data set and model."""

    key: Key
    folder: str
    results: Results

    @cached_property
    def cells(self) -> dict[tuple[Any, ...], str]:
        return identities(self.results)

    @cached_property
    def recipes(self) -> frozenset[tuple[Any, ...]]:
        """Of its arms: the arm and its factors, whatever seed, budget and epochs more."""
        assert self.results.plan is not None
        rows = self.results.plan.to_pylist()
        free = {"cell", "seed", "budget", "extra"}
        return frozenset(
            tuple(known(n, v) for n, v in row.items() if n not in free) for row in rows
        )

    def is_same(self, other: "_Part") -> bool:
        if self.key != other.key or not self.recipes & other.recipes:
            return False
        return all(other.cells.get(what, cell) == cell for what, cell in self.cells.items())


def studies_of(folders: Sequence[Path]) -> tuple[Study, ...]:
    """The studies in these folders, in their order. Raises InputError for a folder that is none."""
    if len(set(folders)) < len(folders):
        twice = next(folder for folder in folders if folders.count(folder) > 1)
        raise InputError("FOLDER", f"{shown(twice)!r} twice", "allowed: each folder once")
    groups: list[list[_Part]] = []
    for part in (each for folder in folders for each in _parts(folder)):
        same = [group for group in groups if any(part.is_same(other) for other in group)]
        if not same:
            groups.append([part])
            continue
        same[0].append(part)
        for other in same[1:]:  # this folder joins what was apart
            same[0].extend(other)
            groups.remove(other)
    return _named([_study(group) for group in groups])


def _parts(folder: Path) -> Iterator[_Part]:
    results = store.read(folder)
    table = results.cells if results.plan is None else results.plan
    pairs = zip(table["dataset"].to_pylist(), table["model"].to_pylist(), strict=True)
    content = results.environment.get("data", {})
    for dataset, model in dict.fromkeys(pairs):
        labels = np.ascontiguousarray(results.labels.get(dataset, np.empty(0, np.int32)))
        digest = hashlib.sha256(labels.tobytes()).digest()
        key = dataset, digest, str(content.get(dataset, "")), model
        yield _Part(key, shown(folder), only(results, dataset, model))


def _study(group: Sequence[_Part]) -> Study:
    dataset, digest, _, model = group[0].key
    together, differing = merged([part.results for part in group])
    rows = StudyRows(together)
    samples = tuple(rows.samples())
    studies = [part.results.study for part in group]
    arms = {sample.arm for sample in samples}
    contrasts = {c.name: c for study in studies for c in study.contrasts if {c.a, c.b} <= arms}
    metrics = [metric.name for metric in together.metrics]
    checks = rows.checks()
    notes = []
    if not checks.complete:
        without = checks.planned - checks.with_result
        notes.append(f"{without:,} of {checks.planned:,} planned models without a result.")
    if differing:
        notes.append(
            f"models with other predictions in another of its folders, {differing:,}; those of "
            "the first folder count."
        )
    if any(study.sequential is not None for study in studies):
        notes.append("its seeds were added by looks, which makes what it found a little too large.")
    deltas: dict[str, float | None] = {}
    for metric in metrics:
        declared = list(
            dict.fromkeys(
                known.delta
                for part in group
                for known in part.results.metrics
                if known.name == metric
            )
        )
        deltas[metric] = declared[0]
        if len(declared) > 1:
            said = " and ".join("none" if d is None else f"{d:g}" for d in declared)
            notes.append(f"its folders declare unlike Δ of {metric} ({said}); the first counts.")
    return Study(
        name=f"{dataset}, {model}{_units(studies[0])}",
        folders=tuple(dict.fromkeys(part.folder for part in group)),
        test_set=digest,
        samples=samples,
        contrasts=tuple(contrasts.values()),
        checks=rows.float_checks(),
        wrong_formats={(f.arm, f.claimed): f.found for f in checks.wrong_formats},
        deltas=deltas,
        metrics=tuple(metrics),
        notes=tuple(notes),
    )


def _units(study: Declared) -> str:
    """What E and k are, where they are not epochs."""
    named = (("E", study.budget_unit), ("k", study.extra_unit))
    return "".join(f", {name} in {unit}" for name, unit in named if unit != "epochs")


def _named(studies: Sequence[Study]) -> tuple[Study, ...]:
    """Where two have one name, with the recipe or the folders in which they differ."""
    found = []
    for study in studies:
        twins = [other for other in studies if other.name == study.name]
        if len(twins) == 1:
            found.append(study)
            continue
        recipes = [_recipe(twin) for twin in twins]
        how = named(_recipe(study), varying(recipes))
        unlike = len({named(recipe, varying(recipes)) for recipe in recipes}) == len(recipes)
        found.append(
            replace(study, name=f"{study.name}, {how if unlike else ' + '.join(study.folders)}")
        )
    return tuple(found)


def _recipe(study: Study) -> Setting:
    """All factors that have one level in the study, as a setting."""
    levels: dict[str, set[Any]] = {}
    for sample in study.samples:
        for name, level in sample.setting.factors:
            levels.setdefault(name, set()).add(level)
    one = tuple((name, next(iter(of))) for name, of in levels.items() if len(of) == 1)
    return Setting(None, None, one, None, None)
