"""Verdicts in words, beside the numbers that they rest on: the one place that words them.

Each function is about one comparison. Names of arms come as they stand in the sentence.
"""

from collections.abc import Iterable, Sequence

from bench.analysis import Analysis, Comparison
from bench.report.content import Cell, Text, code
from bench.report.words import (
    MOST_DIGITS,
    count,
    exact,
    listed,
    p_value,
    place,
    read,
    signed,
    trimmed,
)
from bench.statistics.families import Verdict
from bench.study import units

DIRECTED = (Verdict.MATTERS, Verdict.TOO_SMALL, Verdict.SIZE_UNDECIDED)
"""Verdicts that say which of two arms is above."""

EQUAL = "equal in every seed"
"""In an interval's place, where all seeds have the same difference."""

NAMES = {
    "float": "the float model",
    "ptq": "PTQ",
    "qat": "QAT",
    "ptq+k": "PTQ after as much training",
}
"""Arms of a study in a sentence; the others have their own names."""


def label(c: Comparison) -> Text:
    """The verdict in a few words."""
    if c.pairs.impossible:
        return "impossible here"
    return "no effect of the seed" if c.pairs.unmoved else str(c.verdict)


def verdict_cell(c: Comparison) -> Cell:
    """The verdict for a table, with what it rests on where the interval does not show that."""
    return Cell(", ".join(text for text in (label(c), basis(c)) if text))


def mean(c: Comparison) -> float | None:
    """Of the seeds that the interval beside it rests on: in a sequential study, of the last look's.

    None where there is no pair.
    """
    return c.looks[-1].mean if c.looks else c.mean


def seeds(c: Comparison) -> int:
    """How many pairs its mean and interval rest on: in a sequential study, the last look's."""
    return c.looks[-1].n if c.looks else c.n_seeds


def direction(c: Comparison) -> int:
    """1 where the verdict says that the first arm is above, -1 for below, else 0."""
    return (1 if (mean(c) or 0) > 0 else -1) if c.verdict in DIRECTED else 0


def numbers(c: Comparison) -> tuple[Text, Text]:
    """The mean and the family's interval, `–` where there is none; of equal differences, whose
    interval has no width, that they are equal.

    With as many digits as show on which side of 0 and of the smallest difference that matters they
    lie, and the mean within its interval.
    """
    middle, ends, unit = mean(c), c.simultaneous, c.pairs.unit
    bounds: tuple[float, ...] = (0.0,)
    if middle is None:
        return "–", "–"
    shown, digits = exact(middle, unit, bounds if c.verdict in DIRECTED else ())
    if ends is None:
        return shown, "–"
    if is_constant(c):
        return shown, EQUAL
    if c.pairs.margin is not None:
        bounds = (0.0, c.pairs.margin, -c.pairs.margin)
    (low, of_low), (high, of_high) = (exact(end, unit, bounds) for end in ends)
    digits = max(digits, of_low, of_high)
    while not read(low) <= read(shown) <= read(high) and digits < MOST_DIGITS:
        shown, low, high = (signed(value, unit, digits) for value in (middle, *ends))
        digits += 1
    return shown, f"[{low}, {high}]"


def mean_cell(c: Comparison) -> Cell:
    return Cell(numbers(c)[0], mean(c))


def interval_cell(c: Comparison) -> Cell:
    """The family's interval."""
    return Cell(numbers(c)[1], c.simultaneous and c.simultaneous.low)


def estimate(c: Comparison) -> Text:
    """Mean and the family's interval, the one that belongs to the verdict:
    `−5.40 pp [−17.3, +6.60]`, and what else the verdict rests on.

    Of equal differences that they are equal: their interval has no width, and is no measure of what
    is not known.
    """
    if c.mean is None:
        return "no pair of results"
    middle, ends = numbers(c)
    text = f"{middle} {c.pairs.unit}"
    if is_constant(c):
        text += " in every seed"
    elif c.simultaneous is not None:
        text += f" {ends}"
    text = text.replace(" ", "\N{NO-BREAK SPACE}")
    if seeds(c) != c.n_seeds:
        text += f" at the look after {seeds(c)} seeds"
    return ", ".join(each for each in (text, basis(c)) if each)


def estimates(group: Iterable[Comparison]) -> Text:
    """Of several comparisons, in their order."""
    said = [estimate(c) for c in group]
    return "; ".join(said) if any(", " in text.partition("]")[2] for text in said) else listed(said)


def is_constant(c: Comparison) -> bool:
    """Has every seed the same difference, so that the interval has no width?"""
    if c.pairs.test is None or not c.pairs.test.constant:
        return False
    return c.simultaneous is None or c.simultaneous.low == c.simultaneous.high


def basis(c: Comparison) -> Text:
    """What the verdict rests on where the family's interval does not show it; else empty.

    Equivalence rests on the interval at 1 - 2 alpha/m or on a step of Holm's, the direction of a
    difference on the p-value (the protocol's Verdicts, docs/method.md).
    """
    ends, margin = c.simultaneous, c.pairs.margin
    if ends is None or c.looks or is_constant(c):
        return ""
    step = "Benjamini-Hochberg's step" if c.family == "exploratory" else "Holm's step"
    said = []
    if c.verdict in DIRECTED and ends.holds(0):
        said.append(f"the direction by {step}, {_corrected(c, c.p_adjusted)}")
    alike = c.verdict in (Verdict.EQUIVALENT, Verdict.TOO_SMALL)
    if alike and margin is not None and not ends.within(margin):
        narrower = c.equivalence_interval
        if narrower is not None and narrower.within(margin):
            bounds = (0.0, margin, -margin)
            low, high = (exact(end, c.pairs.unit, bounds)[0] for end in narrower)
            level = f"{100 * (1 - 2 * c.alpha):g}%"
            said.append(f"shown by the {level} interval [{low}, {high}]")
        else:
            said.append(f"shown by {step}, {_corrected(c, c.p_equivalence_adjusted)}")
    inside = margin is not None and ends.within(margin)
    if c.verdict in (Verdict.UNDECIDED, Verdict.SIZE_UNDECIDED) and inside:
        said.append(f"equivalence not shown, {_corrected(c, c.p_equivalence_adjusted)}")
    return ", ".join(said)


def _corrected(c: Comparison, p: float | None) -> Text:
    return f"corrected p = {p_value(p, c.alpha)}".replace("= <", "< ")


def unmoved(c: Comparison) -> Text:
    """Of arms to which every seed gives the same value: why there is no verdict."""
    still = listed(code(name) for name in c.pairs.unmoved)
    return (
        f"the seed has no effect on {still} here: {count(c.n_seeds, 'seed')} gave one "
        "value, so that nothing follows about new seeds"
    )


def impossible(c: Comparison) -> Text:
    """Of arms that cannot be: why."""
    return "; ".join(
        f"{NAMES.get(name, code(name))} is impossible here: {code(why)}"
        for name, why in c.pairs.impossible.items()
    )


def too_few(c: Comparison) -> Text:
    """`12 seeds are too few`, `no seed has both results`."""
    if not c.n_seeds:
        return "no seed has the results that it takes"
    return f"{count(c.n_seeds, 'seed')} {'is' if c.n_seeds == 1 else 'are'} too few"


def too_few_groups(c: Comparison) -> Text:
    """`6 groups of test examples are too few`."""
    n = c.pairs.groups.sizes.size if c.pairs.groups is not None else 0
    return f"{count(n, 'group')} of test examples {'is' if n == 1 else 'are'} too few"


def arms(c: Comparison) -> tuple[Text, Text]:
    """Its two arms in a sentence; those of somebody's own table are no more than their names."""
    names = c.pairs.contrast.a, c.pairs.contrast.b
    a, b = (code(name) if c.pairs.of_values else NAMES.get(name, code(name)) for name in names)
    return a, b


def side(c: Comparison) -> Text:
    """above or below; better or worse where the metric's direction is known."""
    above, lower = direction(c) > 0, c.pairs.lower_is_better
    if lower is None:
        return "above" if above else "below"
    return "better than" if above != lower else "worse than"


def within(c: Comparison) -> Text:
    """The smallest difference that matters, as its author wrote it; of a slope, the one that it
    makes over all levels."""
    unit = c.pairs.unit.removesuffix(" per doubling")
    over = " over all levels" if c.pairs.kind == "slope" else ""
    return f"{trimmed(c.pairs.delta)} {unit}{over}"


def verdict(c: Comparison, how: Text = "") -> Text:
    """The verdict as a clause about its two arms, never more than the data say.

    how: `above`, `better than`; by default above or below.
    """
    a, b = arms(c)
    if c.pairs.unmoved:
        return unmoved(c)
    if c.pairs.impossible:
        return impossible(c)
    match c.verdict:
        case Verdict.WITHHELD:
            return f"no verdict on {a} and {b} is given"
        case Verdict.EQUIVALENT:
            return f"{a} and {b} are equivalent within {within(c)}"
        case Verdict.UNDECIDED:
            return f"it is undecided whether {a} differs from {b}"
        case Verdict.TOO_FEW_SEEDS:
            return f"{too_few(c)} for a verdict on {a} and {b}"
        case Verdict.TOO_FEW_GROUPS:
            return f"{too_few_groups(c)} for a verdict on {a} and {b}"
    return f"{a} is {how or ('above' if direction(c) > 0 else 'below')} {b}{_size(c)}"


def change(analysis: Analysis, c: Comparison) -> Text:
    """An interaction's verdict as a clause: how the contrast changes with the budget."""
    low, high = c.pairs.level, c.pairs.reference
    unit = analysis.budget_counts
    few = units.after((int(low or 0),), unit)
    many = f"{'at' if unit is None else 'after'} {high}"
    between = f"between {low} and {high} {unit}" if unit else f"between budgets {low} and {high}"
    return _changed(
        c,
        differs=f"{'higher' if direction(c) > 0 else 'lower'} {few} than {many}",
        alike=f"{few} and {many}",
        whether=f"whether it differs {between}",
    )


def effect(c: Comparison) -> Text:
    """An effect's verdict as a clause: how the contrast changes with a factor."""
    pairs = c.pairs
    factor = (pairs.factor or "").replace("_", " ")
    step = f"with {code(factor)} {code(pairs.level)} instead of {code(pairs.reference)}"
    if pairs.kind == "slope":
        step = f"per doubling of {code(factor)}"
    return _changed(
        c,
        differs=f"{'higher' if direction(c) > 0 else 'lower'} {step}",
        alike=step,
        whether=f"whether it changes {step}",
    )


def _changed(c: Comparison, differs: Text, alike: Text, whether: Text) -> Text:
    if c.pairs.unmoved:
        return unmoved(c)
    match c.verdict:
        case Verdict.WITHHELD:
            return f"withheld ({'; '.join(c.withheld)})"
        case Verdict.TOO_FEW_SEEDS:
            return f"{too_few(c)} to say {whether}"
        case Verdict.TOO_FEW_GROUPS:
            return f"{too_few_groups(c)} to say {whether}"
        case Verdict.EQUIVALENT:
            return f"equivalent within {within(c)} {alike}"
        case Verdict.UNDECIDED:
            return f"undecided {whether}"
    return f"{differs}{_size(c)}"


def with_numbers(c: Comparison, said: Text) -> Text:
    """A clause of `change` or `effect`, and the numbers where it speaks of them."""
    numberless = (Verdict.WITHHELD, Verdict.TOO_FEW_SEEDS, Verdict.TOO_FEW_GROUPS)
    return said if c.verdict in numberless else f"{said} ({estimate(c)})"


def sentence(text: Text) -> Text:
    """The text with a capital."""
    return text[:1].upper() + text[1:]


def _size(c: Comparison) -> Text:
    """Of a difference: what is known of its size."""
    match c.verdict:
        case Verdict.MATTERS:
            return f" by more than {within(c)}"
        case Verdict.TOO_SMALL:
            return f", but by less than {within(c)}"
    return "" if c.pairs.delta is None else f", whether by more than {within(c)} is undecided"


def rows_in_words(analysis: Analysis, rows: Sequence[Comparison], most: int = 40) -> str:
    """Rows of a figure for who cannot see it."""
    said = []
    for c in rows[:most]:
        where = place(c.setting, analysis.varying)
        middle, ends = numbers(c)
        verdict_said = ", ".join(text for text in (label(c), basis(c)) if text)
        said.append(
            f"{c.name}{', ' + where if where else ''}: {middle} {c.pairs.unit} {ends}, "
            f"{verdict_said}"
        )
    more = f"; and {len(rows) - most} more" if len(rows) > most else ""
    return "; ".join(said) + more
