"""Non-inferiority: may the new one be released?

Differences are those of the new arm minus the baseline, positive where the new one is better.
The two-sided interval at 1 - 2 alpha decides: passed where its worse end is inside -delta, failed
where its better end is beyond -delta, else undecided. Each of the two is wrong at most alpha of the
time; "failed" means shown worse by more than delta, not "not shown safe".
Sources: ICH E9 (1998), section 3.3.2; Tango (1998) for two files; Berger (1982), Multiparameter
hypothesis testing and acceptance sampling, for several contrasts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

import numpy as np
from scipy import special

from bench.statistics import power as power_of
from bench.statistics.checks import FloatArray, Interval, at_least, open_unit, positive
from bench.statistics.equivalence import Estimate, p_above, p_below
from bench.statistics.families import adjusted
from bench.statistics.mcnemar import McNemar, discordant_pmf, fewest_examples, score_z
from bench.statistics.student import t_interval


class Decision(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Gate:
    """One contrast's decision.

    interval: at 1 - 2 alpha; p_passed: one-sided p of "worse by delta or more"; p_failed: of
    "worse by delta or less"; all None where too few seeds allow no decision.
    """

    decision: Decision
    interval: Interval | None
    p_passed: float | None
    p_failed: float | None


def decide(interval: Interval | None, delta: float) -> Decision:
    """The decision that an interval allows; delta in its unit, > 0. None is undecided.

    For seeds that are added until the answer is clear, give the repeated interval of the look at
    2 alpha (sequential.group_sequential).
    """
    positive(delta, "delta")
    if interval is None:
        return Decision.UNDECIDED
    if interval.low > -delta:
        return Decision.PASSED
    return Decision.FAILED if interval.high < -delta else Decision.UNDECIDED


def fewest_seeds(alpha: float) -> int:
    """The fewest seeds S with which a gate decides: 1 / 2**S <= alpha."""
    seeds = 1
    while 2.0**-seeds > _level(alpha):
        seeds += 1
    return seeds


def gate_seeds(test: Estimate, n_seeds: int, delta: float, alpha: float) -> Gate:
    """By a t interval over seeds; delta in the estimate's unit, alpha of each wrong decision.

    Undecided, without interval, below fewest_seeds(alpha).
    """
    positive(delta, "delta")
    if at_least(n_seeds, 1, "n_seeds") < fewest_seeds(alpha) or test.se is None:
        return Gate(Decision.UNDECIDED, None, None, None)
    interval = t_interval(test.mean, test.se, test.df, 2 * alpha)
    return Gate(decide(interval, delta), interval, p_above(test, -delta), p_below(test, -delta))


def gate_files(pair: McNemar, delta: float, alpha: float) -> Gate:
    """By Tango's score limits for two files on new examples; delta a share, below 1.

    fixed are the examples that only the new file has right.
    """
    z = float(score_z(pair.fixed, pair.broken, pair.n, -_share(delta)))
    interval = pair.interval(2 * _level(alpha))
    return Gate(decide(interval, delta), interval, float(special.ndtr(-z)), float(special.ndtr(z)))


@dataclass(frozen=True)
class Gates:
    """Several contrasts or settings, one decision; p_failed: Holm's adjusted, None without p."""

    decision: Decision
    p_failed: tuple[float | None, ...]


def gate_several(gates: Sequence[Gate], alpha: float) -> Gates:
    """Passed if all pass, each at alpha (intersection-union); failed if any fails after Holm.

    ValueError if there is none.
    """
    _level(alpha)
    if not gates:
        raise ValueError("gates: need at least one, found none")
    p_failed = adjusted([gate.p_failed for gate in gates], "holm")
    decision = Decision.UNDECIDED
    if all(gate.decision == Decision.PASSED for gate in gates):
        decision = Decision.PASSED
    elif any(p is not None and p <= alpha for p in p_failed):
        decision = Decision.FAILED
    return Gates(decision, tuple(p_failed))


def seeds_to_pass(delta: float, sd: float, alpha: float, power: float = 0.8) -> int:
    """Seeds that pass with the power if the true difference is 0, at least fewest_seeds(alpha).

    delta and sd (of the differences over seeds) in one unit. The one-sided test at alpha is the
    two-sided one at 2 alpha but for the wrong tail, which has no weight at such powers.
    """
    return max(fewest_seeds(alpha), power_of.seeds_needed(delta, sd, 2 * alpha, power))


def power_files(
    discordance: float, n: int, delta: float, alpha: float, difference: float = 0.0
) -> float:
    """The probability that two files pass on n examples.

    discordance: the share of examples on which they differ in correctness, 0 to 1; difference: the
    true one, |difference| <= discordance; delta: the margin; all shares. Summed over the numbers of
    discordant examples and which way they fall (all but 1e-12 of it).
    """
    z = float(-special.ndtri(_level(alpha)))
    at_least(n, 1, "n")
    if not 0 <= discordance <= 1:
        raise ValueError(f"discordance: found {discordance}, allowed: 0 to 1")
    if not abs(difference) <= discordance:
        raise ValueError(
            f"difference: found {difference}, allowed: at most discordance = {discordance}"
        )
    margin = -_share(delta)
    m, pmf = discordant_pmf(discordance, n)
    # the fewest fixed examples that pass, m + 1 where none do: z rises with them
    low, high = np.full_like(m, -1), m + 1
    while (high - low > 1).any():
        middle = (low + high) // 2
        passes = score_z(middle, m - middle, n, margin) > z
        low, high = np.where(passes, low, middle), np.where(passes, middle, high)
    share = 0.5 if discordance == 0 else (1 + difference / discordance) / 2
    passing: FloatArray = np.where(
        high == 0, 1.0, special.bdtrc(np.maximum(high - 1, 0), np.maximum(m, 1), share)
    )
    passing = np.where(high > m, 0.0, passing)
    return float(min((pmf * passing).sum(), 1.0))


def examples_to_pass(
    discordance: float, delta: float, alpha: float, power: float = 0.8
) -> int | None:
    """Test examples with which two files pass with the power if their true difference is 0, one
    fewer does not; None beyond mcnemar.MOST_EXAMPLES. Arguments as for power_files."""
    open_unit(power, "power")
    z = -float(special.ndtri(_level(alpha))) + float(special.ndtri(power))
    near = ceil(discordance * (max(z, 0.0) / _share(delta)) ** 2)
    return fewest_examples(lambda n: power_files(discordance, n, delta, alpha) >= power, near)


def _share(delta: float) -> float:
    if not 0 < delta < 1:
        raise ValueError(f"delta: found {delta}, allowed: a share, above 0 and below 1")
    return delta


def _level(alpha: float) -> float:
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha: found {alpha}, allowed: above 0 and below 0.5")
    return alpha
