"""Whether a study's number supports its guess: the declared rule, and nothing else."""

from dataclasses import dataclass
from typing import Literal

from bench.analysis.comparisons import Comparison
from bench.analysis.outcome import Analysis
from bench.analysis.records import Population
from bench.statistics.families import Verdict
from bench.study import effects
from bench.study.guess import Direction

_OTHER: dict[Direction, Direction] = {"higher": "lower", "lower": "higher", "either": "either"}

Said = Literal["supported", "refuted", "undecided"]


@dataclass(frozen=True)
class Answer:
    """said: supported where the difference is significant in the direction of the guess and beyond
    delta; refuted where it is equivalent within delta, or significant the other way; else
    undecided. comparison: what decides; None where there is no number. direction: in which the
    guess expects this comparison, which of one arm alone may be the contrast's turned round; asked:
    the recipe that the study asks for, where the number stands under an equal one's name.
    """

    said: Said
    comparison: Comparison | None
    direction: Direction
    asked: str | None = None


def answer(analysis: Analysis, population: Population) -> Answer | None:
    """None where the study has no guess."""
    study = analysis.study
    if study is None or study.decides is None or study.direction is None:
        return None
    effect, contrast = effects.parsed(study.decides)
    moving: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    if effect is not None:
        moving, levels = effects.alike(study, effect)
    # What moves one arm alone stands under that arm's name, whichever contrast asks for it.
    moved = moving[0] if len(moving) == 1 else None
    found = None
    for c in analysis.comparisons:
        if c.population != population or c.pairs.metric != study.metrics[0]:
            continue
        if effect is None:
            if c.pairs.kind == "contrast" and c.name == contrast and c.family == "primary":
                found = c
        elif (
            c.pairs.kind in ("effect", "interaction")
            and c.pairs.factor == effect.factor
            and c.pairs.level in levels
            and c.pairs.moved == moved
            and (moved is not None or c.name == contrast)
        ):
            found = c
    direction = study.direction
    if found is not None and found.pairs.moved == effects.arms_of(study, contrast)[1]:
        direction = _OTHER[direction]
    other = None
    if found is not None and effect is not None and effect.level not in (None, found.pairs.level):
        other = effect.level
    return Answer(_said(found, direction), found, direction, other)


def _said(c: Comparison | None, direction: Direction) -> Said:
    if c is None or c.mean is None:
        return "undecided"
    mean = c.looks[-1].mean if c.looks else c.mean
    same = direction == "either" or (mean > 0) == (direction == "higher")
    match c.verdict:
        case Verdict.MATTERS:
            return "supported" if same else "refuted"
        case Verdict.EQUIVALENT | Verdict.TOO_SMALL:
            return "refuted"
        case Verdict.SIZE_UNDECIDED:
            return "undecided" if same else "refuted"
    return "undecided"
