"""The answer, in a few sentences of plain words, to what was asked in the thread."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from bench.analysis import Analysis, Comparison, Population, Setting, splits
from bench.analysis.alike import unlike
from bench.report import words
from bench.report.content import Block, Bullets, Paragraph, Section, Text, code
from bench.report.sections.one_run import outcomes
from bench.statistics import conjunction
from bench.statistics import single_runs as runs
from bench.statistics.families import Verdict

BY_POPULATION = True

QUESTIONS = (
    ("ptq - float", "Is PTQ better than the float model?"),
    ("qat - ptq", "Is PTQ better than QAT, QAT having trained longer?"),
    ("qat - ptq+k", "And at equal compute, PTQ after as many epochs as QAT?"),
)
"""The thread's questions, and the contrast that answers each."""

NAMES = {
    "float": "the float model",
    "ptq": "PTQ",
    "qat": "QAT",
    "ptq+k": "PTQ after as many epochs",
}
OF_A_TABLE = (
    ("ptq - float", "Is `ptq` better than `float`?"),
    ("qat - ptq", "Is `qat` better than `ptq`?"),
    ("qat - ptq+k", "And better than `ptq+k`?"),
)
"""The same of somebody's own table, of which nothing is known but the arms' names."""

MOST_LISTED = 6
MOST_PANELS = 4


def build(analysis: Analysis, population: Population) -> Section | None:
    comparisons = analysis.select(population)
    blocks: list[Block] = []
    asked = [
        (question, members)
        for name, question in (OF_A_TABLE if analysis.study is None else QUESTIONS)
        if (members := [c for c in comparisons if c.name == name])
    ]
    for question, members in asked:
        for metric in dict.fromkeys(c.pairs.metric for c in members):
            of_metric = [c for c in members if c.pairs.metric == metric]
            said = "" if metric == "accuracy" else f" ({code(metric)})"
            blocks += _answered(analysis, f"**{question}**{said}", of_metric)
    blocks += _one_epoch(analysis, population)
    blocks += _thread(analysis)
    if not asked:
        blocks += _overview(analysis, comparisons)
    blocks.append(Paragraph(_basis(analysis, population)))
    return Section("", tuple(blocks))


def _answered(analysis: Analysis, question: Text, members: Sequence[Comparison]) -> Iterator[Block]:
    """One contrast over all settings: sentences where they are few, counts where they are not."""
    panels: dict[Setting, list[Comparison]] = {}
    for c in members:
        panels.setdefault(c.setting.panel, []).append(c)
    unlike_in = _unlike(analysis, members)
    if len(panels) == 1:
        text = " ".join([question, _of_panel(analysis, members), unlike_in])
        yield Paragraph(text.strip(), lead=True)
        return
    items = [_counts(members)]
    if len(panels) <= MOST_PANELS:
        items = [
            f"With {words.panel(panel, analysis.varying)}: {_of_panel(analysis, of, False)}"
            for panel, of in panels.items()
        ]
    yield Paragraph(f"{question} {unlike_in}".strip(), lead=True)
    yield Bullets(tuple(item for item in (*items, _together(analysis, members)) if item))


def _unlike(analysis: Analysis, members: Sequence[Comparison]) -> Text:
    """Where the arms are unlike in number format or steps, it is said beside the verdict."""
    if analysis.study is None:
        return ""
    found = unlike(members)
    said = [text for text in (found.number_format, found.steps) if text]
    return f"They also differ in {words.listed(said)}." if said else ""


def _of_panel(analysis: Analysis, members: Sequence[Comparison], first: bool = True) -> Text:
    clauses = [
        _clause(analysis, list(group))
        for _, group in groupby(
            members, key=lambda c: (c.verdict, _direction(c), c.pairs.unmoved, _heads(c))
        )
    ]
    text = "; ".join(clauses)
    return f"{_sentence(text) if first else text}."


def _counts(members: Sequence[Comparison]) -> Text:
    counts = []
    still = [c for c in members if c.pairs.unmoved]
    members = [c for c in members if not c.pairs.unmoved]
    if still:
        counts.append(f"no effect of the seed in {len(still)}")
    for verdict in Verdict:
        for direction, word in ((1, "above"), (-1, "below"), (0, "")):
            group = [c for c in members if c.verdict == verdict and _direction(c) == direction]
            if group:
                a, b = _names(group[0])
                side = f" ({a} {word} {b})" if word else ""
                counts.append(f"{verdict} in {len(group)}{side}")
    return f"Of {words.count(len(members) + len(still), 'setting')}: {'; '.join(counts)}."


def _together(analysis: Analysis, members: Sequence[Comparison]) -> Text:
    """The overall effect, never alone: the smallest and the largest setting stand beside it."""
    first = members[0]
    overall = [
        c
        for c in analysis.select(first.population, "overall", first.name)
        if c.pairs.metric == first.pairs.metric and c.mean is not None
    ]
    known = [c for c in members if c.mean is not None and c.family == "primary"]
    if not overall or len(known) < 2:
        return ""
    (whole,) = overall
    ordered = sorted(known, key=lambda c: c.mean or 0.0)
    ends = [
        f"{words.signed(c.mean, c.pairs.unit)} ({words.place(c.setting, analysis.varying)})"
        for c in (ordered[0], ordered[-1])
    ]
    said = (
        f"over all {len(known)} settings together {words.estimate(whole)}, "
        f"{words.verdict_label(whole)}; from {ends[0]} to {ends[1]}"
    )
    tests = [c.estimate for c in known if c.estimate is not None]
    found, same = (
        conjunction.directions(tests, analysis.alpha),
        conjunction.equivalent(tests, whole.pairs.delta, analysis.alpha)
        if whole.pairs.delta
        else None,
    )
    a, b = _names(first)
    said += (
        f". {_sentence(a)} is shown to be above {b} in at least {found.positive.u} of these "
        f"{len(tests)} settings, below it in at least {found.negative.u}"
    )
    if same is not None:
        said += f", equivalent within {words.trimmed(whole.pairs.delta)} pp in at least {same.u}"
    if {1, -1} <= {_direction(c) for c in known}:
        return f"The settings differ in both directions; {said}."
    return f"{_sentence(said)}."


def _heads(c: Comparison) -> tuple[Text, ...]:
    """What qualifies it, without its numbers."""
    return tuple(text.partition(": ")[0] for text in (*c.withheld, *c.qualified))


def _reservations(group: Sequence[Comparison], of: Callable[[Comparison], Sequence[Text]]) -> Text:
    """What qualifies all of a group, each said once with all its numbers."""
    details: dict[Text, dict[Text, None]] = {}
    for c in group:
        for text in of(c):
            head, _, detail = text.partition(": ")
            details.setdefault(head, {}).update({detail: None} if detail else {})
    return "; ".join(
        f"{head}: {words.listed(detail)}" if detail else head for head, detail in details.items()
    )


def _clause(analysis: Analysis, group: list[Comparison]) -> Text:
    """`after 1 and 2 epochs QAT is below PTQ by more than 0.5 pp (−5.40 pp [...] and ...)`."""
    budgets = [c.setting.budget for c in group if c.setting.budget is not None]
    when = f"after {_epochs(budgets)} " if budgets else ""
    estimates = words.listed(words.estimate(c) for c in group)
    first = group[0]
    a, b = _names(first)
    unit, delta = first.pairs.unit, first.pairs.delta
    within = f"{words.trimmed(delta)} {unit}"
    reservations = _reservations(group, lambda c: c.qualified)
    qualified = f"; with care: {reservations}" if reservations else ""
    if first.pairs.unmoved:
        return f"{when}{words.unmoved(first)} ({estimates})"
    side = _side(first)
    match first.verdict:
        case Verdict.WITHHELD:
            why = _reservations(group, lambda c: c.withheld)
            return f"{when}no verdict on {a} and {b} is given: {why}"
        case Verdict.MATTERS:
            text = f"{a} is {side} {b} by more than {within}"
        case Verdict.TOO_SMALL:
            text = f"{a} is {side} {b}, but by less than {within}"
        case Verdict.SIZE_UNDECIDED:
            text = f"{a} is {side} {b}"
            text += "" if delta is None else f", whether by more than {within} is undecided"
        case Verdict.EQUIVALENT:
            text = f"{a} and {b} are equivalent within {within}"
        case Verdict.UNDECIDED:
            text = f"it is undecided whether {a} differs from {b}"
        case _:
            seeds = words.listed(sorted({str(c.n_seeds) for c in group}), "or")
            return f"{when}{seeds} seeds are too few for a verdict on {a} and {b}"
    return f"{when}{text} ({estimates}){qualified}"


def _direction(c: Comparison) -> int:
    """1 or -1 where the verdict has a direction, else 0."""
    directed = (Verdict.MATTERS, Verdict.TOO_SMALL, Verdict.SIZE_UNDECIDED)
    return (1 if (c.mean or 0) > 0 else -1) if c.verdict in directed else 0


def _side(c: Comparison) -> Text:
    """better or worse where the metric's direction is known."""
    above, lower = _direction(c) > 0, c.pairs.lower_is_better
    if lower is None:
        return "above" if above else "below"
    return "better than" if above != lower else "worse than"


def _names(c: Comparison) -> tuple[Text, Text]:
    a, b = c.pairs.contrast.a, c.pairs.contrast.b
    if c.pairs.of_values:
        return code(a), code(b)
    return NAMES.get(a, code(a)), NAMES.get(b, code(b))


def _one_epoch(analysis: Analysis, population: Population) -> Iterator[Block]:
    """The thread's guess: how QAT minus PTQ changes with the budget, panel by panel, and what the
    difference at the smallest budget is made of."""
    changes = [
        c for c in analysis.select(population, "interaction", "qat - ptq") if c.mean is not None
    ]
    if analysis.study is None or not 0 < len(changes) <= MOST_PANELS:
        return
    smallest, _ = words.budget_ends(analysis)
    said = []
    for change in changes:
        label = words.panel(change.setting, analysis.varying) if len(changes) > 1 else ""
        text = f"QAT minus PTQ is {words.change(change, analysis)}"
        if change.verdict in (Verdict.UNDECIDED, Verdict.TOO_FEW_SEEDS, Verdict.WITHHELD):
            text = f"{words.change(change, analysis)}, for QAT minus PTQ"
        text = f"with {label}: {text}" if label else text
        for split in splits(analysis):
            if split.setting.budget == smallest and change.setting.within(
                replace(split.setting, budget=None)
            ):
                training, weights, conversion = (
                    f"{words.signed(float(d.mean()))} pp" for d in split.parts
                )
                text += (
                    f". After {words.epochs(smallest)} it is made of {training} from more "
                    f"training, {weights} from what simulated quantization did to the weights, "
                    f"{conversion} from QAT's own conversion"
                )
        said.append(f"{_sentence(text)}.")
    yield from _one_or_several("**Is one epoch the reason?**", said)


def _one_or_several(question: Text, said: Sequence[Text]) -> Iterator[Block]:
    """A question's answer: in its paragraph, or as a list below it."""
    if len(said) == 1:
        yield Paragraph(f"{question} {said[0]}", lead=True)
        return
    yield Paragraph(question, lead=True)
    yield Bullets(tuple(said))


def _thread(analysis: Analysis) -> Iterator[Block]:
    """Whose single runs after the smallest budget look like the thread's own numbers."""
    if analysis.study is None:
        return
    smallest, _ = words.budget_ends(analysis)
    judged = []
    for o in outcomes(analysis):
        if o.setting.budget != smallest:
            continue
        claims = [
            (name, _reported(low, high), runs.claim(d, low, high, analysis.alpha))
            for (name, (low, high)), d in zip(
                runs.THREAD_CLAIMS.items(), (o.ptq_float, o.ptq_qat, o.qat_float), strict=True
            )
        ]
        if any(claim is None for _, _, claim in claims):
            continue
        inside = [f"{said} for `{n}`" for n, said, c in claims if c and c.explained]
        outside = [
            f"{said} for `{n}` (one run here: {words.interval(c.interval)})"
            for n, said, c in claims
            if c and not c.explained
        ]
        parts = []
        if inside:
            parts.append(f"{words.listed(inside)} could be one run of this study")
        if outside:
            parts.append(f"{words.listed(outside)} could not")
        judged.append((o.setting, "; ".join(parts)))
    if not 0 < len(judged) <= MOST_PANELS:
        return
    each = []
    for setting, text in judged:
        label = words.panel(setting, analysis.varying) if len(judged) > 1 else ""
        each.append(_sentence(f"with {label}: {text}." if label else f"{text}."))
    question = "**Do the thread's numbers look like this?** Another model on other data can show "
    question += f"that they can come about so, not that they did. After {words.epochs(smallest)}:"
    yield from _one_or_several(question, each)


def _reported(low: float, high: float) -> Text:
    ends = dict.fromkeys((words.signed(low), words.signed(high)))
    return f"{' to '.join(ends)} pp"


def _epochs(budgets: Sequence[int]) -> Text:
    return f"{words.listed(str(b) for b in budgets)} epoch{'s' if budgets != [1] else ''}"


def _sentence(text: Text) -> Text:
    return text[0].upper() + text[1:]


def _overview(analysis: Analysis, comparisons: Sequence[Comparison]) -> Iterator[Block]:
    """For other arms than the thread's: the declared contrasts, one by one while they are few."""
    primary = [c for c in comparisons if c.family == "primary"] or list(comparisons)
    if not primary:
        yield Paragraph("There is no contrast to answer anything with.", lead=True)
        return
    if len(primary) <= MOST_LISTED:
        yield Bullets(tuple(_line(analysis, c) for c in primary))
        return
    labels = [words.verdict_label(c) for c in primary]
    counts = [f"{label}: {labels.count(label)}" for label in dict.fromkeys(sorted(labels))]
    yield Paragraph(f"Of {len(primary):,} contrasts: {'; '.join(counts)}.", lead=True)
    largest = sorted(
        (c for c in primary if c.verdict == Verdict.MATTERS),
        key=lambda c: -abs((c.mean or 0.0) / (c.pairs.delta or 1.0)),
    )
    if largest:
        yield Paragraph(
            "Those that differ by more than what matters"
            + (", the largest first:" if len(largest) <= MOST_LISTED else ", the largest of them:")
        )
        yield Bullets(tuple(_line(analysis, c) for c in largest[:MOST_LISTED]))


def _line(analysis: Analysis, c: Comparison) -> Text:
    label = words.place(c.setting, analysis.varying)
    where = f" ({label})" if label else ""
    metric = f", {code(c.pairs.metric)}" if c.pairs.metric != "accuracy" else ""
    return f"{_sentence(words.verdict(c))}{where}{metric}: {words.estimate(c)}."


def _at_once(analysis: Analysis, population: Population) -> Text:
    """For how many contrasts the intervals hold at once: a family is of one metric."""
    primary = [c for c in analysis.select(population) if c.family == "primary"]
    sizes = {c.pairs.metric: c.m for c in primary}
    if not any(m > 1 for m in sizes.values()):
        return ""
    if len(sizes) == 1:
        (m,) = sizes.values()
        return f" that hold for all {m} primary contrasts at once"
    if len(set(sizes.values())) == 1:
        (m,) = set(sizes.values())
        return f" that hold for the {m} primary contrasts of each metric at once"
    each = words.listed(f"{m} of {code(metric)}" for metric, m in sizes.items())
    return f" that hold at once for the primary contrasts of one metric ({each})"


def _basis(analysis: Analysis, population: Population) -> Text:
    seeds = sorted({c.n_seeds for c in analysis.select(population)})
    numbers = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}" if seeds else "no"
    repeated = (
        "taken to be independent repetitions"
        if analysis.study is None
        else "independent repetitions of the whole training"
    )
    text = (
        f"In brackets: {words.level(analysis)} intervals{_at_once(analysis, population)}. "
        f"The numbers rest on {numbers} {'seed' if seeds == [1] else 'seeds'} ({repeated}) and "
        f"speak about {words.population(analysis, population)}."
    )
    if any(c.pairs.unit.startswith("pp") for c in analysis.comparisons):
        text += " pp: percentage points of accuracy (from 95% to 96% is 1 pp)."
    if analysis.study is not None:
        text += (
            " Float training took E epochs; QAT, and the controls at equal compute, took "
            f"{words.listed((str(k) for k in analysis.study.extra), 'or')} more."
        )
    return text
