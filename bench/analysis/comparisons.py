"""Pairs -> comparisons: each tested for each population, each family corrected by itself.

A comparison is a row of contrasts.parquet.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bench.analysis.design import Design
from bench.analysis.records import (
    DETAILED,
    DETAILED_SEEDS,
    POPULATIONS,
    Pairs,
    Population,
    Setting,
)
from bench.statistics import equivalence, families, paired, power
from bench.statistics.checks import Interval
from bench.statistics.crossed import Crossed
from bench.statistics.families import Verdict
from bench.statistics.groups import Grouped
from bench.statistics.overall import MeanOfMeans
from bench.statistics.sequential import Look
from bench.study.factors import FACTORS

Family = Literal["primary", "interaction", "overall", "exploratory"]

MOST_SEEDS = 10**9
"""Needed seeds beyond which no number is given: a margin that no study resolves."""

OPEN = frozenset({Verdict.UNDECIDED, Verdict.SIZE_UNDECIDED, Verdict.TOO_FEW_SEEDS})
"""Verdicts that more seeds could still change into a definite one."""

METHODS: Mapping[Family, families.Method] = {
    "primary": "holm",
    "interaction": "holm",
    "overall": "holm",
    "exploratory": "bh",
}


@dataclass(frozen=True)
class Seen:
    """What one look at a contrast saw.

    planned: how many seeds the look was declared for; seeds: those that had results of both arms by
    then, those of earlier looks first.
    """

    planned: int
    seeds: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """A contrast, or a change of one, at one setting and for one population: a row of
    contrasts.parquet.

    estimate: mean, standard error, t, df and p; None without any pair. interval: pointwise at
    1 - alpha; simultaneous: the family's; both in pairs.unit. alpha: of the whole family; m:
    contrasts in it.
    half_width_examples: the part of the pointwise interval's half-width that would be left with
    infinitely many seeds, because the test set is finite; None for new seeds on this test set.
    looks: of a primary contrast in a sequential study, whose interval at the last look is then
    `simultaneous`, and which decides the verdict in place of the p-values; clear: does it ask for
    no more seeds? seen: what each look saw.
    withheld: why it gets no verdict; qualified: what must be said beside its verdict.
    """

    pairs: Pairs
    population: Population
    family: Family
    estimate: paired.PairedT | MeanOfMeans | Crossed | None
    interval: Interval | None
    p_equivalence: float | None
    alpha: float
    m: int = 0
    p_adjusted: float | None = None
    p_equivalence_adjusted: float | None = None
    simultaneous: Interval | None = None
    half_width_examples: float | None = None
    verdict: Verdict = Verdict.TOO_FEW_SEEDS
    seeds_needed: int | None = None
    seeds_needed_equivalence: int | None = None
    looks: tuple[Look, ...] = ()
    clear: bool = False
    seen: tuple[Seen, ...] = ()
    withheld: tuple[str, ...] = ()
    qualified: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.pairs.name

    @property
    def setting(self) -> Setting:
        return self.pairs.setting

    @property
    def n_seeds(self) -> int:
        return self.pairs.n

    @property
    def mean(self) -> float | None:
        return None if self.estimate is None else self.estimate.mean

    @property
    def sd(self) -> float | None:
        """Over seeds, whatever the population."""
        return None if self.pairs.test is None else self.pairs.test.sd

    @property
    def p(self) -> float | None:
        return None if self.estimate is None else self.estimate.p

    @property
    def equivalence_interval(self) -> Interval | None:
        """The interval at 1 - 2 alpha / m, within whose margin `equivalent` may rest where the
        family's at 1 - alpha / m is too wide; None where there is none."""
        level = 2 * self.alpha / max(self.m, 1)
        return None if self.estimate is None or level >= 1 else self.estimate.interval(level)

    def row(self, detailed: bool = True) -> dict[str, Any]:
        """The row of contrasts.parquet, by schema.CONTRASTS; detailed: with the other tests."""
        pairs, estimate = self.pairs, self.estimate
        low, high = self.interval or (None, None)
        low_simultaneous, high_simultaneous = self.simultaneous or (None, None)
        worst_low, worst_high = pairs.worst_case or (None, None)
        exact = detailed and self.population == "seeds" and self.n_seeds <= DETAILED_SEEDS
        return {
            "kind": pairs.kind,
            **dict.fromkeys(FACTORS),
            **self.setting.fields(),
            "factor": pairs.factor,
            "level": pairs.level,
            "reference": pairs.reference,
            "contrast": self.name,
            "metric": pairs.metric,
            "unit": pairs.unit,
            "population": self.population,
            "n_seeds": self.n_seeds,
            "mean": self.mean,
            "sd": self.sd,
            "ci_low": low,
            "ci_high": high,
            "ci_low_simultaneous": low_simultaneous,
            "ci_high_simultaneous": high_simultaneous,
            "t": estimate.t if estimate and estimate.se else None,
            "df": estimate.df if estimate and estimate.se is not None else None,
            "p": self.p,
            "p_signflip": pairs.p_signflip if exact else None,
            "p_wilcoxon": pairs.p_wilcoxon if exact else None,
            "family": self.family,
            "p_adjusted": self.p_adjusted,
            "p_equivalence": self.p_equivalence,
            "p_equivalence_adjusted": self.p_equivalence_adjusted,
            "verdict": str(self.verdict),
            **_of_draws(pairs),
            "dz": pairs.dz,
            "gz": pairs.gz,
            "win_rate": pairs.win_rate and pairs.win_rate.rate,
            "churn_fixed": pairs.churn and pairs.churn.fixed,
            "churn_broken": pairs.churn and pairs.churn.broken,
            "seeds_needed": self.seeds_needed,
            "seeds_needed_equivalence": self.seeds_needed_equivalence,
            "half_width_examples": self.half_width_examples,
            "worst_low": worst_low,
            "worst_high": worst_high,
        }


def _of_draws(pairs: Pairs) -> dict[str, Any]:
    nested = pairs.nested
    return {
        "n_draws": nested and nested.draws,
        "sd_draw": nested and nested.sd_draw,
        "sd_seed": nested and nested.sd_seed,
    }


def _family(pairs: Pairs, primary: Collection[str], design: Design) -> Family:
    """Which correction a comparison falls under: the protocol's "Many differences at once"."""
    if pairs.kind == "contrast":
        named = pairs.contrast.name in primary and design.metric in (None, pairs.metric)
        return "primary" if named and design.is_primary(pairs.setting) else "exploratory"
    if pairs.declared and design.metric in (None, pairs.metric):
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
    estimate: paired.PairedT | MeanOfMeans | Crossed | None = pairs.test
    if population == "seeds+examples":
        if pairs.cells is None and (pairs.n or pairs.of_values):
            return None
        estimate = pairs.crossed
    margin = pairs.margin
    two_one_sided = (
        None
        if estimate is None or margin is None or pairs.not_finite
        else equivalence.tost_of(estimate, margin)
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
                n_groups=(
                    member.estimate.n_groups if isinstance(member.estimate, Grouped) else None
                ),
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
