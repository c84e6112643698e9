"""The answer to what was asked in the thread: at most three sentences and a table of questions with
their verdicts; all else is folded below."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from bench.analysis import Analysis, Comparison, Population, Setting
from bench.analysis.alike import unlike
from bench.report import answer_table, guess, recipes, sentences, several, thread, words
from bench.report.content import Block, Bullets, Details, Paragraph, Section, Text, code
from bench.report.thread import MOST_PANELS
from bench.statistics.families import Verdict
from bench.study import units
from bench.study.arms import ARMS

BY_POPULATION = True

QUESTIONS = (
    ("ptq - float", "Is PTQ better than the float model?"),
    ("qat - ptq", "Is PTQ better than QAT, QAT having trained longer?"),
    ("qat - ptq+k", "And at equal compute, PTQ after as much training as QAT?"),
)
"""The thread's questions, and the contrast that answers each."""

OF_RECIPES = (
    (
        "qat - ptq+k",
        "Which recipe makes QAT win, and does it beat PTQ after the same training?",
    ),
    *QUESTIONS[:2],
)
"""The same of a study with recipes: what they are for comes first."""

OF_A_TABLE = (
    ("ptq - float", "Is `ptq` better than `float`?"),
    ("qat - ptq", "Is `qat` better than `ptq`?"),
    ("qat - ptq+k", "And better than `ptq+k`?"),
)
"""The same of somebody's own table or pipeline, of which nothing is known but the arms' names."""

MOST_LISTED, MOST_RECIPES = 6, 16
MOST_SENTENCES = 3
"""Above the table; all else is folded below it."""

FOLDED = "The answer in full: setting by setting, and what its numbers rest on"


def build(analysis: Analysis, population: Population) -> Section | None:
    comparisons = analysis.select(population)
    guessed = tuple(guess.blocks(analysis, population))
    top: list[Block] = list(guessed[:1])
    folded: list[Block] = list(guessed[1:])
    most = 0 if guessed else MOST_SENTENCES
    shown: list[Comparison] = []
    asked: dict[str, Text] = {}
    for name, question in _questions(analysis):
        members = [c for c in comparisons if c.name == name]
        for metric in dict.fromkeys(c.pairs.metric for c in members):
            of_metric = [c for c in members if c.pairs.metric == metric]
            if analysis.study is not None and metric != analysis.study.metrics[0]:
                continue  # exploratory: in the tables
            asked[name] = question
            said = words.metric(metric, of_metric[0].pairs.lower_is_better)
            of_question = f"**{question}**{said}"
            if len(top) < most:
                sentence = _in_one_sentence(analysis, of_metric) + said
                if more := _unlike(analysis, of_metric):
                    sentence += f"; {more.removesuffix('.').replace('They', 'the two arms', 1)}"
                top.append(Paragraph(f"{sentence}.", lead=True))
                if len(of_metric) == 1:  # the sentence is all of it
                    shown += of_metric
                    continue
            folded += _answered(analysis, of_question, of_metric)
            shown += of_metric
    changes = thread.changes_of(analysis, population)
    folded += thread.one_epoch(analysis, population)
    folded += thread.looks_like(analysis)
    if not shown and not changes and len(folded) == len(guessed[1:]):
        shown = [c for c in comparisons if c.family == "primary"] or list(comparisons)
        lines = list(_overview(analysis, shown))
        short = () if guessed else _headlines(analysis, shown)
        if not guessed and not short and _is_short(lines[0]):
            short = (lines.pop(0),)
        top += short
        folded += lines
    table = answer_table.build(analysis, population, shown, asked, changes)
    top += [table] if table is not None else []
    folded.append(Paragraph(_basis(analysis, population, shown)))
    return Section("", (*top, Details(FOLDED, tuple(folded))))


def _headlines(analysis: Analysis, shown: Sequence[Comparison]) -> tuple[Block, ...]:
    """Of few contrasts at more settings than there are sentences, one sentence for each; empty
    elsewhere."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for c in shown:
        groups.setdefault((c.name, c.pairs.metric), []).append(c)
    each = list(groups.values())
    if len(each) > MOST_SENTENCES or len(shown) <= MOST_SENTENCES:
        return ()
    if any(len(several.known_of(members)) < 2 for members in each):
        return ()
    found = []
    for members in each:
        said = words.metric(members[0].pairs.metric, members[0].pairs.lower_is_better)
        found.append(Paragraph(f"{several.headline(analysis, members)}{said}.", lead=True))
    return tuple(found)


def _is_short(block: Block) -> bool:
    return isinstance(block, Paragraph) or (
        isinstance(block, Bullets) and len(block.items) <= MOST_SENTENCES
    )


def _in_one_sentence(analysis: Analysis, members: Sequence[Comparison]) -> Text:
    """One contrast over all its settings, without the full stop."""
    reasons = {_impossible(c) for c in members}
    if len(members) == 1 or (len(reasons) == 1 and members[0].pairs.impossible):
        return _of_panel(analysis, members).removesuffix(".")
    said = several.headline(analysis, members)
    won = recipes.won(analysis, members) if members[0].name == OF_RECIPES[0][0] else ""
    return f"{won}: {said.replace('Over ', 'over ', 1)}" if won else said


def _questions(analysis: Analysis) -> tuple[tuple[str, str], ...]:
    if analysis.study is None or not analysis.ours:
        return OF_A_TABLE
    return OF_RECIPES if analysis.study.recipes else QUESTIONS


def _answered(analysis: Analysis, question: Text, members: Sequence[Comparison]) -> Iterator[Block]:
    """One contrast over all settings: sentences where they are few, counts where they are not."""
    panels: dict[Setting, list[Comparison]] = {}
    for c in members:
        panels.setdefault(c.setting.panel, []).append(c)
    unlike_in = _unlike(analysis, members)
    nowhere = all(c.pairs.impossible for c in members)
    reasons = dict.fromkeys(_impossible(c) for c in members if c.pairs.impossible)
    if len(panels) == 1 or (nowhere and len(reasons) == 1):
        said = (
            question,
            _of_panel(analysis, members),
            several.together(analysis, members),
            unlike_in,
        )
        yield Paragraph(" ".join(text for text in said if text), lead=True)
        return
    items = [several.counts(members), *(f"{sentences.sentence(why)}." for why in reasons)]
    if len(panels) <= (MOST_RECIPES if analysis.varying.recipes else MOST_PANELS):
        items = [
            f"With {words.panel(panel, analysis.varying)}: {_of_panel(analysis, of, False)}"
            for panel, of in panels.items()
        ]
    items.append(several.together(analysis, members))
    yield Paragraph(f"{question} {unlike_in}".strip(), lead=True)
    yield Bullets(tuple(item for item in items if item))
    if chosen := recipes.largest(analysis, members):
        yield Paragraph(chosen)


def _unlike(analysis: Analysis, members: Sequence[Comparison]) -> Text:
    """Where the arms are unlike in number format or steps, it is said beside the verdict."""
    there = [c for c in members if not c.pairs.impossible]
    if analysis.study is None or not there:
        return ""
    found = unlike(there, analysis.study)
    said = [text for text in (found.number_format, found.steps) if text]
    return f"They also differ in {words.listed(said)}." if said else ""


def _of_panel(analysis: Analysis, members: Sequence[Comparison], first: bool = True) -> Text:
    groups = groupby(
        members,
        key=lambda c: (
            c.verdict, sentences.direction(c), c.pairs.unmoved, _impossible(c), _heads(c)
        ),
    )  # fmt: skip
    clauses = [_clause(analysis, list(group)) for _, group in groups]
    alone = _ptq_alone(analysis, members)
    text = "; ".join([*clauses, alone] if alone else clauses)
    return f"{sentences.sentence(text) if first else text}."


def _impossible(c: Comparison) -> Text:
    return sentences.impossible(c) if c.pairs.impossible else ""


def _ptq_alone(analysis: Analysis, members: Sequence[Comparison]) -> Text:
    """Where there is no QAT, what PTQ does without it is all that can be said."""
    first = members[0]
    if first.name != "qat - ptq" or not all("qat" in c.pairs.impossible for c in members):
        return ""
    at = {c.setting.panel for c in members}
    beside = [
        c
        for c in analysis.select(first.population, name="ptq - float")
        if any(c.setting.panel.within(panel) for panel in at) and not c.pairs.impossible
    ]
    if not beside:
        return ""
    if len({c.setting.panel for c in beside}) > 1:
        return "of PTQ alone the answer above speaks"
    return f"PTQ alone: {_of_panel(analysis, beside, first=False)}".rstrip(".")


def _heads(c: Comparison) -> tuple[Text, ...]:
    """What qualifies it, without its numbers."""
    return tuple(text.partition(": ")[0] for text in (*c.withheld, *c.qualified))


def reservations(group: Sequence[Comparison], of: Callable[[Comparison], Sequence[Text]]) -> Text:
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
    when = f"{words.after(analysis, budgets)} " if budgets else ""
    first = group[0]
    if first.pairs.impossible:
        return sentences.impossible(first)
    text = sentences.verdict(first, sentences.side(first))
    if first.verdict == Verdict.WITHHELD:
        return f"{when}{text}: {reservations(group, lambda c: c.withheld)}"
    if first.verdict == Verdict.TOO_FEW_GROUPS and not first.pairs.unmoved:
        return f"{when}{text} ({sentences.estimates(group)})"
    if first.verdict == Verdict.TOO_FEW_SEEDS and not first.pairs.unmoved:
        each = {c.n_seeds: c for c in sorted(group, key=lambda c: c.n_seeds)}
        few = [sentences.verdict(c) for c in each.values()]
        if len(few) == 1:
            return f"{when}{few[0]}"
        a, b = sentences.arms(first)
        seeds = words.listed(map(str, each), "or")
        return f"{when}{seeds} seeds are too few for a verdict on {a} and {b}"
    # Numbers of what qualifies it stand with the checks, before any contrast.
    heads = dict.fromkeys(text.partition(": ")[0] for c in group for text in c.qualified)
    qualified = f", with care: {words.listed(heads)}" if heads else ""
    return f"{when}{text} ({sentences.estimates(group)}){qualified}"


def _overview(analysis: Analysis, shown: Sequence[Comparison]) -> Iterator[Block]:
    """For other arms than the thread's: the declared contrasts, one by one while they are few."""
    if not shown:
        yield Paragraph("There is no contrast to answer anything with.", lead=True)
        return
    if len(shown) <= MOST_LISTED:
        yield Bullets(tuple(_line(analysis, c) for c in shown))
    else:
        labels = [sentences.label(c) for c in shown]
        counts = [f"{label}: {labels.count(label)}" for label in dict.fromkeys(sorted(labels))]
        yield Paragraph(f"Of {len(shown):,} contrasts: {'; '.join(counts)}.", lead=True)
        yield from _largest(analysis, shown)
    yield from _overall(analysis, shown)


def _largest(analysis: Analysis, shown: Sequence[Comparison]) -> Iterator[Block]:
    largest = sorted(
        (c for c in shown if c.verdict == Verdict.MATTERS),
        key=lambda c: -abs((c.mean or 0.0) / (c.pairs.delta or 1.0)),
    )
    if largest:
        all_here = len(largest) <= MOST_LISTED
        order = "the largest first" if all_here else f"the largest {MOST_LISTED} of {len(largest)}"
        yield Paragraph(f"Those that differ by more than what matters, {order}:")
        yield Bullets(tuple(_line(analysis, c) for c in largest[:MOST_LISTED]))


def _overall(analysis: Analysis, shown: Sequence[Comparison]) -> Iterator[Block]:
    """Of contrasts at several settings, what they are over all of them."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for c in shown:
        groups.setdefault((c.name, c.pairs.metric), []).append(c)
    said = [
        f"{code(name)}{words.metric(metric, members[0].pairs.lower_is_better)}: {text}"
        for (name, metric), members in groups.items()
        if (text := several.together(analysis, members))
    ]
    if said:
        more = len(said) - MOST_LISTED
        rest = f" (of {len(said)} contrasts the first {MOST_LISTED})" if more > 0 else ""
        yield Paragraph(f"Over several settings{rest}:")
        yield Bullets(tuple(said[:MOST_LISTED]))


def _line(analysis: Analysis, c: Comparison) -> Text:
    where = words.place(c.setting, analysis.varying)
    at = f" ({where})" if where else ""
    metric = words.metric(c.pairs.metric, c.pairs.lower_is_better)
    why = f": {'; '.join(c.withheld)}" if c.withheld else ""
    said = f"{sentences.sentence(sentences.verdict(c))}{why}{at}{metric}"
    return f"{said}." if c.withheld or c.pairs.impossible else f"{said}: {sentences.estimate(c)}."


def _hold(analysis: Analysis, population: Population, shown: Sequence[Comparison]) -> Text:
    """For which contrasts the intervals in the answer hold at once: those of a family, which is of
    one metric."""
    there = [c for c in shown if c.simultaneous is not None]
    sizes = {c.pairs.metric: c.m for c in there if c.family == "primary"}
    said = []
    if any(m > 1 for m in sizes.values()):
        if len(sizes) == 1:
            said.append(f"for {words.every(next(iter(sizes.values())))} primary contrasts at once")
        elif len(set(sizes.values())) == 1:
            m = next(iter(sizes.values()))
            said.append(f"for the {m} primary contrasts of each metric at once")
        else:
            each = words.listed(f"{m} of {code(metric)}" for metric, m in sizes.items())
            said.append(f"at once for the primary contrasts of one metric ({each})")
    changes = {c.m for c in thread.changes_of(analysis, population) if c.family == "interaction"}
    if changes:
        said.append(f"for {words.every(max(changes))} changes with budget and factors at once")
    names = dict.fromkeys(c.name for c in there)
    wholes = (several.overall(analysis, [c for c in there if c.name == name]) for name in names)
    effects = {whole.m for whole in wholes if whole is not None}
    if effects and effects != {1}:
        said.append(f"for {words.every(max(effects))} overall effects at once")
    if any(c.family == "exploratory" for c in there):
        said.append("for exploratory contrasts at the false-coverage rate")
    return f" that hold {words.listed(said)}" if said else ""


def _directions(shown: Sequence[Comparison]) -> Text:
    """Of metrics that are no accuracy, how a difference is to be read."""
    said = {}
    for c in shown:
        lower, unit = c.pairs.lower_is_better, c.pairs.unit.removesuffix(" per doubling")
        if unit != "pp" and lower is not None:
            better, other = ("lower", "worse") if lower else ("higher", "better")
            said[c.pairs.metric] = (
                f" {code(c.pairs.metric)}, in {unit}: {better} is better, so that where a "
                f"difference is above 0 the first arm is {other}."
            )
    return "".join(said.values())


def _basis(analysis: Analysis, population: Population, shown: Sequence[Comparison]) -> Text:
    there = [c for c in analysis.select(population) if not c.pairs.impossible]
    seeds = sorted({c.n_seeds for c in there})
    number = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}" if seeds else "no"
    repeated = "independent repetitions of the whole training"
    if analysis.study is None:
        repeated = "taken to be independent repetitions"
    elif not analysis.ours:
        repeated = "independent repetitions of the whole pipeline"
    text = (
        f"In brackets: {words.level(analysis)} intervals{_hold(analysis, population, shown)}. "
        f"The numbers rest on {number} {'seed' if seeds == [1] else 'seeds'} ({repeated}) and "
        f"speak about {words.population(analysis, population)}."
    )
    if any(c.pairs.unit.startswith("pp") for c in analysis.comparisons):
        text += " pp: percentage points of accuracy (from 95% to 96% is 1 pp)."
    text += _directions(shown)
    if analysis.ours and analysis.study and any(ARMS[arm].extra for arm in analysis.arms):
        text += (
            f" Float training took E {analysis.budget_counts}; QAT, and the controls at equal "
            f"compute, took {units.amounts(analysis.study.extra, analysis.extra_counts, 'or')} "
            "more."
        )
    return text
