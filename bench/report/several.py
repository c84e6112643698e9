"""One contrast at several settings: counts of verdicts, overall effect, in how many it holds."""

from collections.abc import Sequence

from bench.analysis import Analysis, Comparison
from bench.report import sentences, words
from bench.report.content import Text
from bench.statistics import conjunction, families
from bench.statistics.families import Verdict


def counts(members: Sequence[Comparison]) -> Text:
    """`Of 12 settings: undecided in 8; different and it matters in 4 (QAT below PTQ).`"""
    said: dict[Text, int] = {}
    for c in members:
        side = {1: "above", -1: "below", 0: ""}[sentences.direction(c)]
        a, b = sentences.arms(c)
        key = f"{sentences.label(c)} in {{}}{f' ({a} {side} {b})' if side else ''}"
        said[key] = said.get(key, 0) + 1
    ordered = sorted(said, key=lambda key: -said[key])
    shown = "; ".join(key.replace("{}", str(said[key]), 1) for key in ordered)
    return f"Of {words.count(len(members), 'setting')}: {shown}."


def overall(analysis: Analysis, members: Sequence[Comparison]) -> Comparison | None:
    """The overall effect of a contrast, given at its settings; None where there is none."""
    first = members[0]
    found = (
        c
        for c in analysis.select(first.population, "overall", first.name)
        if c.pairs.metric == first.pairs.metric and c.mean is not None
    )
    return next(found, None)


def headline(analysis: Analysis, members: Sequence[Comparison]) -> Text:
    """One contrast at several settings in one sentence, without its full stop: the overall effect
    between its smallest and its largest setting; verdicts counted where it has none."""
    whole, known = overall(analysis, members), known_of(members)
    silent = (Verdict.WITHHELD, Verdict.TOO_FEW_SEEDS, Verdict.TOO_FEW_GROUPS)
    if whole is None or len(known) < 2 or whole.verdict in silent or whole.pairs.unmoved:
        a, b = sentences.arms(members[0])
        counted = counts(members).removesuffix(".")
        said = f"{sentences.sentence(a)} against {b}, {counted[0].lower()}{counted[1:]}"
        there = [c for c in members if c.mean is not None]
        return f"{said}; {_ends(analysis, there)}" if len(there) > 1 else said
    verdict = sentences.with_numbers(whole, sentences.verdict(whole, sentences.side(whole)))
    said = f"{_where(whole, known)} {verdict}, {_ends(analysis, known)}"
    if _in_both(known, _holds(known, whole, analysis.alpha)[0]):
        said += ", and the settings differ in both directions"
    if cared := sum(bool(c.qualified) for c in known):
        said += f"; {cared} of these settings {'is' if cared == 1 else 'are'} to be read with care"
    return sentences.sentence(said)


def together(analysis: Analysis, members: Sequence[Comparison]) -> Text:
    """The overall effect, never alone: the smallest and the largest setting stand beside it, and in
    how many settings it holds (the protocol's Several settings, docs/method.md).

    Empty where there are not two settings with numbers.
    """
    whole, known = overall(analysis, members), known_of(members)
    if whole is None or len(known) < 2:
        return ""
    said = f"{_where(whole, known)} {sentences.estimate(whole)}, {sentences.label(whole)}"
    said += f"; {_ends(analysis, known)}"
    both, holds = _holds(known, whole, analysis.alpha)
    both = _in_both(known, both)
    said = f"The settings differ in both directions; {said}." if both else f"{said}."
    return f"{sentences.sentence(said)} {holds}".strip()


def counted(analysis: Analysis, members: Sequence[Comparison]) -> bool:
    """Is it said of any of these contrasts in how many settings it holds?"""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for c in members:
        groups.setdefault((c.name, c.pairs.metric), []).append(c)
    for of in groups.values():
        whole, known = overall(analysis, of), known_of(of)
        if whole is not None and len(known) > 1 and _holds(known, whole, analysis.alpha)[1]:
            return True
    return False


def known_of(members: Sequence[Comparison]) -> list[Comparison]:
    """Those that an overall effect is over."""
    return [c for c in members if c.mean is not None and c.family == "primary"]


def _where(whole: Comparison, known: Sequence[Comparison]) -> Text:
    where = f"over {words.every(len(known))} settings together"
    if whole.pairs.parts:
        where += ", each on seeds of its own,"
    elif any(sentences.seeds(c) != whole.n_seeds for c in known):
        where += f", on {words.count(whole.n_seeds, 'seed')} that all of them have,"
    return where


def _ends(analysis: Analysis, known: Sequence[Comparison]) -> Text:
    """`from −1.58 (E = 1) to +11.1 (E = 8)`"""
    low, high = (
        f"{sentences.numbers(c)[0]} ({words.place(c.setting, analysis.varying)})"
        for c in ends(known)
    )
    return f"from {low} to {high}"


def ends(known: Sequence[Comparison]) -> tuple[Comparison, Comparison]:
    """The settings with the smallest and with the largest mean."""
    ordered = sorted(known, key=lambda c: sentences.mean(c) or 0.0)
    return ordered[0], ordered[-1]


def _in_both(known: Sequence[Comparison], shown: bool) -> bool:
    return shown or {1, -1} <= {sentences.direction(c) for c in known}


def _holds(known: Sequence[Comparison], whole: Comparison, alpha: float) -> tuple[bool, Text]:
    """Does it hold in both directions, and the sentence that says in how many settings; empty where
    some setting has too few seeds for any claim, or no verdict."""
    fewest = families.fewest_seeds(alpha, len(known))
    silent = (c.n_seeds < fewest or c.verdict == Verdict.WITHHELD or c.pairs.unmoved for c in known)
    if any(silent):
        return False, ""
    tests = [c.estimate for c in known if c.estimate is not None]
    found = conjunction.directions(tests, alpha)
    a, b = sentences.arms(whole)
    these = "both" if len(known) == 2 else f"these {len(known)}"
    said = (
        f"Corrected over {these} settings alone, {a} is shown to be above {b} "
        f"{_in(found.positive.u, known)}, below it {_in(found.negative.u, known)}"
    )
    if whole.pairs.delta is not None:
        same = conjunction.equivalent(tests, whole.pairs.delta, alpha)
        said += f", equivalent within {sentences.within(whole)} {_in(same.u, known)}"
    return found.both, f"{said}."


def _in(u: int, of: Sequence[Comparison]) -> Text:
    if not u:
        return "in none"
    return f"in {words.every(u)}" if u == len(of) else f"in at least {u}"
