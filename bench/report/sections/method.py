"""How it was computed: arms, contrasts, populations, families, counts, environment."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bench.analysis import Analysis, Population
from bench.analysis.reading import Reading
from bench.report import words
from bench.report.content import (
    Block,
    Bullets,
    Cell,
    Column,
    Details,
    Section,
    Table,
    Terms,
    code,
)
from bench.study.arms import ARMS, Stage

BY_POPULATION = False

STATUSES = ("ok", "diverged", "unsupported", "failed", "timeout", "missing")


def build(analysis: Analysis, population: Population) -> Section | None:
    blocks: list[Block] = []
    if analysis.ours:
        said = ((arm, words.in_units(analysis, ARMS[arm].sentence)) for arm in analysis.arms)
        arms = tuple((code(arm), text) for arm, text in said)
        blocks.append(Details("The arms", (Terms(arms),)))
    asked = tuple((code(c.name), _question(analysis, c)) for c in analysis.contrasts if c.question)
    if asked and analysis.ours:
        blocks.append(Details("The contrasts and what they ask", (Terms(asked),)))
    blocks.append(Details("The statistics", (Bullets(tuple(_statistics(analysis))),)))
    if analysis.reading is not None:
        blocks.append(Details("What each column was taken for", (_columns(analysis.reading),)))
    ours = analysis.study is not None
    ended = "How many cells, and how they ended" if ours else "How many values"
    blocks.append(Details(ended, (_counts(analysis),)))
    if analysis.study is not None:
        blocks.append(Details("The study", (_study(analysis),)))
    if analysis.environment:
        blocks.append(Details("The environment", (_environment(analysis.environment),)))
    return Section("How it was computed", tuple(blocks))


def _question(analysis: Analysis, contrast: Any) -> str:
    a, b = ARMS.get(contrast.a), ARMS.get(contrast.b)
    formats = ""
    if a and b and a.number_format != b.number_format:
        formats = f" ({a.number_format} against {b.number_format})"
    primary = any(c.name == contrast.name and c.family == "primary" for c in analysis.comparisons)
    return f"{words.in_units(analysis, contrast.question)}{formats}{'; primary' if primary else ''}"


def _statistics(analysis: Analysis) -> Iterator[str]:
    alpha = analysis.alpha
    families = list(
        dict.fromkeys((c.family, c.m, c.pairs.metric, c.population) for c in analysis.comparisons)
    )
    pairing = "both arms of a pair start from the same weights and see the same data in the same"
    pairing += " order. One test, named in advance:"
    if analysis.study is not None and analysis.study.pipeline is not None:
        pairing = "both arms of a pair got the same seed"
        if analysis.study.pipeline.kind == "functions":
            pairing = (
                "both arms of a pair ran in one task, from copies of what the seed's start left"
            )
        pairing += ". One test, named in advance:"
    if analysis.study is None:
        pairing = "that what one seed gave to two arms belongs together is an assumption. One test:"
    yield (
        f"Differences are paired by seed: {pairing} the paired t-test over "
        "seeds; beside it the exact sign-flip test, which assumes only symmetry."
    )
    if analysis.study is not None and 0 in analysis.study.budgets:
        yield (
            "Budget 0 has the weights that model() returns, and every seed starts from them: "
            "initialization does not vary between seeds."
        )
    speaks = words.population(analysis, "seeds").capitalize()
    yield (
        f"**{speaks}**: mean ± t(S−1) · SD / √S over S seeds. "
        "A conclusion about other test examples does not follow from it."
    )
    if any(c.population == "seeds+examples" for c in analysis.comparisons):
        yield (
            f"**{words.POPULATIONS['seeds+examples'].capitalize()}**: seeds and test examples are "
            "both random (two-way crossed effects), with Satterthwaite's degrees of freedom."
        )
    if analysis.in_groups:
        yield (
            "Test examples of one group are not independent: what is drawn anew with the seeds are "
            "groups, weighted by their sizes, with degrees of freedom for few or unequal ones."
        )
    left_out = [c for c in analysis.select("seeds") if c.pairs.not_finite]
    if left_out:
        yield (
            f"In {words.count(len(left_out), 'contrast')} a model's value is not finite: such "
            "seeds are left out of the mean and the tests, equivalence is not tested, and the win "
            "rate counts them as the worst."
        )
    for family, m, metric, population in families:
        method = (
            "Benjamini-Hochberg (false discovery rate), intervals at the false-coverage rate"
            if family == "exploratory"
            else "Holm (family-wise error), intervals by Bonferroni"
        )
        yield (
            f"The {family} family, {code(metric)}, {words.population(analysis, population)}: "
            f"{words.count(m, 'contrast')}, corrected by {method}, at α = {alpha:g}."
        )
    directions = {
        f"{code(s.metric)} (in {s.unit}) {'lower' if s.lower_is_better else 'higher'}": None
        for s in analysis.samples
        if s.lower_is_better is not None
    }
    if directions and analysis.study is not None:
        yield f"Differences are first arm minus second. Better is: {words.listed(directions)}."
    deltas = {
        f"{words.trimmed(c.pairs.delta)} {c.pairs.unit}": None
        for c in analysis.select()
        if c.pairs.delta is not None
    }
    if not deltas:
        yield "No smallest difference that matters was declared, so equivalence is not tested."
    else:
        yield (
            f"Equivalence: two one-sided t-tests against ±Δ, Δ = {words.listed(deltas)}, "
            "corrected in the same family by the same method, separately from the differences."
        )
    if not analysis.detailed:
        yield (
            "There are so many contrasts that the tests beside the t-test and the seeds needed "
            "were not computed."
        )


def _counts(analysis: Analysis) -> Table:
    used = [s for s in STATUSES if any(sample.statuses.get(s) for sample in analysis.samples)]
    totals: dict[str, dict[str, int]] = {}
    counted = analysis.samples if analysis.study is None else analysis.of_first_metric
    for sample in counted:
        of_arm = totals.setdefault(sample.arm, {})
        for status, n in sample.statuses.items():
            of_arm[status] = of_arm.get(status, 0) + n
    meanings = {
        "ok": "evaluated",
        "diverged": "loss not finite, or no better than one answer for all; a result, and counted "
        "as one",
        "unsupported": "the converter refuses it: a result without predictions",
        "failed": "runs again with the same command; its seed is left out of its contrasts",
        "timeout": "as failed",
        "missing": "planned, not there" if analysis.study is not None else "no row, or no number",
    }
    columns = (
        Column("arm"),
        *(Column(status, meanings[status], True) for status in used),
        Column("planned", "", True),
    )
    rows = tuple(
        (
            Cell(code(arm)),
            *(Cell(f"{of_arm.get(status, 0):,}", of_arm.get(status, 0)) for status in used),
            Cell(f"{sum(of_arm.values()):,}", sum(of_arm.values())),
        )
        for arm, of_arm in totals.items()
    )
    what = "Cells (evaluated models)" if analysis.study is not None else "Values of all metrics"
    return Table("counts-table", f"{what} per arm and status", columns, rows)


def _columns(reading: Reading) -> Table:
    """Of somebody's own table."""
    rows = tuple((Cell(code(t.column)), Cell(t.role), Cell(t.why)) for t in reading.columns)
    heads = (Column("column"), Column("taken for"), Column("because", long=True))
    return Table("columns-table", "What each column was taken for", heads, rows)


_FIRST: frozenset[Stage] = frozenset({"data", "float", "calibration"})
"""Stages whose factors are shown at their defaults too."""


def _study(analysis: Analysis) -> Table:
    assert analysis.study is not None
    fields = analysis.study.model_dump(mode="json")
    fields |= {"title": analysis.title, "adapted": False}
    fields["seeds"] = f"{len(analysis.study.seeds)}: {_run(analysis.study.seeds)}"
    taken = analysis.environment.get("taken", {})
    fields["datasets"] = [
        f"{name} ({'; '.join(map(str, taken[name]))})" if name in taken else name
        for name in sorted({str(s.setting.dataset) for s in analysis.samples})
    ]
    taking = analysis.study.of_arms(*analysis.study.arms)
    for name, factor in analysis.study.factors.items():
        levels = analysis.study.levels(name)
        plain = levels == (factor.default,) and factor.stage not in _FIRST
        if plain or (not analysis.ours and name not in taking):
            fields.pop(name, None)
        else:
            fields[name] = [factor.shown(level) for level in levels]
    fields["primary"] = [
        *analysis.study.primary_contrasts,
        *map(str, analysis.study.primary_effects),
    ]
    fields["recipes"] = [
        f"{recipe.pop('name')} ({', '.join(f'{k} = {v}' for k, v in recipe.items())})"
        for recipe in (each.as_table() for each in analysis.study.recipes)
    ]
    rows = tuple(
        (Cell(code(name)), Cell(code(_plain(value)))) for name, value in fields.items() if value
    )
    caption = "The study as run; factors that do not stand here are at their defaults"
    return Table("study-table", caption, (Column("field"), Column("value", long=True)), rows)


def _run(seeds: tuple[int, ...]) -> str:
    if seeds == tuple(range(seeds[0], seeds[0] + len(seeds))) and len(seeds) > 2:
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds[:50])) + (", ..." if len(seeds) > 50 else "")


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else str(value)


def _environment(environment: Mapping[str, Any]) -> Table:
    rows = tuple((Cell(code(name)), Cell(code(value))) for name, value in _flat(environment))
    return Table(
        "environment-table", "environment.json", (Column("entry"), Column("value", long=True)), rows
    )


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in sorted(tree.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name} / ")
        else:
            yield prefix + name, _plain(value)
