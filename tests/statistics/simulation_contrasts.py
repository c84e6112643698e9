"""Error rates of one contrast: tests, intervals, two files, equivalence, one new run."""

from collections.abc import Iterator

import numpy as np

from bench.statistics import (
    bootstrap,
    crossed,
    equivalence,
    mcnemar,
    paired,
    sign_flip,
    single_runs,
)
from bench.statistics.checks import Interval
from tests.statistics.rates import POPULATIONS, SEEDS, SYMMETRIC, Guarantee, Rate


def contrast_tests(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """Type I error of each test of one contrast."""
    for population, sample in POPULATIONS.items():
        for n in SEEDS:
            rng = np.random.default_rng([1, n, len(population)])
            wrong = np.zeros(3, int)
            for _ in range(repetitions):
                d = sample(rng, n)
                p = (paired.paired_t(d).p, sign_flip.sign_flip_p(d), sign_flip.wilcoxon_p(d))
                wrong += np.array(p) <= alpha
            for method, count, guarantee in zip(
                ("paired t", "sign flip", "Wilcoxon"),
                wrong.tolist(),
                (
                    "exact" if population == "normal" else "none",
                    "at most" if population in SYMMETRIC else "none",
                    "at most" if population in SYMMETRIC else "none",
                ),
                strict=True,
            ):
                yield Rate(method, f"{population}, {n} seeds", count, repetitions, alpha, guarantee)


def percentile_interval(d: np.ndarray, alpha: float, counts: np.ndarray) -> Interval:
    """The percentile bootstrap's interval of the mean, which the product does not offer.

    d: (n_seeds,); counts: bootstrap.resample_counts. The alpha/2 quantiles of the resamples' means,
    taken as order statistics outward. Source: Efron & Tibshirani (1993), An Introduction to the
    Bootstrap, section 13.3.
    """
    means = np.sort(counts @ d / d.size)
    k = int((means.size + 1) * alpha / 2 + 1e-9)
    return Interval(float(means[k - 1]), float(means[-k]))


def intervals(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """How often each interval for new seeds misses the true mean."""
    for population, sample in POPULATIONS.items():
        for n in SEEDS:
            rng = np.random.default_rng([2, n, len(population)])
            counts = bootstrap.resample_counts(n, 1999, rng)
            wrong = np.zeros(4, int)
            for _ in range(repetitions):
                d = sample(rng, n)
                found = (
                    paired.paired_t(d).interval(alpha),
                    sign_flip.sign_flip_interval(d, alpha),
                    bootstrap.studentized_interval(d, alpha, counts),
                    percentile_interval(d, alpha, counts),
                )
                wrong += np.array([not interval.holds(0) for interval in found])
            for method, count, guarantee in zip(
                ("t", "inverted sign flip", "studentized bootstrap", "percentile bootstrap"),
                wrong.tolist(),
                (
                    "exact" if population == "normal" else "none",
                    "at most" if population in SYMMETRIC else "none",
                    "none",
                    "none",
                ),
                strict=True,
            ):
                yield Rate(method, f"{population}, {n} seeds", count, repetitions, alpha, guarantee)


#: SD over seeds and half-range over examples of the mean of D, in shares.
CROSSED = {
    "neither varies": (0.0, 0.0),
    "seeds vary": (0.03, 0.0),
    "examples vary": (0.0, 0.25),
    "both vary": (0.03, 0.25),
}


def _cells(
    rng: np.random.Generator, n_seeds: int, n_examples: int, sd: float, spread: float
) -> np.ndarray:
    """D with mean 0 over seeds and examples; 40% of the cells differ, without other reasons."""
    mean = rng.normal(0, sd, (n_seeds, 1)) + rng.uniform(-spread, spread, n_examples)
    chance = rng.random((n_seeds, n_examples))
    return (chance < 0.2 + mean / 2).astype(np.int8) - (chance > 0.8 + mean / 2).astype(np.int8)


def crossed_intervals(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """How often intervals miss the mean for new seeds and new test examples."""
    for name, (sd, spread) in CROSSED.items():
        for n_seeds in SEEDS:
            rng = np.random.default_rng([3, n_seeds, len(name)])
            wrong = np.zeros(2, int)
            for _ in range(repetitions):
                cells = _cells(rng, n_seeds, 400, sd, spread)
                sums = crossed.crossed_sums(cells)
                found = (
                    crossed.crossed(sums).interval(alpha),
                    paired.paired_t(sums.seeds / 400).interval(alpha),
                )
                wrong += np.array([not interval.holds(0) for interval in found])
            data = f"{name}, {n_seeds} seeds, 400 examples"
            # Satterthwaite is an approximation, and flooring the example term a second one
            yield Rate("crossed", data, int(wrong[0]), repetitions, alpha, "none")
            yield Rate("t over seeds alone", data, int(wrong[1]), repetitions, alpha, "none")


def two_files(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """McNemar on one pair of files, and pooled over seeds, which the product does not offer."""
    n = 1000
    for discordance in (0.01, 0.05, 0.2):
        rng = np.random.default_rng([4, int(1000 * discordance)])
        wrong = missed = 0
        for _ in range(repetitions):
            fixed, broken, _ = rng.multinomial(n, [discordance / 2] * 2 + [1 - discordance])
            result = mcnemar.mcnemar(fixed, broken, n)
            wrong += result.p <= alpha
            missed += not result.interval(alpha).holds(0)
        data = f"{discordance:.0%} of {n:,} examples differ"
        yield Rate("exact McNemar", data, wrong, repetitions, alpha, "at most")
        yield Rate("score interval", data, missed, repetitions, alpha, "none")
    rng = np.random.default_rng([4, 1])
    wrong = 0
    for _ in range(repetitions):
        mean = rng.normal(0, 0.008, 20)
        fixed = rng.binomial(5000, 0.05 + mean / 2).sum()
        broken = rng.binomial(5000, 0.05 - mean / 2).sum()
        wrong += mcnemar.mcnemar(fixed, broken, 20 * 5000).p <= alpha
    data = "20 seeds with SD 0.8 pp between them, 10% of 5,000 examples differ"
    yield Rate("McNemar pooled over seeds: never do this", data, wrong, repetitions, alpha, "none")


def equivalence_tests(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """How often TOST says "equivalent" of a true difference that is just the margin."""
    for population, sample in POPULATIONS.items():
        for n in SEEDS:
            rng = np.random.default_rng([5, n, len(population)])
            # several SDs of the mean: the other margin is out of reach, the error largest
            margin = 12.0 if population.startswith("discrete") else 600.0
            wrong = np.zeros(2, int)
            for _ in range(repetitions):
                d = sample(rng, n)
                for side, sign in enumerate((1, -1)):
                    test = paired.paired_t(d + sign * margin)
                    wrong[side] += equivalence.tost_of(test, margin).p <= alpha
            guarantee: Guarantee = "exact" if population == "normal" else "none"
            for side, edge in enumerate(("upper", "lower")):
                data = f"{population}, {n} seeds, at the {edge} margin"
                yield Rate("TOST", data, int(wrong[side]), repetitions, alpha, guarantee)


def predictions(repetitions: int, alpha: float = 0.05) -> Iterator[Rate]:
    """How often one new run falls outside the predictive interval of the seeds before it."""
    for population, sample in POPULATIONS.items():
        for n in SEEDS:
            rng = np.random.default_rng([10, n, len(population)])
            wrong = 0
            for _ in range(repetitions):
                d = sample(rng, n + 1)
                wrong += not single_runs.predictive_interval(d[:n], alpha).holds(d[n])
            guarantee: Guarantee = "exact" if population == "normal" else "none"
            yield Rate("predictive interval", f"{population}, {n} seeds", wrong, repetitions,
                       alpha, guarantee)  # fmt: skip
