"""The answer, in a few sentences of plain words, to what was asked in the thread."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from bench.analysis import Analysis, Comparison, Population, splits
from bench.report import words
from bench.report.content import Block, Bullets, Paragraph, Section, Text, code
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
            answer = f"**{question}**{said} {_answer(analysis, of_metric)}"
            blocks.append(Paragraph(answer, lead=True))
    blocks += _one_epoch(analysis, population)
    if not asked:
        blocks += _overview(analysis, comparisons)
    blocks.append(Paragraph(_basis(analysis, population)))
    return Section("", tuple(blocks))


def _answer(analysis: Analysis, members: Sequence[Comparison]) -> Text:
    """One contrast over all settings: sentences where they are few, counts where they are not."""
    panels = {c.setting.panel for c in members}
    if len(panels) == 1:
        clauses = [
            _clause(analysis, list(group))
            for _, group in groupby(
                members, key=lambda c: (c.verdict, _direction(c), c.pairs.unmoved)
            )
        ]
        return f"{_sentence('; '.join(clauses))}."
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


def _clause(analysis: Analysis, group: list[Comparison]) -> Text:
    """`after 1 and 2 epochs QAT is below PTQ by more than 0.5 pp (−5.40 pp [...] and ...)`."""
    budgets = [c.setting.budget for c in group if c.setting.budget is not None]
    when = f"after {_epochs(budgets)} " if budgets else ""
    estimates = words.listed(words.estimate(c) for c in group)
    first = group[0]
    a, b = _names(first)
    unit, delta = first.pairs.unit, first.pairs.delta
    within = f"{words.trimmed(delta)} {unit}"
    if first.pairs.unmoved:
        return f"{when}{words.unmoved(first)} ({estimates})"
    side = _side(first)
    match first.verdict:
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
    return f"{when}{text} ({estimates})"


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
    """The thread's guess, where it was tested on one panel: the change with the budget, and what
    the difference at the smallest budget is made of."""
    changes = analysis.select(population, "interaction", "qat - ptq")
    if analysis.study is None:
        return
    if len(changes) != 1 or changes[0].mean is None:
        return
    text = f"QAT minus PTQ is {words.change(changes[0], analysis)}."
    if changes[0].verdict in (Verdict.UNDECIDED, Verdict.TOO_FEW_SEEDS):
        text = f"{_sentence(words.change(changes[0], analysis))}, for QAT minus PTQ."
    smallest, _ = words.budget_ends(analysis)
    for split in splits(analysis):
        if split.setting.budget == smallest:
            training, weights, conversion = (
                f"{words.signed(float(d.mean()))} pp" for d in split.parts
            )
            text += (
                f" What it is made of after {words.epochs(smallest)}: {training} from more "
                f"training, {weights} from what simulated quantization did to the weights, "
                f"{conversion} from QAT's own conversion."
            )
    yield Paragraph(f"**Is one epoch the reason?** {text}", lead=True)


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
