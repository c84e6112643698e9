"""A claim on a terminal and as JSON: plain words first, then one small figure, then the numbers."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from bench.analysis.claims import Claim, Pair
from bench.console import Console
from bench.report.words import MINUS, every, listed, number, p_value
from bench.statistics.mcnemar import MOST_EXAMPLES, examples_needed

WIDTH = 49
"""Columns of the figure's scale; odd, so that zero has one."""


def as_json(claim: Claim) -> str:
    """Every number of the claim; null where there is none."""
    document = {
        "examples": claim.examples,
        "runs": claim.runs,
        "alpha": claim.alpha,
        "delta": claim.delta,
        "arms": [
            {
                "arm": arm,
                "accuracy": accuracy.text,
                "counts": None if claim.counts is None else _ends(claim.counts[i]),
            }
            for i, (arm, accuracy) in enumerate(zip(claim.arms, claim.accuracies, strict=True))
        ],
        "pairs": [_pair(pair) for pair in claim.pairs],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _ends(counts: range) -> list[int]:
    return [counts[0], counts[-1]]


def _pair(pair: Pair) -> dict[str, Any]:
    numbers, recipes = pair.numbers, pair.recipes
    return {
        "contrast": pair.contrast,
        "difference": numbers.difference,
        "p_smallest": numbers.p_smallest,
        "p_largest": numbers.p_largest,
        "p_smallest_adjusted": numbers.p_smallest_adjusted,
        "p_largest_adjusted": numbers.p_largest_adjusted,
        "p_at_churn_adjusted": pair.p_at_churn,
        "recipes": None
        if recipes is None
        else {
            "sigma": [recipes.sigmas[0], recipes.sigmas[-1]],
            "turns": recipes.turns,
            "proven_above": recipes.proven_above,
            "seeds_to_detect_delta": recipes.seeds,
            "settings": len(recipes.of),
            "settings_beyond": recipes.beyond,
            "settings_usual": recipes.usual,
            "sources": sorted({prior.source for prior in recipes.of}),
        },
    }


def print_claim(claim: Claim, console: Console | None = None, shipped: bool = True) -> None:
    """What the numbers prove, the figure, and what it rests on. shipped: by the priors inside the
    package, not by a folder of the user's."""
    console = console or Console()
    for line in answer(claim):
        console.print(Text(line, style="bold"))
    console.print()
    for line in figure(claim):
        console.print(Text(line), no_wrap=True, crop=False)
    console.print()
    if claim.counts is not None:
        several = len(claim.pairs)
        corrected = f", p corrected for {several} pairs by Holm" if several > 1 else ""
        console.print(f"The files, on new examples of the same kind{corrected}")
        console.print(_files(claim))
        console.print()
    if any(pair.recipes for pair in claim.pairs):
        again = "once more" if claim.runs == 1 else f"{claim.runs} times more"
        console.print(f"The recipes, run {again} with other seeds")
        console.print(_recipes(claim))
        for line in sources(claim, shipped):
            console.print(Text(line, style="dim"))
        console.print()
    for line in takes(claim):
        console.print(Text(line))


def answer(claim: Claim) -> tuple[str, ...]:
    """What the numbers prove of the files, what of the recipes, and where to look first; a sentence
    each."""
    unusual = tuple(
        f"No setting that was measured gives {pair.contrast} = {_difference(pair)}: another kind "
        "of model than those, or two that were not evaluated alike."
        for pair in claim.pairs
        if pair.recipes is not None and not pair.recipes.usual
    )
    return _of_files(claim), _of_recipes(claim), *unusual


def _of_files(claim: Claim) -> str:
    if claim.counts is None:
        return (
            f"Of the files: nothing. A mean of {claim.runs} runs is no file's accuracy, and "
            f"{claim.runs} x {claim.examples:,} is no number of test examples."
        )
    found = [pair.files_differ(claim.alpha) for pair in claim.pairs]
    if len(found) == 1:
        said = {
            True: "The two files are shown to differ, whichever errors they share.",
            False: "The numbers cannot show that the two files differ, whichever errors they "
            "share.",
            None: "Whether the two files differ depends on which errors they share, and the "
            "numbers do not say.",
        }
        return said[found[0]]
    parts = [
        (found.count(True), "shown to differ, whichever errors they share"),
        (found.count(None), "different or not, by which errors they share"),
        (found.count(False), "not to be shown to differ by these numbers"),
    ]
    there = [(n, text) for n, text in parts if n]
    if len(there) == 1:
        return f"All {len(found)} pairs of files are {there[0][1]}."
    said = "; ".join(f"{n} {'is' if n == 1 else 'are'} {text}" for n, text in there)
    return f"Of the {len(found)} pairs of files {said}."


def _of_recipes(claim: Claim) -> str:
    if not any(pair.recipes for pair in claim.pairs):
        return (
            "Of the recipes they say nothing: no study here has two of these arms, and --like "
            "FOLDER takes one of yours."
        )
    groups: dict[str, list[str]] = {}
    for pair in claim.pairs:
        groups.setdefault(_where(pair), []).append(pair.contrast)
    missing = groups.pop("", [])
    parts = []
    for where, names in groups.items():
        verb, noun = "", ""
        if not parts:
            verb = f" {'is' if len(names) == 1 else 'are'} more than seeds alone give"
            one = where.endswith(("the one", "of 1"))
            noun = " setting that was measured" if one else " settings that were measured"
        parts.append(f"{listed(names)}{verb} {where}{noun}")
    text = f"Of the recipes: {'; '.join(parts)}."
    return f"{text} No study here has {listed(missing, 'or')}." if missing else text


def _where(pair: Pair) -> str:
    """In how many of the studies' settings the claim exceeds what seeds give; empty for none."""
    if pair.recipes is None:
        return ""
    n, beyond = len(pair.recipes.of), pair.recipes.beyond
    if beyond == n:
        return f"in {'the one' if n == 1 else every(n)}"
    return f"in {beyond or 'none'} of {n}"


def figure(claim: Claim) -> Iterator[str]:
    """Each difference on one scale, on the ground of what seeds alone give."""
    shown = [abs(pair.numbers.difference) for pair in claim.pairs]
    shown += [pair.recipes.proven_above[0] for pair in claim.pairs if pair.recipes]
    reach = min(1.3 * max(shown), 100.0) or 1.0
    name = max(len(pair.contrast) for pair in claim.pairs)
    ends = f"{MINUS}{reach:.3g}", "0", f"+{reach:.3g} pp"
    middle = WIDTH // 2
    scale = ends[0].ljust(middle) + ends[1] + ends[2].rjust(middle + 3)
    yield f"{'':{name}}  {scale}"
    for pair in claim.pairs:
        places = [reach * (at - middle) / middle for at in range(WIDTH)]
        line = [_ground(pair, abs(place)) for place in places]
        line[middle] = "│"
        line[round(middle + middle * pair.numbers.difference / reach)] = "●"
        yield f"{pair.contrast:{name}}  {''.join(line)}"
    if any(pair.recipes for pair in claim.pairs):
        level = f"{100 * (1 - claim.alpha):g}%"
        yield f"{'':{name}}  ▒ seeds alone give, {level} of the time: in every setting"
        yield f"{'':{name}}  ░ in some of them"


def _ground(pair: Pair, distance: float) -> str:
    if pair.recipes is None:
        return "·"
    low, high = pair.recipes.proven_above
    return "▒" if distance <= low else "░" if distance <= high else "·"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, no_wrap=True)
    return table


def _files(claim: Claim) -> Table:
    """Whether the files differ, for new examples of the same kind."""
    table = _table("", "difference", "exact McNemar p", "p where churn is as measured")
    for pair in claim.pairs:
        numbers = pair.numbers
        table.add_row(
            Text(pair.contrast),
            _difference(pair),
            _range_of_p(numbers.p_smallest_adjusted, numbers.p_largest_adjusted),
            "–" if pair.p_at_churn is None else _range_of_p(*pair.p_at_churn),
        )
    return table


def _recipes(claim: Claim) -> Table:
    """What a rerun would give, and what it takes to know."""
    proves = "one run proves" if claim.runs == 1 else f"{claim.runs} runs prove"
    table = _table("", "SD of one run", "sign turns in", proves, f"seeds for {claim.delta:g} pp")
    for pair in claim.pairs:
        found = pair.recipes
        if found is None:
            table.add_row(Text(pair.contrast), *["–"] * 4)
            continue
        table.add_row(
            Text(pair.contrast),
            _range([number(sd) for sd in (found.sigmas[0], found.sigmas[-1])], " pp"),
            _range([_share(share) for share in found.turns], "%"),
            "> " + _range([number(least) for least in found.proven_above], " pp"),
            _range([f"{n:,}" for n in found.seeds]),
        )
    return table


def sources(claim: Claim, shipped: bool) -> Iterator[str]:
    """Where the SDs were measured, and where they were smallest and largest."""
    recipes = [pair.recipes for pair in claim.pairs if pair.recipes is not None]
    folders = sorted({prior.source for found in recipes for prior in found.of})
    whose = "shipped studies" if shipped else "your study"
    yield f"SDs over seeds as measured in {whose}: {', '.join(folders)}."
    ends: dict[str, list[str]] = {}
    for pair in claim.pairs:
        if pair.recipes is not None:
            low, high = pair.recipes.of[0], pair.recipes.of[-1]
            ends.setdefault(f"{low.place} to {high.place}", []).append(pair.contrast)
    for places, names in ends.items():
        yield f"{listed(names)}: from {places}."


def takes(claim: Claim) -> Iterator[str]:
    """What it would take to know, and what no number here can say."""
    if claim.counts is not None:
        yield (
            "To know of these files: their predictions, on the same test examples "
            "(ptq-vs-qat compare A.tflite B.tflite --data DATA)."
        )
        churns = [prior.churn for pair in claim.pairs if pair.recipes for prior in pair.recipes.of]
        if churns:
            share = claim.delta / 100
            ends = [max(end, share) for end in (min(churns), max(churns))]
            needed = [examples_needed(share, end, claim.alpha) for end in ends]
            shown = [f"{MOST_EXAMPLES:,}+" if n is None else f"{n:,}" for n in needed]
            yield (
                f"Two files that truly differ by {claim.delta:g} pp are told apart, with 80% "
                f"power, on {_range(shown)} test examples."
            )
    yield (
        "To know of these recipes: many seeds, each arm from the same float models "
        "(ptq-vs-qat run STUDY)."
    )
    yield (
        "The claim and its rerun both scatter around a difference that nobody knows; a claim that "
        "was chosen because it surprises turns more often than is said here."
    )


def _difference(pair: Pair) -> str:
    return f"{pair.numbers.difference:+.10g} pp".replace("-", MINUS)


def _share(share: float) -> str:
    return "<0.1" if share < 0.001 else f"{100 * share:.1f}"


def _range_of_p(low: float | None, high: float | None) -> str:
    return _range([p_value(low), p_value(high)])


def _range(ends: Sequence[str], unit: str = "") -> str:
    """`0.3 to 12 pp`, once where both ends read the same."""
    return " to ".join(dict.fromkeys(ends)) + unit
