"""Numbers and verdicts in words: the one place that says what a verdict means."""

from collections.abc import Iterable, Sequence
from math import floor, isfinite, log10

from bench.analysis import Analysis, Comparison, Population, Setting, Value, Varying
from bench.report.content import Cell, Text, code
from bench.statistics.checks import Interval
from bench.study import units
from bench.study.factors import FACTORS

MINUS = "\N{MINUS SIGN}"

POPULATIONS: dict[Population, Text] = {
    "seeds": "new seeds on this test set",
    "seeds+examples": "new seeds and new test examples",
}
"""Whom a conclusion speaks about."""

MOST_DIGITS = 6
"""More than usual, that show on which side of a bound a number lies."""

MOST_ROWS = 500
"""Of a table in the report: a browser bears no more, and nobody reads them."""

SLUGS: dict[Population, str] = {"seeds": "", "seeds+examples": "-examples"}
"""What a population adds to an id or file name."""


def number(value: float | None, unit: str = "pp", sign: bool = False, digits: int = 0) -> Text:
    """A value for the reader: two decimals (pp), or three significant digits; `–` for None.

    digits: how many more than that.
    """
    if value is None:
        return "–"
    if not isfinite(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    decimals = 2 if abs(value) < 9.995 else 1
    if not unit.startswith("pp") and value:
        if not 1e-6 <= abs(value) < 1e8:
            shown = f"{value:{'+' if sign else ''}.{3 + digits}g}"
            return shown.replace("-", MINUS)
        decimals = min(max(2 - floor(log10(abs(value))), 0), 12)
    text = f"{abs(value):.{decimals + digits}f}"
    zero = not text.strip("0.")
    prefix = "" if zero else MINUS if value < 0 else "+" if sign else ""
    return prefix + text


def in_sum(value: float) -> Text:
    """pp, signed, with two decimals whatever the size, so that parts add up to their sum."""
    return signed(value, digits=0 if abs(value) < 9.995 else 1)


def exact(value: float, unit: str, beside: Sequence[float]) -> tuple[Text, int]:
    """A signed value with as many digits as keep it on its side of each number in `beside`, and how
    many those are more than usual: +0.4996, not +0.50, beside 0.5.

    Where not even MOST_DIGITS more do, it differs by the noise of a sum of floats, and is rounded.
    """
    for digits in range(MOST_DIGITS + 1):
        text = signed(value, unit, digits)
        shown = read(text)
        if all((shown > other) - (shown < other) == (value > other) - (value < other)
               for other in beside):  # fmt: skip
            return text, digits
    return signed(value, unit), 0


def read(text: Text) -> float:
    """The number that a text of `number` shows."""
    return float(text.replace(MINUS, "-").replace("∞", "inf"))


def signed(value: float | None, unit: str = "pp", digits: int = 0) -> Text:
    return number(value, unit, sign=True, digits=digits)


def interval(ends: Interval | None, unit: str = "pp") -> Text:
    return "–" if ends is None else f"[{signed(ends.low, unit)}, {signed(ends.high, unit)}]"


def p_value(p: float | None, alpha: float | None = None) -> Text:
    """A p-value, never rounded to 0 or up to 1; with as many digits as show whether it is at most
    alpha, where that is given."""
    if p is None:
        return "–"
    text = f"{p:.4f}" if p < 0.01 else f"{min(p, 0.99999):.3f}" if p < 0.9995 else "1.000"
    if alpha is not None and (float(text) <= alpha) != (p <= alpha):
        digits = (f"{p:.{n}g}" for n in range(3, 3 + MOST_DIGITS))
        text = next((each for each in digits if (float(each) <= alpha) == (p <= alpha)), text)
    elif p < 0.0001:
        text = "<0.0001"
    return text


def percent(share: float | None, decimals: int = 1) -> Text:
    return "–" if share is None else f"{100 * share:.{decimals}f}%"


def trimmed(value: float | None) -> Text:
    """A declared number as its author wrote it: `0.5`."""
    return "–" if value is None else f"{value:.10g}"


def count(n: int, noun: str, plural: str = "") -> Text:
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def every(n: int) -> Text:
    """`both`, `all 16`"""
    return "both" if n == 2 else f"all {n:,}"


def first_of(rows: Sequence[object], most: int = MOST_ROWS) -> Text:
    """What a caption says where only the first rows are shown: ` (the first 500 of 812)`."""
    return f" (the first {most:,} of {len(rows):,})" if len(rows) > most else ""


def listed(items: Iterable[str], joint: str = "and") -> Text:
    """`a`, `a and b`, `a, b and c`."""
    *head, last = items
    return f"{', '.join(head)} {joint} {last}" if head else last


def number_cell(value: float | None, unit: str = "pp", sign: bool = False) -> Cell:
    return Cell(number(value, unit, sign), value)


def p_cell(p: float | None, alpha: float | None = None) -> Cell:
    return Cell(p_value(p, alpha), p)


def budget(analysis: Analysis, n: int) -> Text:
    """`4 epochs`, or what else a budget counts."""
    return units.amount(n, analysis.budget_counts)


def after(analysis: Analysis, budgets: Sequence[int]) -> Text:
    """`after 1 and 2 epochs`; `at budgets 1 and 2`."""
    return units.after(budgets, analysis.budget_counts)


def in_units(analysis: Analysis, text: Text) -> Text:
    """What is said of arms as epochs, in the study's units."""
    return units.worded(text, analysis.budget_counts, analysis.extra_counts)


def value(of: Value, factor: str = "") -> Text:
    """A level as a study writes it."""
    if of is None and factor in FACTORS:
        of = FACTORS[factor].shown(of)
    return "none" if of is None else f"{of:g}" if isinstance(of, float) else str(of)


def place(setting: Setting, varying: Varying) -> Text:
    """The setting as a short label, of what differs between settings: `digits, E = 4`."""
    parts = []
    for name, of in setting.fields().items():
        if name == "budget" and of is not None:
            parts.append(f"E = {of}")
        elif name == "extra" and of is not None and name in varying:
            parts.append(f"k = {of}")
        elif name in ("dataset", "model") and name in varying:
            parts.append(value(of))
        elif name in varying and name not in ("budget", "extra", *varying.in_recipes):
            level = value(of, name)
            said = "as the model says" if level == "model" else level
            parts.append(f"{name.replace('_', ' ')} {said}")
    if recipes := varying.recipes_of(setting):
        parts.insert(0, f"recipe{'s' if len(recipes) > 1 else ''} {listed(recipes, 'or')}")
    return ", ".join(parts)


def panel(setting: Setting, varying: Varying) -> Text:
    """The same without the budget; empty where there is but one panel."""
    return place(setting.panel, varying)


def population(analysis: Analysis, of: Population) -> Text:
    """Whom a conclusion speaks about; what else was held fixed in somebody's own table is theirs to
    know."""
    examples = "new groups of test examples" if analysis.in_groups else "new test examples"
    if analysis.study is not None:
        return POPULATIONS[of].replace("new test examples", examples)
    also = f" and {examples}" if of == "seeds+examples" else ""
    return f"new seeds{also}, all else as in the table"


def metric(name: str, lower_is_better: bool | None) -> Text:
    """A metric's name and direction in brackets, ` (mae, lower is better)`; of an accuracy, whose
    direction everybody knows, nothing."""
    if name == "accuracy":
        return ""
    direction = {True: ", lower is better", False: ", higher is better", None: ""}
    return f" ({code(name)}{direction[lower_is_better]})"


def setting_meaning(analysis: Analysis) -> Text:
    """What a column of settings says."""
    if analysis.ours:
        e, k = analysis.budget_counts, analysis.extra_counts
        return f"E: float {e}; k: {k} more; and what else differs here"
    if analysis.study is not None or "budget" in analysis.varying:
        return "E: the budget; k: what it had more; and what else differs here"
    return "what differs between the settings here"


def seeds(comparison: Comparison) -> Text:
    """The pairs that it rests on, and of how many where some are missing: `19 of 20`."""
    n, planned = comparison.n_seeds, comparison.pairs.planned
    return f"{n}" if n == planned else f"{n} of {planned}"


def signed_tick(tick: float) -> Text:
    return f"{tick:+g}".replace("-", MINUS) if tick else "0"


def level(analysis: Analysis) -> Text:
    return f"{100 * (1 - analysis.alpha):g}%"
