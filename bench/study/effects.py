"""Names of effects in a study: `learning_rate: qat - ptq`, `learning_rate=0.01: qat - ptq`."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from bench import datasets
from bench.errors import InputError, nearest
from bench.study import designs
from bench.study.factors import FACTORS, RANDOMNESS, REPLICATES, Value, by_order

if TYPE_CHECKING:
    from bench.study.fields import Study

RECIPE = "recipe"
"""What a change from the first recipe to another is of, as if it were a factor."""


class Effect(NamedTuple):
    """How a contrast changes with a factor: at `level` minus at the baseline; None: at each.

    factor: of study.factors, or budget (the smallest minus the largest), extra, dataset, model,
    recipe.
    """

    factor: str
    level: str | None
    contrast: str

    def __str__(self) -> str:
        at = "" if self.level is None else f"={self.level}"
        return f"{self.factor}{at}: {self.contrast}"


SLOPE = "slope"
"""Ends what identifies a test of a slope."""


def parsed(name: str) -> tuple[Effect | None, str]:
    """An effect's name as the effect, else None; and the contrast that it is of."""
    head, colon, contrast = name.rpartition(": ")
    if not colon:
        return None, name
    factor, equals, level = head.partition("=")
    return Effect(factor.strip(), level.strip() if equals else None, contrast), contrast


def written(factor: str, level: Value) -> str:
    """A level in text, as a study writes it."""
    if level is None and factor in FACTORS:
        level = FACTORS[factor].shown(level)
    return "" if level is None else f"{level:g}" if isinstance(level, float) else str(level)


def arms_of(study: "Study", contrast: str) -> tuple[str, str]:
    """Of one of its contrasts."""
    known = study.known_contrasts[contrast]
    return known.a, known.b


def check(study: "Study", name: str, where: str) -> None:
    """Raises InputError unless this names a contrast of the study, or an effect on one."""
    effect, contrast = parsed(name)
    known = study.known_contrasts
    if contrast not in known:
        raise InputError(where, f"no contrast {contrast!r}", nearest(contrast, known))
    arms = arms_of(study, contrast)
    for arm in arms:
        if arm not in study.arms:
            raise InputError(where, f"{name!r} needs the arm {arm!r}", "allowed: arms of the study")
    if effect is None:
        return
    if RANDOMNESS in study.factors and "all" not in study.levels(RANDOMNESS):
        raise InputError(
            where,
            f"{name!r}, but nothing is tested where a source of randomness is pinned",
            f"allowed: with 'all' among the levels of {RANDOMNESS}",
        )
    varied = varying(study, arms)
    if effect.factor not in varied:
        raise InputError(
            where,
            f"{name!r}: {effect.factor!r} is no factor of this contrast that varies here",
            nearest(effect.factor, varied) if varied else "allowed: a factor with levels",
        )
    there = levels(study, effect)
    if effect.level is not None and effect.level not in there:
        raise InputError(
            where,
            f"{name!r}: there is no effect of {effect.factor} at {effect.level}",
            f"allowed: {', '.join(there)}",
        )


def varying(study: "Study", arms: tuple[str, str]) -> tuple[str, ...]:
    """What an effect on a contrast of these arms can be of, in this study."""
    reaching = {name for model in models(study) for name in study.reaching(*arms, model=model)}
    found = [
        name
        for name in study.of_arms(*arms)
        if name in reaching
        and name not in study.in_recipes
        and name not in REPLICATES
        and len(study.levels(name)) > 1
        and name != RANDOMNESS  # nothing is tested where a source of it is pinned
    ]
    reached = reaching & study.in_recipes
    if len({tuple(of[name] for name in reached) for of in study.by_recipe.values()}) > 1:
        found.append(RECIPE)
    if len(study.extra) > 1 and any(study.arm(arm).extra for arm in arms):
        found.append("extra")
    several = {"budget": study.budgets, "dataset": study.datasets, "model": study.models}
    return (*found, *(name for name, values in several.items() if len(values) > 1))


def models(study: "Study") -> tuple[str, ...]:
    """Those at which factors vary: one list at a time, the first alone."""
    return study.models if study.design == "crossed" else study.models[:1]


def levels(study: "Study", effect: Effect) -> tuple[str, ...]:
    """At which levels there is such an effect, minus at the baseline: of an ordered factor of many
    levels the last alone."""
    if effect.factor == "budget":
        return (str(study.budgets[0]),)
    if effect.factor == RECIPE:
        return tuple(study.by_recipe)[1:]
    if effect.factor == "dataset":
        return tuple(map(datasets.label, study.datasets[1:]))
    if effect.factor == "model":
        return study.models[1:]
    extra = effect.factor == "extra"
    here = study.extra if extra else study.levels(effect.factor)
    ordered = by_order(here)
    ends = here if ordered is None else ordered[-1:]
    base = study.extra[0] if extra else study.baseline_of(effect.factor)
    return tuple(written(effect.factor, level) for level in ends if level != base)


def alike(study: "Study", effect: Effect) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which arms of its contrast an effect moves, at its level or at the first one that moves any;
    and at which levels those arms are moved just so, in the study's order. Of factors but recipes
    that is one level.

    Two recipes may differ in nothing that reaches these arms: there is one number of both.
    """
    arms = arms_of(study, effect.contrast)
    named = levels(study, effect) if effect.level is None else (effect.level,)
    if effect.factor != RECIPE:
        return _moving(study, effect.factor, arms), named[:1]
    moved = next((moved for name in named if (moved := _moves(study, name, arms))), {})
    same = (n for n in study.by_recipe if moved and _moves(study, n, tuple(moved)) == moved)
    return tuple(moved), tuple(same)


def _moves(
    study: "Study", recipe: str, arms: tuple[str, ...]
) -> dict[str, tuple[tuple[str, Value], ...]]:
    """Of these arms, those that a recipe moves away from the first one: to which levels."""
    base, there = next(iter(study.by_recipe.values())), study.by_recipe[recipe]
    return {
        arm: tuple((f, level) for f, level in there.items() if f in reach)
        for arm in arms
        for reach in [{f for m in models(study) for f in study.reaching(arm, model=m)}]
        if any(there[f] != base[f] for f in reach if f in there)
    }


def _moving(study: "Study", factor: str, arms: tuple[str, ...]) -> tuple[str, ...]:
    """Of these arms, those that anything but a recipe moves: the data, the model and the budget
    both."""
    if factor in ("dataset", "model", "budget"):
        return arms
    if factor == "extra":
        return tuple(arm for arm in arms if study.arm(arm).extra)
    return tuple(arm for arm in arms if factor in study.of_arms(arm))


def tests(study: "Study", effect: Effect) -> Iterator[tuple[object, ...]]:
    """What identifies each test of a declared effect: what changes, and of which arms. Two that are
    equal by construction are equal here."""
    arms = arms_of(study, effect.contrast)
    named = levels(study, effect) if effect.level is None else (effect.level,)
    if effect.factor == "budget":
        # Panel by panel, where it varies; over more than two budgets its slope as well.
        panels, grown = Counter[tuple[object, ...]](), Counter[tuple[object, ...]]()
        for dataset, model, budget in designs.places(study):
            for at, extra in designs.combinations(study, arms, dataset, model, budget):
                asked = study.is_primary_at(dict(at))
                panels[dataset, model, at, extra] += asked
                grown[dataset, model, at, extra] += asked and budget > 0
        for panel, budgets in panels.items():
            if budgets > 1:
                yield effect.contrast, panel, "ends"
            if grown[panel] > 2 and effect.level is None:
                yield effect.contrast, panel, SLOPE
    elif effect.factor == RECIPE:
        for name in named:
            moved = _moves(study, name, arms)
            if moved:
                yield tuple(moved.items())
    else:
        other = effect.factor in ("dataset", "model")
        moving = _moving(study, effect.factor, arms)
        for level in named:
            yield effect.factor, level, moving
        here = () if other else study.extra if effect.factor == "extra" else study.levels(
            effect.factor
        )  # fmt: skip
        if effect.level is None and by_order(here):
            yield effect.factor, moving, SLOPE
