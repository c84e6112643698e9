"""The answer as a table: each question with its verdict, and where its figure and numbers are."""

from collections.abc import Mapping, Sequence

from bench.analysis import Analysis, Comparison, Population
from bench.analysis.guess import answer
from bench.report import sentences, several, words
from bench.report.content import Cell, Column, Table, Text, code
from bench.statistics.families import Verdict

MOST_ROWS = 12
MOST_CHANGES = 4
FEWEST_ENDS = 3
"""Settings of a contrast from which three rows stand for them all."""

LINKS = (("figure", "forest"), ("numbers", "differences"))
CHANGE_LINKS = (("figure", "one_epoch"), ("numbers", "differences"))
EFFECT_LINKS = (("numbers", "effects"),)
ONE_EPOCH = "Is one epoch the reason?"
GUESS = "Does the guess hold?"


def build(
    analysis: Analysis,
    population: Population,
    shown: Sequence[Comparison],
    asked: Mapping[str, Text],
    changes: Sequence[Comparison],
) -> Table | None:
    """Of the contrasts that the answer speaks of; None where there is none.

    asked: contrast -> the question that it answers; changes: of QAT minus PTQ with the budget.
    """
    there = [c for c in shown if c.pairs.kind == "contrast"]
    if not there:
        return None
    rows = [(c, words.place(c.setting, analysis.varying)) for c in there]
    # Recipe by recipe, where that is what was asked.
    first = [row for row in rows if row[0].name == next(iter(asked), "")]
    first = first if analysis.varying.recipes and len(first) <= MOST_ROWS else []
    if len(rows) > MOST_ROWS and not first:
        rows = _over_settings(analysis, there)
    some = ""
    if len(rows) > MOST_ROWS:
        of_which = "those that differ first"
        if first:
            of_which = f"all {len(first)} of the first question, of the others {of_which}"
        some = f" ({MOST_ROWS} of {len(rows):,}, {of_which})"
        others = sorted((row for row in rows if row not in first), key=lambda row: _rank(row[0]))
        rows = [*first, *others][:MOST_ROWS]
    if asked and len(changes) <= MOST_CHANGES:
        rows += [(c, words.panel(c.setting, analysis.varying)) for c in changes]
    guess = answer(analysis, population)
    if guess and guess.comparison and guess.comparison.pairs.kind == "effect":
        rows.insert(0, (guess.comparison, ""))
    settings = any(place for _, place in rows)
    metrics = len({c.pairs.metric for c, _ in rows}) > 1
    units = dict.fromkeys(c.pairs.unit for c, _ in rows)
    deltas = dict.fromkeys(sentences.within(c) for c, _ in rows if c.pairs.delta is not None)
    delta = f"Δ, the smallest difference that matters, is {words.listed(deltas)}" if deltas else ""
    columns = (
        Column("question" if asked else "contrast", long=bool(asked)),
        Column("verdict", delta, long=True),
        *([Column("setting", long=True)] if settings else []),
        *([Column("metric")] if metrics else []),
        Column(
            "mean",
            f"first arm minus second, in {words.listed(units)}{_of_changes(rows)}",
            True,
        ),
        Column(
            "family's interval",
            f"{words.level(analysis)}, for all contrasts of its family at once",
            True,
        ),
        Column("see"),
    )
    said: set[Text] = set()  # a question once: the rows below it are of the same contrast
    cells = []
    for c, place in rows:
        question = _question(analysis, c, asked)
        cells.append(
            (
                Cell(code(c.name) if question in said else question),
                sentences.verdict_cell(c),
                *([Cell(place)] if settings else []),
                *([Cell(code(c.pairs.metric))] if metrics else []),
                sentences.mean_cell(c),
                sentences.interval_cell(c),
                Cell("", links=_LINKS.get(c.pairs.kind, LINKS)),
            )
        )
        if c.pairs.kind != "interaction":
            said.add(question)
    name = f"answer-table{words.SLUGS[population]}"
    whom = words.population(analysis, population)
    caption = f"The answer, row by row{some}, for {whom}, with {words.level(analysis)} intervals"
    return Table(name, caption, columns, tuple(cells))


def _rank(c: Comparison) -> int:
    """Differences first, then equivalences, then all else."""
    order = (Verdict.MATTERS, Verdict.SIZE_UNDECIDED, Verdict.TOO_SMALL, Verdict.EQUIVALENT)
    return order.index(c.verdict) if c.verdict in order else len(order)


_LINKS = {"interaction": CHANGE_LINKS, "effect": EFFECT_LINKS}


def _question(analysis: Analysis, c: Comparison, asked: Mapping[str, Text]) -> Text:
    """The question that a row answers, and the contrast that does."""
    if c.pairs.kind == "effect" and analysis.study is not None:
        effect, of, contrast = str(analysis.study.decides).partition(": ")
        of_one = f", a change of {code(c.name)} alone" if c.pairs.moved else ""
        # Two codes, so that a line may end between them.
        return f"{GUESS} {code(effect + of.strip())} {code(contrast)}{of_one}"
    if c.pairs.kind == "interaction":
        few, many = c.pairs.level, c.pairs.reference
        return f"{ONE_EPOCH} {code(c.name)} after {few} against {many}"
    return f"{asked[c.name]} {code(c.name)}" if c.name in asked else code(c.name)


def _of_changes(rows: Sequence[tuple[Comparison, Text]]) -> Text:
    """What the mean is where a contrast changes."""
    if all(c.pairs.kind == "contrast" for c, _ in rows):
        return ""
    return "; of a change, at the level minus at the reference"


def _over_settings(
    analysis: Analysis, there: Sequence[Comparison]
) -> list[tuple[Comparison, Text]]:
    """Of more settings than a table shows, each contrast over all of them, never without the
    lowest and the highest."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for c in there:
        groups.setdefault((c.name, c.pairs.metric), []).append(c)
    found: list[tuple[Comparison, Text]] = []
    for members in groups.values():
        known = several.known_of(members)
        if len(known) < FEWEST_ENDS:
            found += [(c, words.place(c.setting, analysis.varying)) for c in members]
            continue
        ones = "" if len(known) == len(members) else " primary ones"
        whole = several.overall(analysis, members)
        if whole is not None and whole.simultaneous is not None:
            found.append((whole, f"{words.every(len(known))}{ones} together"))
        for which, c in zip(("lowest", "highest"), several.ends(known), strict=True):
            place = words.place(c.setting, analysis.varying)
            found.append((c, f"{which} of {len(known)}{ones}: {place}"))
    return found
