"""What the thread's author asks beside who is better: is one epoch the reason, and could its
numbers be one run of this study?"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.analysis import Analysis, Comparison, Population, Split, splits
from bench.report import answer_table, sentences, words
from bench.report.content import Block, Bullets, Paragraph, Text
from bench.report.sections.one_run import Outcomes, one_run, outcomes
from bench.statistics import single_runs as runs
from bench.statistics.families import Verdict

MOST_PANELS = 4
"""Panels that get a sentence each; of more, they are counted."""

UNSAID = (
    Verdict.UNDECIDED,
    Verdict.TOO_FEW_SEEDS,
    Verdict.TOO_FEW_GROUPS,
    Verdict.WITHHELD,
)


def changes_of(analysis: Analysis, population: Population) -> list[Comparison]:
    """How QAT minus PTQ changes with the budget, panel by panel; empty without any."""
    if not analysis.ours:
        return []
    found = analysis.select(population, "interaction", "qat - ptq")
    first = analysis.study.metrics[0]
    return [c for c in found if c.mean is not None and c.pairs.metric == first]


def one_epoch(analysis: Analysis, population: Population) -> Iterator[Block]:
    """The thread's guess: how QAT minus PTQ changes with the budget, and what the difference at the
    smallest budget is made of."""
    changes = changes_of(analysis, population)
    if not changes:
        return
    question = f"**{answer_table.ONE_EPOCH}**"
    if len(changes) > MOST_PANELS:
        yield Paragraph(f"{question} {_counted(analysis, changes)}", lead=True)
        return
    made = splits(analysis)
    said = []
    for change in changes:
        where = words.panel(change.setting, analysis.varying) if len(changes) > 1 else ""
        text = sentences.with_numbers(change, sentences.change(analysis, change))
        if change.verdict in UNSAID:
            text = f"{text}, for QAT minus PTQ"
        else:
            text = f"QAT minus PTQ is {text}"
        text = f"with {where}: {text}" if where else text
        text = ". ".join(
            [text, *(_parts(analysis, split, change) for split in made if _of(split, change))]
        )
        said.append(f"{sentences.sentence(text)}.")
    yield from _one_or_several(question, said)


def _counted(analysis: Analysis, changes: Sequence[Comparison]) -> Text:
    said = [sentences.change(analysis, c) for c in changes]
    each = (f"{text} in {said.count(text)}" for text in dict.fromkeys(said))
    return f"QAT minus PTQ, of {len(changes)} settings: {'; '.join(each)}."


def _of(split: Split, change: Comparison) -> bool:
    """Is it of the smallest budget of this change?"""
    panel = replace(split.setting, budget=None)
    return str(split.setting.budget) == change.pairs.level and change.setting.within(panel)


def _parts(analysis: Analysis, split: Split, change: Comparison) -> Text:
    training, weights, conversion = (f"{words.in_sum(float(d.mean()))} pp" for d in split.parts)
    seeds = ""
    if len(split.seeds) != change.n_seeds:
        seeds = f" (on {words.count(len(split.seeds), 'seed')} that all four arms have)"
    whole = words.in_sum(float(split.total.mean()))
    when = words.budget(analysis, split.setting.budget or 0)
    return (
        f"After {when} its {whole} pp are made{seeds} of "
        f"{training} from more training, {weights} from what simulated quantization did to the "
        f"weights, {conversion} from QAT's own conversion"
    )


def looks_like(analysis: Analysis) -> Iterator[Block]:
    """Whose single runs after the smallest budget look like the thread's own numbers."""
    study = analysis.study
    if study is None or not analysis.ours:
        return
    smallest = min(study.budgets)
    judged = [
        (o.setting, claims)
        for o in outcomes(analysis)
        if o.setting.budget == smallest and (claims := _claims(o, analysis.alpha))
    ]
    if not judged:
        return
    question = "**Do the thread's numbers look like this?** Another model on other data can show "
    question += "that they can come about so, not that they did. "
    question += f"After {words.budget(analysis, smallest)}:"
    if len(judged) > MOST_PANELS:
        yield Paragraph(question, lead=True)
        yield Bullets(tuple(_claims_counted([claims for _, claims in judged])))
        return
    each = []
    for setting, claims in judged:
        where = words.panel(setting, analysis.varying) if len(judged) > 1 else ""
        text = _claims_in_words(claims)
        each.append(sentences.sentence(f"with {where}: {text}." if where else f"{text}."))
    yield from _one_or_several(question, each)


def _claims(o: Outcomes, alpha: float) -> list[tuple[Text, runs.Claim]]:
    """The thread's three numbers in words, each against one run at this setting; empty where one
    seed cannot say."""
    found = []
    for (name, (low, high)), d in zip(
        runs.THREAD_CLAIMS.items(), (o.ptq_float, o.ptq_qat, o.qat_float), strict=True
    ):
        claim = runs.claim(d, low, high, alpha)
        if claim is None:
            return []
        ends = dict.fromkeys((words.signed(low), words.signed(high)))
        found.append((f"{' to '.join(ends)} pp for `{name}`", claim))
    return found


def _claims_in_words(claims: Sequence[tuple[Text, runs.Claim]]) -> Text:
    inside = [said for said, claim in claims if claim.explained]
    outside = [
        f"{said} (one run here: {one_run(claim)})" for said, claim in claims if not claim.explained
    ]
    parts = []
    if inside:
        parts.append(f"{words.listed(inside)} could be one run of this study")
    if outside:
        parts.append(f"{words.listed(outside)} could not")
    return "; ".join(parts)


def _claims_counted(judged: Sequence[Sequence[tuple[Text, runs.Claim]]]) -> Iterator[Text]:
    for each in zip(*judged, strict=True):
        inside = sum(claim.explained for _, claim in each)
        yield f"{each[0][0]} could be one run of this study at {inside} of {len(each)} settings."


def _one_or_several(question: Text, said: Sequence[Text]) -> Iterator[Block]:
    """A question's answer: in its paragraph, or as a list below it."""
    if len(said) == 1:
        yield Paragraph(f"{question} {said[0]}", lead=True)
        return
    yield Paragraph(question, lead=True)
    yield Bullets(tuple(said))
