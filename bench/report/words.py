"""Numbers and verdicts in words: the one place that says what a verdict means."""

from collections.abc import Iterable, Sequence
from math import floor, isfinite, log10

from bench.analysis import Analysis, Comparison, Population, Setting, Value
from bench.report.content import Cell, Text, code
from bench.statistics.checks import Interval
from bench.statistics.families import Verdict
from bench.study.factors import FACTORS

MINUS = "\N{MINUS SIGN}"

POPULATIONS: dict[Population, Text] = {
    "seeds": "new seeds on this test set",
    "seeds+examples": "new seeds and new test examples",
}
"""Whom a conclusion speaks about."""

MOST_ROWS = 500
"""Of a table in the report: a browser bears no more, and nobody reads them."""

SLUGS: dict[Population, str] = {"seeds": "", "seeds+examples": "-examples"}
"""What a population adds to an id or file name."""


def number(value: float | None, unit: str = "pp", sign: bool = False) -> Text:
    """A value for the reader: two decimals (pp), or three significant digits; `–` for None."""
    if value is None:
        return "–"
    if not isfinite(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    decimals = 2 if abs(value) < 9.995 else 1
    if not unit.startswith("pp") and value:
        if not 1e-6 <= abs(value) < 1e8:
            return f"{value:{'+' if sign else ''}.3g}".replace("-", MINUS)
        decimals = min(max(2 - floor(log10(abs(value))), 0), 12)
    text = f"{abs(value):.{decimals}f}"
    zero = not text.strip("0.")
    prefix = "" if zero else MINUS if value < 0 else "+" if sign else ""
    return prefix + text


def signed(value: float | None, unit: str = "pp") -> Text:
    return number(value, unit, sign=True)


def interval(ends: Interval | None, unit: str = "pp") -> Text:
    return "–" if ends is None else f"[{signed(ends.low, unit)}, {signed(ends.high, unit)}]"


def p_value(p: float | None) -> Text:
    if p is None:
        return "–"
    if p < 0.0001:
        return "<0.0001"
    return f"{p:.4f}" if p < 0.01 else f"{min(p, 0.99999):.3f}" if p < 0.9995 else "1.000"


def percent(share: float | None, decimals: int = 1) -> Text:
    return "–" if share is None else f"{100 * share:.{decimals}f}%"


def trimmed(value: float | None) -> Text:
    """A declared number as its author wrote it: `0.5`."""
    return "–" if value is None else f"{value:.10g}"


def count(n: int, noun: str, plural: str = "") -> Text:
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def listed(items: Iterable[str], joint: str = "and") -> Text:
    """`a`, `a and b`, `a, b and c`."""
    *head, last = items
    return f"{', '.join(head)} {joint} {last}" if head else last


def number_cell(value: float | None, unit: str = "pp", sign: bool = False) -> Cell:
    return Cell(number(value, unit, sign), value)


def p_cell(p: float | None) -> Cell:
    return Cell(p_value(p), p)


def epochs(n: int) -> Text:
    return count(n, "epoch")


def value(of: Value, factor: str = "") -> Text:
    """A level as a study writes it."""
    if of is None and factor in FACTORS:
        of = FACTORS[factor].shown(of)
    return "none" if of is None else f"{of:g}" if isinstance(of, float) else str(of)


def place(setting: Setting, varying: Sequence[str]) -> Text:
    """The setting as a short label, of what differs between settings: `digits, E = 4`."""
    parts = []
    for name, of in setting.fields().items():
        if name == "budget" and of is not None:
            parts.append(f"E = {of}")
        elif name == "extra" and of is not None and name in varying:
            parts.append(f"k = {of}")
        elif name in ("dataset", "model") and name in varying:
            parts.append(value(of))
        elif name in varying and name not in ("budget", "extra"):
            level = value(of, name)
            said = "as the model says" if level == "model" else level
            parts.append(f"{name.replace('_', ' ')} {said}")
    return ", ".join(parts)


def panel(setting: Setting, varying: Sequence[str]) -> Text:
    """The same without the budget; empty where there is but one panel."""
    return place(setting.panel, varying)


def arm(name: str) -> Text:
    """An arm in a sentence."""
    return "the float model" if name == "float" else code(name)


def population(analysis: Analysis, of: Population) -> Text:
    """Whom a conclusion speaks about; what else was held fixed in somebody's own table is theirs to
    know."""
    return POPULATIONS[of] if analysis.study is not None else "new seeds, all else as in the table"


def setting_meaning(analysis: Analysis) -> Text:
    """What a column of settings says."""
    if analysis.study is not None or "budget" in analysis.varying:
        return "E: float epochs; k: epochs more; and what else differs here"
    return "what differs between the settings here"


def verdict_label(comparison: Comparison) -> Text:
    """The verdict for a table's cell."""
    return "no effect of the seed" if comparison.pairs.unmoved else str(comparison.verdict)


def unmoved(comparison: Comparison) -> Text:
    """Of arms to which every seed gives the same value: why there is no verdict."""
    still = listed(code(name) for name in comparison.pairs.unmoved)
    return (
        f"the seed has no effect on {still} here: {count(comparison.n_seeds, 'seed')} gave one "
        "value, so that nothing follows about new seeds"
    )


def arms(comparison: Comparison) -> tuple[Text, Text]:
    """Its two arms in a sentence; those of somebody's own table are no more than their names."""
    names = comparison.pairs.contrast.a, comparison.pairs.contrast.b
    a, b = (code(name) if comparison.pairs.of_values else arm(name) for name in names)
    return a, b


def verdict(comparison: Comparison) -> Text:
    """The verdict as a clause about its two arms, never more than the data say."""
    if comparison.pairs.unmoved:
        return unmoved(comparison)
    a, b = arms(comparison)
    mean, unit = comparison.mean or 0.0, comparison.pairs.unit
    side = "above" if mean > 0 else "below"
    delta = comparison.pairs.delta
    within = trimmed(delta)
    match comparison.verdict:
        case Verdict.MATTERS:
            return f"{a} is {side} {b}, by more than {within} {unit}"
        case Verdict.TOO_SMALL:
            return f"{a} is {side} {b}, but by less than {within} {unit}"
        case Verdict.SIZE_UNDECIDED:
            beyond = "" if delta is None else f"; whether by more than {within} {unit} is undecided"
            return f"{a} is {side} {b}{beyond}"
        case Verdict.EQUIVALENT:
            return f"{a} and {b} are equivalent within {within} {unit}"
        case Verdict.UNDECIDED:
            return f"whether {a} and {b} differ is undecided"
        case Verdict.WITHHELD:
            return f"no verdict on {a} and {b} is given ({'; '.join(comparison.withheld)})"
    return f"too few seeds to say anything about {a} and {b}"


def estimate(comparison: Comparison) -> Text:
    """Mean and the family's interval, the one that belongs to the verdict:
    `−5.40 pp [−17.3, +6.60]`; of equal differences that they are equal: their interval has no
    width, and is no measure of what is not known."""
    if comparison.mean is None:
        return "no pair of results"
    unit = comparison.pairs.unit
    mean = f"{signed(comparison.mean, unit)} {unit}"
    if comparison.pairs.test is not None and comparison.pairs.test.constant:
        return f"{mean} in every seed".replace(" ", "\N{NO-BREAK SPACE}")
    if comparison.simultaneous is None:
        return mean
    text = f"{mean} {interval(comparison.simultaneous, unit)}"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def seeds(comparison: Comparison) -> Text:
    """The pairs that it rests on, and of how many where some are missing: `19 of 20`."""
    n, planned = comparison.n_seeds, comparison.pairs.planned
    return f"{n}" if n == planned else f"{n} of {planned}"


def signed_tick(tick: float) -> Text:
    return f"{tick:+g}".replace("-", MINUS) if tick else "0"


def budget_ends(analysis: Analysis) -> tuple[int, int]:
    """The smallest and the largest budget; at least one sample has one."""
    budgets = [s.setting.budget for s in analysis.samples if s.setting.budget is not None]
    return min(budgets), max(budgets)


def change(comparison: Comparison, analysis: Analysis) -> Text:
    """An interaction's verdict as a clause: how the contrast changes with the budget."""
    if comparison.pairs.unmoved:
        return unmoved(comparison)
    low, high = budget_ends(analysis)
    few, many = f"after {count(low, 'epoch')}", f"after {high}"
    side = "higher" if (comparison.mean or 0) > 0 else "lower"
    delta, unit = comparison.pairs.delta, comparison.pairs.unit
    within = f"{trimmed(delta)} {unit}"
    numbers = estimate(comparison)
    match comparison.verdict:
        case Verdict.MATTERS:
            return f"{side} {few} than {many}, by more than {within} ({numbers})"
        case Verdict.TOO_SMALL:
            return f"{side} {few} than {many}, but by less than {within} ({numbers})"
        case Verdict.SIZE_UNDECIDED:
            open_size = "" if delta is None else f", whether by more than {within} is open"
            return f"{side} {few} than {many}{open_size} ({numbers})"
        case Verdict.EQUIVALENT:
            return f"equivalent within {within} {few} and {many} ({numbers})"
        case Verdict.UNDECIDED:
            return f"undecided whether it differs between {low} and {high} epochs ({numbers})"
        case Verdict.WITHHELD:
            return f"withheld ({'; '.join(comparison.withheld)})"
    return f"too few seeds to say whether it differs between {low} and {high} epochs"


def rows_in_words(analysis: Analysis, rows: Sequence[Comparison], most: int = 40) -> str:
    """Rows of a figure for who cannot see it."""
    said = []
    for c in rows[:most]:
        label = place(c.setting, analysis.varying)
        said.append(
            f"{c.name}{', ' + label if label else ''}: {signed(c.mean, c.pairs.unit)} "
            f"{c.pairs.unit} {interval(c.simultaneous, c.pairs.unit)}, {verdict_label(c)}"
        )
    more = f"; and {len(rows) - most} more" if len(rows) > most else ""
    return "; ".join(said) + more


def level(analysis: Analysis) -> Text:
    return f"{100 * (1 - analysis.alpha):g}%"
