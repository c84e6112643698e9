"""Pairs -> comparisons: each tested for each population, each family corrected by itself."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from bench.analysis.changes import Design
from bench.analysis.records import (
    DETAILED,
    METHODS,
    OPEN,
    POPULATIONS,
    Comparison,
    Family,
    Pairs,
    Population,
)
from bench.statistics import equivalence, families, paired, power
from bench.statistics.crossed import Crossed
from bench.statistics.families import Verdict

MOST_SEEDS = 10**9
"""Needed seeds beyond which no number is given: a margin that no study resolves."""


def _family(pairs: Pairs, primary: Collection[str], design: Design) -> Family:
    """Which correction a comparison falls under: the protocol's "Many differences at once"."""
    if pairs.kind == "contrast":
        named = pairs.contrast.name in primary
        return "primary" if named and design.is_primary(pairs.setting) else "exploratory"
    if pairs.declared:
        return "primary"
    if pairs.kind == "overall":
        return "overall"
    if pairs.factor == "budget" and not design.is_primary(pairs.setting):
        return "exploratory"
    return "interaction"


def compare(
    pairs: Sequence[Pairs], primary: Collection[str], alpha: float, design: Design
) -> Iterator[Comparison]:
    """Test every pair for each population, and correct each family by itself.

    A family is counted within one metric and one population.
    """
    members: dict[tuple[str, Population, Family], list[Comparison]] = {}
    for one in pairs:
        for population in POPULATIONS:
            tested = _test(one, population, _family(one, primary, design), alpha)
            if tested is not None:
                key = (one.metric, population, tested.family)
                members.setdefault(key, []).append(tested)
    for (_, _, family), together in members.items():
        yield from _correct_family(together, METHODS[family], alpha, len(pairs) <= DETAILED)


def _test(pairs: Pairs, population: Population, family: Family, alpha: float) -> Comparison | None:
    """All that a contrast's own numbers give; what needs its family is filled in later.

    None where the data cannot speak about the population: without values per test example.
    """
    estimate: paired.PairedT | Crossed | None = pairs.test
    if population == "seeds+examples":
        if pairs.cells is None and (pairs.seeds or pairs.of_values):
            return None
        estimate = pairs.crossed
    margin = pairs.margin
    two_one_sided = (
        None if estimate is None or margin is None else equivalence.tost_of(estimate, margin)
    )
    return Comparison(
        pairs=pairs,
        population=population,
        family=family,
        estimate=estimate,
        interval=None if estimate is None else estimate.interval(alpha),
        p_equivalence=None if two_one_sided is None else two_one_sided.p,
        alpha=alpha,
        half_width_examples=(
            estimate.example_half_width(alpha) if isinstance(estimate, Crossed) else None
        ),
    )


def _correct_family(
    members: Sequence[Comparison], method: families.Method, alpha: float, detailed: bool
) -> Iterator[Comparison]:
    # A contrast that cannot exist is none, and makes the correction of the others no harsher.
    known = [member for member in members if not member.pairs.impossible]
    if not known:
        yield from members
        return
    m = len(known)
    p = families.adjusted([member.p for member in known], method)
    p_equivalence = families.adjusted([member.p_equivalence for member in known], method)
    level = families.bonferroni_alpha(alpha, m)
    if method == "bh":
        rejected = sum(value is not None and value <= alpha for value in p)
        level = families.fcr_alpha(alpha, m, rejected)
    of_known = zip(p, p_equivalence, strict=True)
    for member in members:
        if member.pairs.impossible:
            yield replace(member, m=m)
            continue
        difference, equivalent = next(of_known)
        simultaneous = None if member.estimate is None else member.estimate.interval(level)
        verdict = Verdict.TOO_FEW_SEEDS
        if member.n_seeds and not member.pairs.unmoved:
            verdict = families.verdict(
                n_seeds=member.n_seeds,
                p_adjusted=difference,
                p_equivalence_adjusted=equivalent,
                interval=simultaneous,
                delta=member.pairs.margin,
                alpha=alpha,
                m=m,
            )
        detect, equivalent_seeds = (
            seeds_needed(member, verdict, m, alpha) if detailed else (None, None)
        )
        yield replace(
            member,
            m=m,
            p_adjusted=difference,
            p_equivalence_adjusted=equivalent,
            simultaneous=simultaneous,
            verdict=verdict,
            seeds_needed=detect,
            seeds_needed_equivalence=equivalent_seeds,
        )


def seeds_needed(
    member: Comparison, verdict: Verdict, m: int, alpha: float
) -> tuple[int | None, int | None]:
    """Seeds that an undecided contrast would take, to detect and to show equivalence.

    None where it is decided, where it would be more than MOST_SEEDS, where nothing is known of its
    SD, and where test examples are drawn anew too: there more seeds may never suffice.
    """
    margin = member.pairs.margin
    if member.population != "seeds" or verdict not in OPEN or margin is None or not member.sd:
        return None, None
    level = families.bonferroni_alpha(alpha, m)
    fewest = families.fewest_seeds(alpha, m)  # below that no verdict is given
    needed = (
        power.seeds_needed(margin, member.sd, level),
        power.seeds_needed_equivalence(margin, member.sd, level),
    )
    detect, equivalent = (max(fewest, n) if n <= MOST_SEEDS else None for n in needed)
    return detect, equivalent
