"""Error rates of groups, of studies together, of gates and of the self-check: scenarios of
tests.statistics.simulation."""

from collections.abc import Iterator
from math import sqrt

import numpy as np

from bench.statistics import crossed, gate, groups, mcnemar, meta, paired, self_check
from bench.statistics.gate import Decision
from bench.statistics.student import t_interval
from tests.statistics.rates import POPULATIONS, Guarantee, Rate

SIZES = {
    "equal": lambda g: np.full(g, 30),
    "10 to 160": lambda g: np.rint(np.geomspace(10, 160, g)).astype(int),
}
#: SD over seeds and over groups of the mean of D, in shares.
GROUPED = {"groups vary": (0.0, 0.08), "both vary": (0.03, 0.08), "neither varies": (0.0, 0.0)}


def _clips(
    rng: np.random.Generator, s: int, sizes: np.ndarray, seeds: float, between: float
) -> np.ndarray:
    """D of examples in groups, (seeds, examples) of -1, 0 and 1 with a true mean of 0."""
    mean = rng.normal(0, seeds, (s, 1)) + np.repeat(rng.normal(0, between, sizes.size), sizes)
    mean = np.clip(mean, -0.3, 0.3)
    drawn = rng.random((s, int(sizes.sum())))
    return (drawn < (0.3 + mean) / 2).astype(np.int8) - (drawn > 1 - (0.3 - mean) / 2)


def grouped_intervals(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """How often intervals for new groups miss the true mean, and those that take a group's examples
    for independent."""
    for kind, (seeds, between) in GROUPED.items():
        for how, sizes_of in SIZES.items():
            for s, g in ((5, 6), (5, 20), (20, 6), (20, 20)):
                sizes = sizes_of(g)
                member = np.repeat(np.arange(g), sizes)
                rng = np.random.default_rng([11, s, g, len(kind), len(how)])
                wrong = alone = 0
                for _ in range(repetitions):
                    cells = _clips(rng, s, sizes, seeds, between)
                    found = groups.grouped(groups.group_sums(cells, member))
                    wrong += not found.interval(alpha).holds(0)
                    plain = crossed.crossed(crossed.crossed_sums(cells))
                    alone += not plain.interval(alpha).holds(0)
                data = f"{kind}, {g} groups, {how}, {s} seeds"
                yield Rate("grouped", data, wrong, repetitions, alpha, "none")
                if (s, g) == (20, 6) and between:
                    yield Rate("crossed, groups not known", data, alone, repetitions, alpha, "none")


def grouped_files(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """Two files on new groups: the interval, and the sign-flip test over groups' sums."""
    for how, sizes_of in SIZES.items():
        for g in (6, 10, 20):
            sizes = sizes_of(g)
            member = np.repeat(np.arange(g), sizes)
            rng = np.random.default_rng([12, g, len(how)])
            missed = flipped = naive = 0
            for _ in range(repetitions):
                cells = _clips(rng, 1, sizes, 0.0, 0.08)
                found = groups.grouped_files(groups.group_sums(cells, member))
                missed += not found.interval(alpha).holds(0)
                flipped += found.p <= alpha
                fixed, broken = int((cells == 1).sum()), int((cells == -1).sum())
                naive += mcnemar.mcnemar(fixed, broken, cells.size).p <= alpha
            data = f"{g} groups, {how}"
            yield Rate("interval over groups", data, missed, repetitions, alpha, "none")
            yield Rate("sign flip over groups", data, flipped, repetitions, alpha, "at most")
            yield Rate("McNemar, groups not known", data, naive, repetitions, alpha, "none")


#: The variance between studies, over a study's own.
BETWEEN = {"none": 0.0, "as much as within": 1.0, "ten times as much": 10.0}


def over_studies(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """How often the interval of the mean misses it, and the prediction interval a new study."""
    for how, ratio in BETWEEN.items():
        for k in (4, 8, 20):
            rng = np.random.default_rng([13, k, round(ratio)])
            missed = outside = 0
            for _ in range(repetitions):
                v = rng.uniform(0.3, 1.7, k) ** 2
                y = rng.normal(0, np.sqrt(v + ratio))
                known = v * rng.chisquare(9, k) / 9  # as 10 seeds estimate it
                found = meta.pool(y, known)
                missed += not found.interval(alpha).holds(0)
                wide = sqrt(found.se**2 + found.tau2)
                new = t_interval(found.mean, wide, found.df, alpha)  # also below five studies
                outside += not new.holds(rng.normal(0, sqrt(ratio)))
            data = f"{k} studies of 10 seeds, variance between them: {how}"
            yield Rate("mean over studies", data, missed, repetitions, alpha, "none")
            shown = "" if k >= meta.FEWEST_PREDICTED else " (not shown below 5)"
            yield Rate(f"a new study{shown}", data, outside, repetitions, alpha, "none")


def _gate(d: np.ndarray, margin: float, alpha: float) -> gate.Gate:
    return gate.gate_seeds(paired.paired_t(d), d.size, margin, alpha)


def gates(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """Wrong decisions where the new one is worse by the margin exactly."""
    for population, sample in POPULATIONS.items():
        for n in (5, 10, 30):
            rng = np.random.default_rng([14, n, len(population)])
            passed = failed = 0
            for _ in range(repetitions):
                d = sample(rng, n) - 50.0
                decision = _gate(d, 50.0, alpha).decision
                passed += decision == Decision.PASSED
                failed += decision == Decision.FAILED
            guarantee: Guarantee = "exact" if population == "normal" else "none"
            for what, count in (("passed", passed), ("failed", failed)):
                yield Rate(f"wrongly {what}", f"{population}, {n} seeds", count, repetitions, alpha,
                           guarantee)  # fmt: skip
    yield from _several(repetitions, alpha)
    yield from _reruns(repetitions, alpha)


def _several(repetitions: int, alpha: float) -> Iterator[Rate]:
    """Four settings: all at the margin, or one there and three without a difference."""
    for where, truth in (("all at the margin", [-1] * 4), ("one at the margin", [-1, 0, 0, 0])):
        rng = np.random.default_rng([15, len(where)])
        passed = failed = 0
        for _ in range(repetitions):
            shared = rng.normal(0, 0.7, 10)
            rows = [shared + rng.normal(mean, 0.7, 10) for mean in truth]
            found = gate.gate_several([_gate(row, 1.0, alpha) for row in rows], alpha)
            passed += found.decision == Decision.PASSED
            failed += found.decision == Decision.FAILED
        data = f"4 settings, {where}, 10 seeds"
        yield Rate("wrongly passed", data, passed, repetitions, alpha, "at most")
        yield Rate("wrongly failed", data, failed, repetitions, alpha, "at most")


def _reruns(repetitions: int, alpha: float) -> Iterator[Rate]:
    """What the product warns of: fresh seeds until it passes."""
    for tries in (3, 5, 10):
        rng = np.random.default_rng([16, tries])
        passed = sum(
            any(
                _gate(rng.normal(-1, 1, 10), 1.0, alpha).decision == Decision.PASSED
                for _ in range(tries)
            )
            for _ in range(repetitions)
        )
        yield Rate(f"passed in one of {tries} tries: never do this", "normal, 10 seeds", passed,
                   repetitions, alpha, "none")  # fmt: skip


def gates_of_files(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """Two files by Tango's limits, the new one worse by the margin exactly."""
    for n, share, margin in (
        (200, 0.05, 0.01), (797, 0.05, 0.01), (797, 0.01, 0.005), (10_000, 0.05, 0.005),
        (10_000, 0.006, 0.005),
    ):  # fmt: skip
        rng = np.random.default_rng([17, n, round(1e4 * share)])
        worse = (share + margin) / 2
        drawn = rng.multinomial(n, [share - worse, worse, 1 - share], repetitions)
        passed = failed = 0
        for fixed, broken, _ in drawn.tolist():
            decision = gate.gate_files(mcnemar.mcnemar(fixed, broken, n), margin, alpha).decision
            passed += decision == Decision.PASSED
            failed += decision == Decision.FAILED
        data = f"{n:,} examples, {share:.1%} discordant, margin {100 * margin:g} pp"
        yield Rate("wrongly passed", data, passed, repetitions, alpha, "none")
        yield Rate("wrongly failed", data, failed, repetitions, alpha, "none")


def self_checks(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """How often the self-check finds fault: on normal data, where there is none, and on skewed
    ones, where there is. Nominal: what a check at the level would."""
    options = {"alpha": alpha, "method": "holm"}
    for n in (6, 10, 12, 20):
        rng = np.random.default_rng([18, n])
        loud = 0
        for _ in range(repetitions // 10):
            d = rng.normal(0, 0.7, (1, n)) + rng.normal(0, 0.7, (8, n))
            loud += self_check.by_signs(d, delta=0.5, rng=rng, **options).loud
        yield Rate("by signs, loud", f"normal, 8 contrasts, {n} seeds", loud, repetitions // 10,
                   alpha, "none")  # fmt: skip
    for population in ("normal", "heavy tails (t, 3 df)", "skewed (exponential)"):
        for n in (6, 8, 10, 12, 15, 20, 30):
            rng = np.random.default_rng([19, n, len(population)])
            d = np.array([POPULATIONS[population](rng, n) for _ in range(repetitions)], float)
            flagged = 0
            for start in range(0, repetitions, 50):
                batch = d[start : start + 50]
                found = self_check.by_resampling(batch, delta=None, rng=rng, **options)
                flagged += int(found.skewed.sum())
            yield Rate("by resampling, skewed", f"{population}, {n} seeds", flagged, repetitions,
                       alpha, "none")  # fmt: skip
