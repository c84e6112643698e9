"""Somebody's accuracies of single runs: what they can prove of the files, what of the recipes.

The protocol's "A claim without its data" (docs/method.md). Nothing is trained or evaluated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from bench.analysis.priors import Prior, of_pair
from bench.errors import InputError
from bench.statistics import claim, power
from bench.statistics.families import fewest_seeds, holm
from bench.statistics.student import t_quantile

MOST_EXAMPLES = 10**9


@dataclass(frozen=True)
class Recipes:
    """What studies say of one pair of recipes.

    of: their settings, in order of their SDs, sigmas: of one run's difference on this many
    examples, pp. The rest as (lowest, highest) over the settings: turns: share of reruns, of as
    many runs as the claim, with the opposite sign; proven_above: |difference| in pp that such runs
    must exceed to prove one; seeds: to detect delta with 80% power. beyond: in how many settings
    the claim exceeds what seeds alone give; usual: in how many such runs give the claim's
    difference, by the predictive interval around what was measured there.
    """

    of: tuple[Prior, ...]
    sigmas: tuple[float, ...]
    turns: tuple[float, float]
    proven_above: tuple[float, float]
    seeds: tuple[int, int]
    beyond: int
    usual: int


@dataclass(frozen=True)
class Pair:
    """Later arm minus earlier one. p_at_churn: exact McNemar's smallest and largest p, corrected by
    Holm, where as many examples changed as in the studies; recipes: None where no study has both
    arms."""

    contrast: str
    numbers: claim.PairClaim
    p_at_churn: tuple[float, float] | None
    recipes: Recipes | None

    def files_differ(self, alpha: float) -> bool | None:
        """After Holm: True, whichever errors the files share; False, whichever; None: it depends on
        them, or nothing is known of files."""
        if self.numbers.p_largest_adjusted is None or self.numbers.p_smallest_adjusted is None:
            return None
        if self.numbers.p_largest_adjusted <= alpha:
            return True
        return False if self.numbers.p_smallest_adjusted > alpha else None


@dataclass(frozen=True)
class Claim:
    """All that follows from some arms' accuracies. counts: the right examples that fit each, None
    for means of several runs."""

    arms: tuple[str, ...]
    accuracies: tuple[claim.Accuracy, ...]
    counts: tuple[range, ...] | None
    examples: int
    runs: int
    alpha: float
    delta: float
    pairs: tuple[Pair, ...]


def examine(
    given: Sequence[tuple[str, str]],
    priors: Sequence[Prior],
    *,
    examples: int,
    runs: int = 1,
    alpha: float = 0.05,
    delta: float = 0.5,
) -> Claim:
    """What accuracies can prove.

    given: (arm, accuracy as it was written), in the order in which they were made; priors: of the
    studies that the recipes are held against; examples: of the test set; runs: of which each
    accuracy is the mean; delta: the smallest difference that matters, pp. Raises InputError naming
    what is no claim.
    """
    if not 0 < alpha < 0.5:
        raise InputError("--alpha", f"found {alpha:g}", "allowed: between 0 and 0.5")
    if not 0 < delta <= 100:
        raise InputError("--delta", f"found {delta:g}", "allowed: above 0, at most 100 pp")
    if not 1 <= examples <= MOST_EXAMPLES:
        allowed = f"allowed: 1 to {MOST_EXAMPLES:,} test examples"
        raise InputError("--examples", f"found {examples}", allowed)
    if runs < 1:
        raise InputError("--runs", f"found {runs}", "allowed: at least 1")
    names = [name for name, _ in given]
    if len(names) < 2:
        raise InputError("ARM=ACCURACY", f"found {len(names)}", "allowed: two or more arms")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError("ARM=ACCURACY", f"{twice!r} twice", "allowed: each arm once")
    accuracies = tuple(claim.read_accuracy(text) for _, text in given)
    pairs = claim.pair_claims(accuracies, examples, runs)
    like = [of_pair(priors, names[pair.first], names[pair.second]) for pair in pairs]
    churns = _at_churn(pairs, like)
    return Claim(
        arms=tuple(names),
        accuracies=accuracies,
        counts=tuple(each.counts(examples) for each in accuracies) if runs == 1 else None,
        examples=examples,
        runs=runs,
        alpha=alpha,
        delta=delta,
        pairs=tuple(
            Pair(
                contrast=f"{names[pair.first]} - {names[pair.second]}",
                numbers=pair,
                p_at_churn=churn if found else None,
                recipes=_recipes(
                    pair.difference, names[pair.first], found, examples, runs, alpha, delta
                ),
            )
            for pair, found, churn in zip(pairs, like, churns, strict=True)
        ),
    )


def _at_churn(
    pairs: Sequence[claim.PairClaim], like: Sequence[Sequence[Prior]]
) -> list[tuple[float, float] | None]:
    """The smallest and the largest p of each pair, by Holm, at the churns of studies like it; of a
    pair without such all churns count."""
    ends = []
    for pair, priors in zip(pairs, like, strict=True):
        if pair.files is None:
            return [None] * len(pairs)
        at = [pair.files.p_at_churn(prior.churn) for prior in priors]
        at = at or [(pair.files.p_smallest, pair.files.p_largest)]
        ends.append((min(low for low, _ in at), max(high for _, high in at)))
    low, high = (holm([pair[i] for pair in ends]).tolist() for i in (0, 1))
    return list(zip(low, high, strict=True))


def _recipes(
    difference: float,
    later: str,
    priors: Sequence[Prior],
    examples: int,
    runs: int,
    alpha: float,
    delta: float,
) -> Recipes | None:
    sds = [(claim.run_sd(prior.variance, examples), prior) for prior in priors]
    known = sorted(((sd, prior) for sd, prior in sds if sd is not None), key=lambda each: each[0])
    if not known:
        return None
    sigmas = tuple(sd for sd, _ in known)
    ends = sigmas[0], sigmas[-1]
    above = [claim.smallest_proven(sd, alpha, runs) for sd in sigmas]
    turns = [claim.turn_probability(difference, sd, runs, runs) for sd in ends]
    seeds = [_seeds(delta, sd, alpha) for sd in ends]
    return Recipes(
        of=tuple(prior for _, prior in known),
        sigmas=sigmas,
        turns=(turns[0], turns[1]),
        proven_above=(above[0], above[-1]),
        seeds=(seeds[0], seeds[1]),
        beyond=sum(abs(difference) > least for least in above),
        usual=sum(_usual(difference, later, sd, prior, runs, alpha) for sd, prior in known),
    )


def _usual(difference: float, later: str, sd: float, prior: Prior, runs: int, alpha: float) -> bool:
    """Would the mean of so many new runs at the study's setting lie there?"""
    turned = -1 if prior.contrast.lower().endswith(f" - {later.lower()}") else 1
    around = t_quantile(prior.seeds - 1, alpha) * sd * sqrt(1 / runs + 1 / prior.seeds)
    return abs(difference - turned * prior.mean) <= around


def _seeds(delta: float, sd: float, alpha: float) -> int:
    return max(power.seeds_needed(delta, sd, alpha), fewest_seeds(alpha))
