"""Which settings a study runs: every combination of its lists, one list at a time, or recipes.

The one place that says so: cells, families and the reading of results ask here.
"""

from collections.abc import Callable, Collection, Iterator
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Literal

from bench import datasets
from bench.errors import InputError
from bench.study.factors import RANDOMNESS, REPLICATES, Value

if TYPE_CHECKING:
    from bench.study.fields import Study

MOST_CELLS = 10_000_000
"""More than any cluster would finish; a slip of the keyboard, that would fill the memory."""

Design = Literal["crossed", "one-at-a-time"]

Levels = tuple[tuple[str, Value], ...]
"""Of the factors that reach some arms, in the table's order."""

Kept = Callable[[str, Value], bool]


def combinations(
    study: "Study", arms: tuple[str, ...], dataset: str, model: str, budget: int
) -> Iterator[tuple[Levels, int | None]]:
    """What runs of these arms, taken together, on a dataset (by label), model and budget: the
    levels of the factors that reach any of them, with their epochs more. Each once.

    What varies out of their reach does not multiply them.
    """
    names = study.reaching(*arms, model=model)
    extras = study.extra if any(study.arm(arm).extra for arm in arms) else (None,)
    if study.design == "crossed":
        every = (dict(levels) for levels in _crossed(study, names))
        for found in every:
            levels = tuple((name, found[name]) for name in names)
            for extra in extras:
                yield levels, extra
        return
    away = (
        (dataset != datasets.label(study.datasets[0]))
        + (model != study.models[0])
        + (budget != study.budgets[0])
    )
    if away > 1:
        return
    base = {name: study.baseline_of(name) for name in study.factors}
    points = [(base, extras[0])]
    if not away:
        points += [(base, extra) for extra in extras[1:]]
        points += [(base | recipe, extras[0]) for recipe in study.by_recipe.values()]
        points += [
            (base | {name: level}, extras[0])
            for name in study.factors
            if name not in study.in_recipes and name not in REPLICATES
            for level in study.levels(name)
        ]
    repeated = [name for name in names if name in REPLICATES]
    draws = [dict(zip(repeated, of, strict=True)) for of in product(*map(study.levels, repeated))]
    yield from dict.fromkeys(
        (tuple((name, (found | draw)[name]) for name in names), extra)
        for found, extra in points
        for draw in draws
    )


def count(
    study: "Study", arms: tuple[str, ...], dataset: str, model: str, budget: int, kept: Kept
) -> int:
    """How many combinations there are in which each factor's level is kept; quick for a full
    crossing, whatever its size."""
    if study.design == "crossed":
        names = study.reaching(*arms, model=model)
        own = [name for name in names if name not in study.in_recipes]
        some = [sum(kept(name, level) for level in study.levels(name)) for name in own]
        recipes = sum(all(kept(*each) for each in levels) for levels in _recipes(study, names))
        extras = len(study.extra) if any(study.arm(arm).extra for arm in arms) else 1
        return prod(some) * recipes * extras
    found = combinations(study, arms, dataset, model, budget)
    return sum(all(kept(*each) for each in levels) for levels, _ in found)


def asks(
    study: "Study",
    arms: tuple[str, ...],
    place: tuple[str, str, int],
    levels: Collection[tuple[str, Value]],
    extra: int | None,
) -> bool:
    """Does the study ask for these arms, taken together, at these levels? One list at a time, and
    with recipes, one arm's level and another's may both be there, and not together."""
    if study.design == "crossed" and not study.recipes:
        return True
    found = combinations(study, arms, *place)
    return any(_asked(of) == _asked(levels) and more == extra for of, more in found)


def _asked(levels: Collection[tuple[str, Value]]) -> frozenset[tuple[str, Value]]:
    """The levels that somebody may ask about: a seed's value is the mean over its draws."""
    return frozenset(each for each in levels if each[0] not in REPLICATES)


def check_size(study: "Study") -> None:
    """Raises InputError if a study has more cells than anybody could run."""
    settings = (
        count(study, (arm,), *place, lambda *_: True) for place in places(study)
        for arm in study.arms
    )  # fmt: skip
    cells = len(study.seeds) * sum(settings)
    if cells > MOST_CELLS:
        raise InputError(
            "seeds, budgets, ...", f"{cells:,} models to evaluate", f"allowed: {MOST_CELLS:,}"
        )


def check_base(study: "Study") -> None:
    """Raises InputError if a study would be one of pinned sources of randomness throughout, or in
    some recipes: nothing is tested there."""
    if RANDOMNESS in study.in_recipes:
        raise InputError(
            "recipes", f"one names {RANDOMNESS}", "allowed: as a list, beside the recipes"
        )
    if study.design != "crossed" and RANDOMNESS in study.factors:
        first = study.levels(RANDOMNESS)[0]
        if first != "all":
            raise InputError(
                RANDOMNESS,
                f"found {first!r} first, which is the base, and nothing is tested where a source "
                "is pinned",
                "allowed: 'all' first",
            )


def places(study: "Study") -> Iterator[tuple[str, str, int]]:
    """Every dataset (by label), model and budget of a study, in its order."""
    return product(map(datasets.label, study.datasets), study.models, study.budgets)


def _crossed(study: "Study", names: tuple[str, ...]) -> Iterator[Levels]:
    own = [name for name in names if name not in study.in_recipes]
    for recipe in _recipes(study, names):
        for levels in product(*(study.levels(name) for name in own)):
            yield (*recipe, *zip(own, levels, strict=True))


def _recipes(study: "Study", names: tuple[str, ...]) -> list[Levels]:
    """What the recipes say of these factors, each once; nothing, once, where there is none."""
    named = [name for name in names if name in study.in_recipes]
    every: Collection[dict[str, Value]] = study.by_recipe.values() or [{}]
    return list(dict.fromkeys(tuple((name, of[name]) for name in named) for of in every))
