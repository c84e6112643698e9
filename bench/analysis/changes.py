"""How contrasts change: with the budget (interaction, slope), with a factor (effect, slope); and
what they are over all their settings (overall).

Each is a sum of samples with whole weights, over a divisor: one number per seed again, which goes
through the same paired tests. Source: the protocol's "Factors and their effects" (docs/method.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import log2

from bench.analysis import recipes
from bench.analysis.design import Design
from bench.analysis.records import Pairs, Setting, Value
from bench.analysis.sums import blank, common, difference, signed, slope, summed
from bench.study.effects import written
from bench.study.factors import by_order


def changes(pairs: Sequence[Pairs], design: Design) -> Iterator[Pairs]:
    """How these contrasts change with the budget, panel by panel, and with each factor."""
    by_contrast: dict[tuple[str, str], list[Pairs]] = {}
    for one in pairs:
        by_contrast.setdefault((one.contrast.name, one.metric), []).append(one)
    for members in by_contrast.values():
        panels: dict[Setting, list[Pairs]] = {}
        for one in members:
            if one.setting.budget is not None:
                panels.setdefault(one.setting.panel, []).append(one)
        for together in panels.values():
            if len(together) > 1:
                yield from _over_budgets(together, design)
    # Effects that are equal by construction are one hypothesis.
    known: dict[object, Pairs] = {}
    for members in by_contrast.values():
        named = (
            ((one.kind, one.metric, one.factor, one.level, one.name), one)
            for one in _effects(members, design)
        )
        for key, effect in (*named, *recipes.effects(members, design)):
            first = known.setdefault(key, effect)
            known[key] = replace(first, declared=first.declared or effect.declared)
    yield from known.values()
    for members in by_contrast.values():
        yield from _overall([one for one in members if design.is_primary(one.setting)])


def _overall(pairs: Sequence[Pairs]) -> Iterator[Pairs]:
    """Per seed that has all of a contrast's primary settings, the mean over them: about these
    settings, and no others. Where no two settings share a seed, the mean of their means."""
    if len(pairs) < 2:
        return
    base = replace(blank(pairs[0], pairs), kind="overall", setting=common(pairs))
    whole = summed(base, [term for one in pairs for term in signed(one, 1)], len(pairs))
    yield replace(whole, parts=tuple(pairs)) if _are_apart(pairs) else whole


def _are_apart(pairs: Sequence[Pairs]) -> bool:
    """Have settings seeds of their own, none of them twice, and a test each?"""
    seeds = [seed for one in pairs for seed in one.seeds]
    return len(seeds) == len(set(seeds)) and all(one.seeds and not one.unmoved for one in pairs)


def _over_budgets(pairs: Sequence[Pairs], design: Design) -> Iterator[Pairs]:
    """Per seed, the contrast at the smallest budget minus that at the largest, and from three
    budgets on its slope over log2(budget).

    pairs: one contrast at two or more budgets of one panel.
    """
    ordered = sorted(pairs, key=lambda one: one.setting.budget or 0)
    first, last = ordered[0], ordered[-1]
    budgets = [one.setting.budget or 0 for one in ordered]
    base = replace(blank(first, ordered), setting=first.setting.panel, factor="budget")
    low, high = str(budgets[0]), str(budgets[-1])

    def declared(level: str | None) -> bool:
        asked = design.declares("budget", level, first.contrast.name)
        return asked and design.is_primary(base.setting)

    ends = [*signed(first, 1), *signed(last, -1)]
    change = replace(base, kind="interaction", level=low, reference=high, declared=declared(low))
    yield summed(change, ends)
    grown = [budget for budget in budgets if budget]  # 0 has no logarithm
    # Of two it is that difference again, and would count twice in its family; past 2**53 the
    # logarithms may be equal.
    if len(grown) > 2 and log2(grown[0]) < log2(grown[-1]):
        over_all = replace(base, declared=declared(None))
        yield slope(over_all, ordered[-len(grown) :], [log2(budget) for budget in grown])


def _effects(pairs: Sequence[Pairs], design: Design) -> Iterator[Pairs]:
    """Per seed, one contrast at a level minus at the reference, the mean over all other settings
    that have both."""
    names = dict.fromkeys(name for one in pairs for name in one.setting.fields())
    for name in names:
        if name == "budget" or name in design.in_recipes:
            continue
        if name == "extra" and not design.asks_of("extra", pairs[0].contrast.name):
            continue
        levels = dict.fromkeys(
            one.setting.fields()[name] for one in pairs if name in one.setting.fields()
        )
        if len(levels) < 2:
            continue
        reference = design.reference.get(name, next(iter(levels)))
        if reference not in levels:
            reference = next(iter(levels))
        by_level: dict[Value, list[Pairs]] = {}
        for one in pairs:
            by_level.setdefault(_level(one, name), []).append(one)
        ordered = by_order(tuple(levels))
        if ordered is not None:
            yield from _by_order(pairs, name, ordered, design)
        for level in tuple(levels) if ordered is None else ordered[-1:]:
            if level == reference:
                continue
            yield from _effect(by_level, name, level, reference, design, _moved(pairs, name))


def _effect(
    by_level: Mapping[Value, Sequence[Pairs]],
    name: str,
    level: Value,
    reference: Value,
    design: Design,
    moved: Sequence[int],
) -> Iterator[Pairs]:
    at = {
        level: _by_rest(by_level, name, level, reference, design),
        reference: _by_rest(by_level, name, reference, level, design),
    }
    rests = [rest for rest in at[level] if rest in at[reference]]
    if not rests:
        return
    yield difference(
        [(at[level][rest], at[reference][rest]) for rest in rests],
        moved,
        factor=name,
        level=written(name, level),
        reference=written(name, reference),
        declared=design.declares(name, written(name, level), by_level[level][0].contrast.name),
    )


def _by_rest(
    by_level: Mapping[Value, Sequence[Pairs]],
    name: str,
    level: Value,
    other: Value,
    design: Design,
) -> dict[Setting, Pairs]:
    """The pairs at a level, by their setting without it.

    A factor that only one of two models has is held at its baseline, and left out of the setting.
    """
    names = {
        which: {f for one in by_level[which] for f, _ in one.setting.factors}
        for which in (level, other)
    }
    alone = names[level] - names[other] - {name}
    found = {}
    for one in by_level[level]:
        rest = one.setting.without(name)
        if any(f in alone and v != design.reference.get(f, v) for f, v in rest.factors):
            continue
        for factor in alone:
            rest = rest.without(factor)
        found[rest] = one
    return found


def _by_order(
    pairs: Sequence[Pairs],
    name: str,
    levels: Sequence[float],
    design: Design,
) -> Iterator[Pairs]:
    """The slope over log2(level), the mean over all other settings that have every level."""
    by_rest: dict[Setting, dict[Value, Pairs]] = {}
    for one in pairs:
        by_rest.setdefault(one.setting.without(name), {})[_level(one, name)] = one
    whole = [at for at in by_rest.values() if set(at) == set(levels)]
    if not whole or log2(levels[0]) == log2(levels[-1]):
        return
    members = [at[level] for at in whole for level in levels]
    moved = _moved(pairs, name)
    base = replace(
        blank(members[0], members),
        setting=common(members),
        factor=name,
        moved=None if len(moved) == 2 else members[0].samples[moved[0]].arm,
        declared=design.declares(name, None, members[0].contrast.name),
    )
    only = None if len(moved) == 2 else moved[0]
    yield slope(base, members, [log2(level) for level in levels] * len(whole), only)


def _moved(pairs: Sequence[Pairs], name: str) -> tuple[int, ...]:
    """Which of a contrast's two arms (0, 1) the factor reaches; data and model reach both."""
    if name in ("dataset", "model"):
        return (0, 1)
    if name == "extra":
        reached = [i for i in (0, 1) if pairs[0].samples[i].setting.extra is not None]
        return tuple(reached) or (0, 1)
    reached = [i for i in (0, 1) if name in dict(pairs[0].samples[i].setting.factors)]
    return tuple(reached) or (0, 1)


def _level(one: Pairs, name: str) -> Value:
    return one.setting.fields().get(name)
