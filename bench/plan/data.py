"""What a study asks of its data, before anything runs: are they there, and as they have to be?"""

from collections.abc import Collection, Iterable
from dataclasses import replace

from bench import datasets, models
from bench.datasets import Dataset, Size
from bench.datasets.changed.shifts import CALIBRATION, refusal
from bench.datasets.changed.training import changed
from bench.errors import InputError
from bench.plan import extent
from bench.plan.cells import Cell, cells
from bench.plan.schedule import data_key
from bench.store.schema import CELLS, CONTRASTS
from bench.study import Study
from bench.study.factors import FACTORS, Value

Levels = tuple[tuple[str, Value], ...]


def check_data(study: Study) -> dict[str, Size]:
    """The size of each dataset, by label; where the study changes or leaves out training examples,
    with how many are left.

    Raises InputError if a folder is not there or not as expected, if the study asks for more
    training or calibration examples than there are, or for what cannot be done to these data, or
    calls a factor of its own as a column is.
    """
    if study.pipeline is not None:
        _check_names(study.pipeline.factors)
    for source in study.datasets:
        datasets.check_source(source, "datasets")
    datasets.check_options(study.datasets, study.reading)
    _check_classes(study)
    for model in study.models:
        kinds = study.levels("calibration_draw")
        if "augmented" in kinds and models.hook(model, "augment") is None:
            raise InputError(
                "calibration_draw",
                f"augmented, but no augment() stands beside {model}",
                "allowed: the other draws, or a model in a file with augment(x, y, rng)",
            )
    sizes = {s: datasets.size(s, study.reading) for s in study.datasets}
    if study.pipeline is not None:
        for source in study.datasets:
            if source in datasets.OWN:
                datasets.load(source, task=study.objective.task)
        return {datasets.label(source): size for source, size in sizes.items()}
    for source, size in sizes.items():
        for examples in study.levels("train_examples"):
            if isinstance(examples, int):
                _check_count("train_examples", examples, size.train, source)
    one = cells(study.with_seeds(1))
    return {
        datasets.label(source): _sized(study, source, size, one) for source, size in sizes.items()
    }


def _sized(study: Study, source: str, size: Size, every: Iterable[Cell]) -> Size:
    """The size of a dataset, with what is left of its training examples where cells change them.
    Raises InputError if a cell cannot be."""
    here = [cell for cell in every if cell.dataset == datasets.label(source)]
    data: Dataset | None = None
    if study.objective.task == "reconstruction" or any(map(_looks_into, here)):
        data = datasets.load(source, options=study.reading, task=study.objective.task)
        size = replace(size, train=len(data.x_train))
        ways = {levels for cell in here if _changes(levels := data_key(cell)[1])}
        size = replace(size, left={of: len(changed(data, dict(of)).x_train) for of in ways})
    for cell in here:
        there = extent.examples(cell.recipe, size)
        for name in ("calibration_examples", "extra_examples"):
            wanted = cell.recipe.get(name)
            if wanted is not None:
                _check_count(name, wanted, there, source, data_key(cell)[1])
        if data is not None:
            _check_shifts(cell, data)
    return size


def _changes(levels: Levels) -> bool:
    """Is anything done to training data but to take the first so many?"""
    return any(n != "train_examples" and level != FACTORS[n].default for n, level in levels)


def _looks_into(cell: Cell) -> bool:
    """Does it depend on more than the size of the data whether this cell can be?"""
    shifted = cell.recipe.get("calibration_draw") == "shifted"
    shifted = shifted or cell.recipe.get("test_shift") not in (None, "none")
    return shifted or _changes(data_key(cell)[1])


def _check_shifts(cell: Cell, data: Dataset) -> None:
    if cell.recipe.get("calibration_draw") == "shifted" and (no := refusal(data, CALIBRATION)):
        found = f"'shifted', but {no} ({cell.dataset})"
        raise InputError("calibration_draw", found, "allowed: the other draws")
    shift = cell.recipe.get("test_shift")
    if reason := refusal(data, shift):
        raise InputError(
            "test_shift",
            f"{shift!r}, but {reason} ({cell.dataset})",
            "allowed: none, noise-1 to -3",
        )


def _check_names(own: Iterable[str]) -> None:
    """Factors of somebody's own are columns of contrasts.parquet beside ours."""
    taken = {column.name for column in (*CELLS, *CONTRASTS)}
    for name in own:
        if name in taken:
            raise InputError(
                name, "a factor with the name of a column of results", "allowed: another name"
            )


def _check_classes(study: Study) -> None:
    """Raises InputError for a level that is about classes, where there are none."""
    about: dict[str, Collection[Value]] = {
        "class_imbalance": [each for each in study.levels("class_imbalance") if each != 1],
        "label_noise": [each for each in study.levels("label_noise") if each],
        "calibration_draw": {"one-class", "skewed"} & {*study.levels("calibration_draw")},
    }
    for name, levels in about.items():
        if levels and study.objective.task != "classification":
            found = f"{sorted(map(str, levels))[0]} for a task of {study.objective.task}"
            raise InputError(name, found, "allowed: with classes (classification)")


def _check_count(field: str, wanted: int, there: int, source: str, changed: Levels = ()) -> None:
    """changed: what is done to the training data."""
    if wanted > there:
        label = datasets.label(source)
        of = [f"{n} = {level}" for n, level in changed if level != FACTORS[n].default]
        left = f"{label} has {there} training examples left at {', '.join(of)}"
        plain = f"{label} gives {there} training examples"
        raise InputError(
            field, f"found {wanted}, but {left if of else plain}", f"allowed: 1 to {there}"
        )
