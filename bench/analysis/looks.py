"""Primary contrasts of a sequential study, by their looks."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from bench.analysis.comparisons import Comparison, Seen, seeds_needed
from bench.analysis.records import Setting
from bench.statistics import families, sequential
from bench.statistics.checks import FloatArray
from bench.statistics.sequential import Look
from bench.study import Sequential, Study
from bench.study.factors import FACTORS

_PLACE = ("dataset", "model", *FACTORS, "own_factors", "budget", "extra")

Taken = Mapping[tuple[str, Setting], Sequence[Seen]]
"""Looks that were taken already, by contrast and setting, in order."""


def taken(table: Any, study: Study) -> dict[tuple[str, Setting], list[Seen]]:
    """The looks of looks.parquet, by contrast and setting, in order. Each has all the seeds that it
    saw, those of earlier looks first.

    table: store.LOOK_SCHEMA, or None where no look was stored.
    """
    found: dict[tuple[str, Setting], list[tuple[int, Seen]]] = {}
    known = {contrast.name: contrast for contrast in study.contrasts}
    for row in table.to_pylist() if table is not None else ():
        contrast = known.get(row["contrast"])
        if contrast is None:
            continue
        names = study.reaching(contrast.a, contrast.b, model=row["model"])
        own = json.loads(row["own_factors"]) if row["own_factors"] else {}
        factors = tuple((name, row[name] if name in FACTORS else own.get(name)) for name in names)
        setting = Setting(row["dataset"], row["model"], factors, row["budget"], row["extra"])
        setting = setting.of_all_draws
        seen = Seen(row["planned_seeds"], tuple(row["seeds"]))
        found.setdefault((row["contrast"], setting), []).append((row["look"], seen))
    return {
        key: [seen for _, seen in sorted(looks, key=lambda one: one[0])]
        for key, looks in found.items()
    }


def rows(comparisons: Iterable[Comparison], before: Any) -> list[dict[str, Any]]:
    """Rows of looks.parquet: every look that has been taken by now.

    before: the table as it was, or None: a look keeps the time at which it was taken.
    """
    now = datetime.now(UTC)
    known = {
        (r["contrast"], *(r[name] for name in _PLACE), r["look"]): r["at"]
        for r in (before.to_pylist() if before is not None else ())
    }
    return [
        {
            "contrast": c.name,
            **_fields(c.setting),
            "look": number,
            "planned_seeds": seen.planned,
            "seeds": list(seen.seeds),
            "at": known.get(
                (c.name, *(_fields(c.setting).get(name) for name in _PLACE), number), now
            ),
        }
        for c in comparisons
        if c.family == "primary" and c.population == "seeds"
        for number, seen in enumerate(c.seen, 1)
    ]


def _fields(setting: Setting) -> dict[str, Any]:
    """The columns of looks.parquet that say which setting it is."""
    fields = setting.fields()
    own = {name: fields.pop(name) for name, _ in setting.factors if name not in FACTORS}
    return fields | {"own_factors": json.dumps(own, separators=(",", ":")) if own else None}


def at_looks(comparison: Comparison, study: Study, plan: Sequential, known: Taken) -> Comparison:
    """A primary contrast by its looks: repeated intervals, or the confidence sequence where no
    maximum was declared, at the family's alpha / m. Any other comparison stays as it is.

    known: the looks that were taken before, which keep the seeds that they saw then. A result that
    came later counts from the next look on.
    """
    pairs = comparison.pairs
    if (comparison.family, comparison.population) != ("primary", "seeds"):
        return comparison
    if pairs.kind != "contrast":
        return comparison
    if pairs.impossible:
        return replace(comparison, clear=True)
    d_of = dict(zip(pairs.seeds, pairs.d, strict=True))
    level = families.bonferroni_alpha(study.alpha, comparison.m)
    seen: list[Seen] = []
    order: list[int] = []
    for look in known.get((comparison.name, comparison.setting), ()):
        order += [seed for seed in look.seeds if seed in d_of and seed not in order]
        seen.append(Seen(look.planned, tuple(order)))
    planned = plan.look_after(seen[-1].planned if seen else 0)
    while planned is not None and planned <= pairs.attempted:
        there = study.with_seeds(planned).seeds
        order += [seed for seed in there if seed in d_of and seed not in order]
        seen.append(Seen(planned, tuple(order)))
        planned = plan.look_after(planned)
    # Fewer pairs than planned where cells have failed; a look that saw nothing new is none.
    reached = list(dict.fromkeys(len(s.seeds) for s in seen if len(s.seeds) >= 2))
    d = np.array([d_of[seed] for seed in order])
    looks, alone = (_looks(d, reached, plan, a) for a in (level, study.alpha))
    interval = looks[-1].interval if looks else None
    # Where a value is not finite, nothing is shown to be equivalent.
    margin = None if pairs.not_finite else pairs.margin
    verdict = families.verdict_by_interval(interval, margin)
    detect, equivalent = seeds_needed(comparison, verdict, comparison.m, study.alpha)
    return replace(
        comparison,
        looks=looks,
        seen=tuple(seen),
        interval=alone[-1].interval if alone else None,
        simultaneous=interval,
        p_adjusted=None,
        p_equivalence_adjusted=None,
        verdict=verdict,
        seeds_needed=detect,
        seeds_needed_equivalence=equivalent,
        clear=interval is not None and is_clear(looks[-1], margin, plan),
    )


def _looks(d: FloatArray, at: Sequence[int], plan: Sequential, alpha: float) -> tuple[Look, ...]:
    if not at:
        return ()
    if plan.every is None:
        return tuple(sequential.group_sequential(d, at, alpha, plan.looks[-1]))
    return tuple(sequential.anytime_look(d[:n], alpha) for n in at)


def is_clear(look: Look, delta: float | None, plan: Sequential) -> bool:
    """Does a look ask for no more seeds?"""
    if plan.half_width is None:
        return look.decided(delta)
    return (look.interval.high - look.interval.low) / 2 <= plan.half_width
