"""How a contrast changes from a study's first recipe to each of the others."""

from collections.abc import Iterator, Sequence

from bench.analysis.design import Design
from bench.analysis.records import Pairs, Setting, Value
from bench.analysis.sums import difference
from bench.study.effects import RECIPE

Levels = frozenset[tuple[str, Value]]


def effects(pairs: Sequence[Pairs], design: Design) -> Iterator[tuple[object, Pairs]]:
    """Per seed, one contrast at a recipe minus at the first one, the mean over all other settings;
    with what identifies it: two that move the same arms in the same way are one hypothesis.

    pairs: one contrast at all its settings. A recipe that reaches neither arm has no effect.
    """
    at: dict[Setting, dict[Levels, Pairs]] = {}
    for one in pairs:
        at.setdefault(_rest(one.setting, design), {})[_levels(one.setting, design)] = one
    names = tuple(design.recipes)
    for name in names[1:]:
        steps = [
            (by_levels[high], by_levels[low])
            for by_levels in at.values()
            for high, low in [(_of(name, by_levels, design), _of(names[0], by_levels, design))]
            if high != low and high in by_levels and low in by_levels
        ]
        if not steps:
            continue
        moved = [i for i in (0, 1) if any(a.samples[i] is not b.samples[i] for a, b in steps)]
        first = steps[0][0]
        effect = difference(
            steps,
            moved,
            factor=RECIPE,
            level=name,
            reference=names[0],
            declared=design.declares(RECIPE, name, first.contrast.name),
        )
        arms = {
            (id(a.samples[i]), id(b.samples[i])) for a, b in steps for i in moved
        }  # fmt: skip
        yield (RECIPE, effect.metric, effect.name, frozenset(arms)), effect


def _rest(setting: Setting, design: Design) -> Setting:
    for name in design.in_recipes:
        setting = setting.without(name)
    return setting


def _levels(setting: Setting, design: Design) -> Levels:
    return frozenset(each for each in setting.factors if each[0] in design.in_recipes)


def _of(recipe: str, among: dict[Levels, Pairs], design: Design) -> Levels:
    """The levels that a recipe gives those factors which reach these contrasts."""
    reached = {name for levels in among for name, _ in levels}
    return frozenset((n, level) for n, level in design.recipes[recipe].items() if n in reached)
