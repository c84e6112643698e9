"""A study's guess and what its number says of it: the report's first sentence."""

from collections.abc import Iterator
from typing import Any

from bench.analysis import Analysis, Comparison, Population
from bench.analysis.guess import Answer, answer
from bench.report import sentences
from bench.report.content import Block, Paragraph, Text, code

EXPECTED = {"higher": "above 0", "lower": "below 0", "either": "away from 0"}


def blocks(analysis: Analysis, population: Population) -> Iterator[Block]:
    """Nothing of a study without a guess."""
    found = answer(analysis, population)
    study = analysis.study
    if found is None or study is None:
        return
    yield Paragraph(
        f"**This guess is {found.said} here: “{_prose(study.guess)}”.** "
        f"{sentences.sentence(_why(analysis, found))}.",
        lead=True,
    )
    c = found.comparison
    within = None if c is None or c.pairs.delta is None else sentences.within(c)
    delta = "" if within is None else f" and by more than {within}"
    inside = "" if within is None else f"equivalent within {within}, or "
    turned = ""
    if c is not None and c.name != study.decides and c.pairs.moved:
        turned = f" (the factor moves {code(c.name)} alone, so that it is a change of that arm)"
    named = ""
    if c is not None and found.asked is not None:
        named = (
            f" Here {code(found.asked)} and {code(c.pairs.level)} are the same by construction: it "
            f"is one number, and stands under {code(c.pairs.level)}."
        )
    either = found.direction == "either"
    other = "" if either else "significant on the other side"
    side = "on either side" if either else "on that side"
    refuted = f"{inside}{other}".removesuffix(", or ")
    yield Paragraph(
        f"What decides was declared beforehand: {code(study.decides)}{turned}, expected "
        f"{EXPECTED[found.direction]}.{named} Supported: significant {side}{delta}. Refuted: "
        f"{refuted}. Undecided: neither. This is about this model and these data."
    )


def document(analysis: Analysis, populations: list[Population]) -> dict[str, Any] | None:
    """The guess in verdicts.json; None of a study without one."""
    study = analysis.study
    if study is None or study.decides is None:
        return None
    return {
        "guess": study.guess,
        "decides": study.decides,
        "direction": study.direction,
        "answers": [_entry(analysis, population) for population in populations],
    }


def _entry(analysis: Analysis, population: Population) -> dict[str, Any]:
    found = answer(analysis, population)
    assert found is not None, "of a study with a guess"
    c = found.comparison
    return {
        "population": population,
        "answer": found.said,
        "expected": found.direction,
        "contrast": None if c is None else c.name,
        "factor": None if c is None else c.pairs.factor,
        "level": None if c is None else c.pairs.level,
        "verdict": None if c is None else str(c.verdict),
        "mean": None if c is None else sentences.mean(c),
        "interval_simultaneous": None if c is None else c.simultaneous,
    }


def _why(analysis: Analysis, found: Answer) -> Text:
    c = found.comparison
    if c is None:
        return "there is no result of what decides it"
    if c.pairs.kind == "contrast":
        return _of_contrast(c)
    said = sentences.change(analysis, c) if c.pairs.factor == "budget" else sentences.effect(c)
    return f"{code(c.name)} is {sentences.with_numbers(c, said)}"


def _of_contrast(c: Comparison) -> Text:
    said = sentences.verdict(c, sentences.side(c))
    silent = c.pairs.impossible or c.pairs.unmoved
    return said if silent else sentences.with_numbers(c, said)


def _prose(text: Text) -> Text:
    """Somebody's sentence without what would be markup."""
    return " ".join(text.replace("`", "").replace("*", "").split()).rstrip(".")
