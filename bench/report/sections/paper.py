"""A methods paragraph to copy into a paper, made of what was really done."""

from collections.abc import Iterator

from bench.analysis import Analysis, Population
from bench.report import several, words
from bench.report.content import Details, Paragraph, Section, Text, code
from bench.study import units

BY_POPULATION = False


def build(analysis: Analysis, population: Population) -> Section | None:
    there = [c for c in analysis.select("seeds") if c.n_seeds]
    if not there:
        return None
    text = " ".join(f"{sentence}." for sentence in _sentences(analysis))
    return Section(
        "For a paper", (Details("A methods paragraph, to copy and cut", (Paragraph(text),)),)
    )


def _sentences(analysis: Analysis) -> Iterator[Text]:
    study, there = analysis.study, [c for c in analysis.select("seeds") if c.n_seeds]
    arms = words.listed(code(arm) for arm in analysis.arms)
    counts = sorted({c.n_seeds for c in there})
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    if study is None:
        yield f"We compared {arms} on {seeds} seeds, paired by seed"
    else:
        trained = units.amounts(study.budgets, analysis.budget_counts)
        when = f"after {trained} of float training" if analysis.ours else f"at {trained}"
        yield (
            f"We compared {arms} of {words.listed(map(code, study.models))} {when}, "
            f"each trained anew from {seeds} seeds; arms of one seed start from "
            "the same weights and see the same data in the same order, and are paired"
        )
    primary = [c for c in there if c.family == "primary"]
    sequential = study is not None and study.sequential is not None
    tests = "Differences were tested by paired t-tests over seeds (Student, 1908)"
    if primary and not sequential:
        sizes = {c.m for c in primary}
        of = f"{next(iter(sizes))}" if len(sizes) == 1 else "the"
        tests += (
            f", corrected by Holm's method (1979) over {of} primary "
            f"contrast{'' if sizes == {1} else 's'} of each metric at α = {analysis.alpha:g}, with "
            "Bonferroni intervals"
        )
    yield tests
    if sequential:
        assert study is not None
        assert study.sequential is not None
        if study.sequential.every is None:
            yield (
                "Primary contrasts were looked at repeatedly, by repeated confidence intervals "
                "(Jennison & Turnbull, 1989) with the spending function of Lan & DeMets (1983)"
            )
        else:
            yield (
                "Primary contrasts were looked at repeatedly, by confidence sequences (Wang & "
                "Ramdas, 2024)"
            )
    deltas = {
        f"{words.trimmed(c.pairs.delta)} {c.pairs.unit}": None
        for c in there
        if c.pairs.kind == "contrast" and c.pairs.delta is not None
    }
    if deltas:
        yield (
            f"Equivalence within ±{words.listed(deltas)} was tested by two one-sided tests "
            "(Schuirmann, 1987)"
        )
    if any(c.family == "exploratory" for c in there):
        yield (
            "Other contrasts are exploratory, at the false discovery rate (Benjamini & Hochberg, "
            "1995), with intervals at the false coverage rate (Benjamini & Yekutieli, 2005)"
        )
    if analysis.detailed:
        yield (
            "Beside the t-test we computed exact sign-flip tests (Fisher, 1935), Wilcoxon's signed "
            "ranks (1945) and studentized bootstrap intervals (Efron & Tibshirani, 1993)"
        )
    crossed = [c for c in analysis.select("seeds+examples") if c.n_seeds]
    if any(c.pairs.groups is not None for c in crossed):
        yield (
            "For conclusions about new groups of test examples, seeds and groups were crossed "
            "random effects (Cameron, Gelbach & Miller, 2011; Bell & McCaffrey, 2002)"
        )
    elif crossed:
        yield (
            "For conclusions about new test examples, seeds and examples were crossed random "
            "effects (Owen, 2007) with Satterthwaite's degrees of freedom (1946)"
        )
    if any(c.pairs.parts for c in analysis.select("seeds", "overall")):
        yield (
            "Over settings that share no seed we took the mean of their means, with the standard "
            "error of independent ones and Satterthwaite's degrees of freedom (Welch, 1947)"
        )
    if several.counted(analysis, primary):
        yield (
            "In how many settings a contrast holds follows by partial conjunction (Benjamini & "
            "Heller, 2008)"
        )
