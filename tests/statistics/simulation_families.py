"""Error rates of families of contrasts, and of seeds that are added by looks."""

from collections.abc import Iterator

import numpy as np

from bench.statistics import (
    equivalence,
    families,
    paired,
    sequential,
)
from bench.statistics.families import Verdict
from tests.statistics.rates import POPULATIONS, Rate


def _families(
    rng: np.random.Generator, truth: np.ndarray, n_seeds: int
) -> tuple[list[paired.PairedT], np.ndarray]:
    """Contrasts that share an arm: differences over seeds correlated by one half, SD 1 pp."""
    shared = rng.normal(size=(n_seeds, 1))
    d = truth + (shared + rng.normal(size=(n_seeds, truth.size))) / np.sqrt(2)
    return [paired.paired_t(column) for column in d.T], d


#: True differences in pp; the smallest that matters is 0.5.
TRUTHS = {
    "16 contrasts, none differs": np.zeros(16),
    "16 contrasts, 8 differ by 1.5 pp": np.repeat([0.0, 1.5], 8),
    "16 contrasts, all differ by the margin": np.full(16, 0.5),
    "16 contrasts, 0, 0.25, 0.5 and 1.5 pp": np.repeat([0.0, 0.25, 0.5, 1.5], 4),
}


def verdicts(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """How often a family of verdicts holds at least one false statement."""
    delta = 0.5
    for name, truth in TRUTHS.items():
        m = truth.size
        rng = np.random.default_rng([6, len(name)])
        wrong = {"a difference": 0, "equivalence": 0, "size": 0, "an interval": 0}
        for _ in range(repetitions):
            found, _ = _families(rng, truth, 30)
            p = families.adjusted([t.p for t in found], "holm")
            p_equivalence = families.adjusted(
                [equivalence.tost_of(t, delta).p for t in found], "holm"
            )
            level = families.bonferroni_alpha(alpha, m)
            bands = [t.interval(level) for t in found]
            said = [
                families.verdict(
                    n_seeds=30, p_adjusted=p[i], p_equivalence_adjusted=p_equivalence[i],
                    interval=bands[i], delta=delta, alpha=alpha, m=m,
                )
                for i in range(m)
            ]  # fmt: skip
            different = [v.startswith("different") for v in said]
            small = [v in (Verdict.TOO_SMALL, Verdict.EQUIVALENT) for v in said]
            large = [v == Verdict.MATTERS for v in said]
            wrong["a difference"] += any(np.array(different) & (truth == 0))
            wrong["equivalence"] += any(np.array(small) & (truth >= delta))
            wrong["size"] += any(np.array(large) & (truth <= delta))
            wrong["an interval"] += any(
                not band.holds(x) for band, x in zip(bands, truth, strict=True)
            )
        for claim, count in wrong.items():
            yield Rate(f"{claim} claimed wrongly in the family", name, count, repetitions,
                       alpha, "at most")  # fmt: skip


def selected_intervals(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """The share of intervals that miss, among the contrasts that Benjamini-Hochberg selects."""
    for name, truth in TRUTHS.items():
        m = truth.size
        rng = np.random.default_rng([7, len(name)])
        share = false_discoveries = 0.0
        for _ in range(repetitions):
            found, _ = _families(rng, truth, 30)
            chosen = families.benjamini_hochberg([t.p for t in found]) <= alpha
            r = int(chosen.sum())
            level = families.fcr_alpha(alpha, m, r)
            missed = [not t.interval(level).holds(x) for t, x in zip(found, truth, strict=True)]
            share += np.sum(np.array(missed) & chosen) / max(r, 1)
            false_discoveries += np.sum(chosen & (truth == 0)) / max(r, 1)
        # both are means of shares; rounded to a count they vary less than a binomial
        yield Rate("false coverage (selected intervals)", name, round(share), repetitions, alpha,
                   "at most")  # fmt: skip
        yield Rate("false discoveries (Benjamini-Hochberg)", name, round(false_discoveries),
                   repetitions, alpha, "at most")  # fmt: skip


LOOKS = (10, 15, 20, 25, 30)


def sequential_tests(repetitions: int) -> Iterator[Rate]:
    """How often the two sequential methods are wrong at any of their looks."""
    for alpha in (0.05, 0.05 / 16):
        for dz in (0.0, 0.5):
            rng = np.random.default_rng([8, round(1 / alpha), round(10 * dz)])
            repeated = anytime = naive = 0
            for _ in range(repetitions):
                d = rng.normal(dz, 1, 60)
                looks = sequential.group_sequential(d[:30], LOOKS, alpha)
                repeated += any(not look.interval.holds(dz) for look in looks)
                anytime += any(
                    not sequential.anytime_interval(d[:n], alpha).holds(dz) for n in range(2, 61)
                )
                if alpha == 0.05 and dz == 0:
                    naive += any(paired.paired_t(d[:n]).p <= alpha for n in range(5, 61))
            data = f"normal, true dz = {dz}, alpha = {alpha:.4g}"
            yield Rate("repeated intervals, 5 looks to 30 seeds", data, repeated, repetitions,
                       alpha, "exact")  # fmt: skip
            yield Rate("confidence sequence, every seed from 2 to 60", data, anytime, repetitions,
                       alpha, "at most")  # fmt: skip
            if alpha == 0.05 and dz == 0:
                yield Rate("fixed-sample t after every seed from 5 to 60: never do this", data,
                           naive, repetitions, alpha, "none")  # fmt: skip


def every_seed(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """The group-sequential test with a look at every seed, and on data that are not normal."""
    looks = tuple(range(5, 31))
    for population, sample in POPULATIONS.items():
        rng = np.random.default_rng([9, len(population)])
        dense = sparse = anytime = 0
        for _ in range(repetitions):
            d = sample(rng, 30)
            dense += any(
                not look.interval.holds(0) for look in sequential.group_sequential(d, looks, alpha)
            )
            sparse += any(
                not look.interval.holds(0) for look in sequential.group_sequential(d, LOOKS, alpha)
            )
            anytime += any(
                not sequential.anytime_interval(d[:n], alpha).holds(0) for n in range(5, 31)
            )
        normal = population == "normal"
        yield Rate("repeated intervals, every seed from 5 to 30", population, dense, repetitions,
                   alpha, "exact" if normal else "none")  # fmt: skip
        yield Rate("repeated intervals, 5 looks to 30 seeds", population, sparse, repetitions,
                   alpha, "exact" if normal else "none")  # fmt: skip
        yield Rate("confidence sequence, every seed from 5 to 30", population, anytime,
                   repetitions, alpha, "at most" if normal else "none")  # fmt: skip
