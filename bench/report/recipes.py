"""Of several recipes the one with the largest difference: chosen by it, and so too large."""

from collections.abc import Sequence

from bench.analysis import Analysis, Comparison
from bench.report import sentences, words
from bench.report.content import Text


def won(analysis: Analysis, members: Sequence[Comparison]) -> Text:
    """At how many settings the first arm beats the second, and at which by most; empty where
    recipes do not tell them apart.

    members: as of `largest`.
    """
    varying = analysis.varying
    there = [c for c in members if c.family == "primary" and c.mean is not None]
    if len({varying.recipes_of(c.setting) for c in there}) < 2:
        return ""
    a, b = sentences.arms(there[0])
    wins = [c for c in there if sentences.direction(c) and sentences.side(c) in _AHEAD]
    most = ""
    if wins:
        best = max(wins, key=lambda c: abs(sentences.mean(c) or 0.0))
        most = f", by most with {words.place(best.setting, varying)}"
    n = len(wins) or "none"
    return f"At {n} of {words.count(len(there), 'setting')} {a} is shown to beat {b}{most}"


_AHEAD = ("better than", "above")


def largest(analysis: Analysis, members: Sequence[Comparison]) -> Text:
    """Which recipe has a contrast's largest difference, and what choosing it does to its size.

    members: one contrast at all its settings. Empty where recipes do not tell them apart.
    """
    varying = analysis.varying
    there = [c for c in members if c.family == "primary" and c.mean is not None]
    fitting = {varying.recipes_of(c.setting) for c in there}
    if not varying.recipes or len(fitting) < 2:
        return ""
    best = max(there, key=lambda c: sentences.mean(c) or 0.0)
    a, b = sentences.arms(best)
    return (
        f"The largest difference of these {len(there)} is that with "
        f"{words.place(best.setting, varying)} ({sentences.estimate(best)}, "
        f"{sentences.label(best)}). It was chosen for being the largest, so its size is "
        f"optimistic; the verdict on {a} and {b} is corrected for all "
        f"{words.count(best.m, 'primary test')}. What each recipe changes against the first "
        "stands in What each factor changes."
    )
