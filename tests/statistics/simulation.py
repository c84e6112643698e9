"""Error rates of the statistics themselves, by simulation of data with a known truth.

Every scenario calls the product's functions on seeded samples and counts. Tests hold each rate
against its nominal level (binomial bounds); `python -m tests.statistics.simulation` repeats with
more samples and writes docs/error-rates.md.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from bench.statistics import (
    bootstrap,
    crossed,
    equivalence,
    families,
    mcnemar,
    paired,
    sequential,
    sign_flip,
    single_runs,
)
from bench.statistics.checks import Interval
from bench.statistics.families import Verdict
from tests.statistics import simulation_decisions as decisions
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


@dataclass(frozen=True)
class Section:
    """A table of the document; repetitions: as many as it reports, about three minutes in all."""

    title: str
    note: str
    run: Callable[[int], Iterator[Rate]]
    repetitions: int


SECTIONS = (
    Section(
        "Tests of one contrast: false alarms",
        "True mean difference 0. The t-test is exact for normal differences; the sign-flip and "
        "Wilcoxon tests keep their level for any symmetric ones (at 5 seeds they can never "
        "reach 5%: their smallest p is 0.0625). Where the differences are strongly skewed no "
        "test of the mean keeps its level with few seeds, and Wilcoxon, which is none of the "
        "mean, does worse with more.",
        contrast_tests, 5_000,
    ),
    Section(
        "Intervals for new seeds on this test set: misses",
        "Nominal 95%, so 5% of misses. The percentile bootstrap, which the product does not "
        "offer, is too narrow at few seeds.",
        intervals, 2_000,
    ),
    Section(
        "Intervals for new seeds and new test examples: misses",
        "An interval over seeds alone does not hold the mean for new examples where examples "
        "vary. The crossed interval is approximate: Satterthwaite's degrees of freedom, and an "
        "example term that is floored at 0.",
        crossed_intervals, 2_000,
    ),
    Section(
        "Two files on new examples: false alarms and misses",
        "McNemar speaks about two files. Pooled over seeds its error grows with the variance "
        "between seeds.",
        two_files, 10_000,
    ),
    Section(
        "Equivalence: false claims at the margin",
        "The true difference is exactly the smallest one that matters.",
        equivalence_tests, 5_000,
    ),
    Section(
        "Verdicts: at least one false statement in a family",
        "Families of 16 contrasts over 30 shared seeds, SD 1 pp, margin 0.5 pp, contrasts "
        "correlated by one half; Holm, with Bonferroni intervals.",
        verdicts, 4_000,
    ),
    Section(
        "Exploratory family: false discoveries, false coverage",
        "The same families under Benjamini-Hochberg.",
        selected_intervals, 4_000,
    ),
    Section(
        "Adding seeds: ever wrong",
        "An error at any look counts.",
        sequential_tests, 3_000,
    ),
    Section(
        "Adding seeds: ever wrong on other data",
        "True mean difference 0.",
        every_seed, 2_000,
    ),
    Section(
        "One new run: outside its predictive interval",
        "The interval takes differences for normal.",
        predictions, 5_000,
    ),
    Section(
        "New groups of test examples: misses",
        "Groups of equal and of unequal size, each example once or several times right by its "
        "group. Where groups vary, the interval that takes examples for independent is far too "
        "narrow.",
        decisions.grouped_intervals, 1_000,
    ),
    Section(
        "Two files on new groups: misses and false alarms",
        "True mean difference 0; McNemar takes examples for independent.",
        decisions.grouped_files, 2_000,
    ),
    Section(
        "Over studies: the mean, and a new study",
        "Random-effects meta-analysis of studies whose variances are estimated from 10 seeds each. "
        "A prediction interval is approximate; with four studies, where the product gives none, "
        "it is what it would have been.",
        decisions.over_studies, 2_000,
    ),
    Section(
        "Gates: wrong decisions at the margin",
        "The new one is worse by the margin exactly, so that both `passed` and `failed` are wrong.",
        decisions.gates, 5_000,
    ),
    Section(
        "Gates of two files: wrong decisions at the margin",
        "Tango's score limits are near their level, and no bound of it.",
        decisions.gates_of_files, 5_000,
    ),
    Section(
        "The report's self-check: how often it finds fault",
        "By signs it should find none on normal data. Resampled few seeds repeat themselves: below "
        "15 of them one of two dozen contrasts of normal data would often be called skewed, and "
        "the report says nothing of skewness there; with more it finds skewed data only sometimes, "
        "and takes an outlier of heavy tails for skewness. Signs: a tenth of the samples.",
        decisions.self_checks, 500,
    ),
)  # fmt: skip


def markdown(sections: tuple[Section, ...] = SECTIONS) -> str:
    """The document, docs/error-rates.md."""
    lines = [
        "# Error rates of the statistics",
        "",
        "Written by `python -m tests.statistics.simulation`: the product's own functions on "
        "simulated data with a known truth, seeded, and beside them what it refuses to do. "
        "*Guarantee* says what theory promises of the "
        "nominal rate: exact, an upper bound, or (—) nothing, in which case the number found is "
        "all there is to know. The range is the 95% Clopper-Pearson interval of the rate.",
        "",
    ]
    words = {"exact": "exact", "at most": "at most", "none": "—"}
    for section in sections:
        lines += [f"## {section.title}", "", section.note, ""]
        lines += ["| method | data | nominal | found | range | guarantee |",
                  "| --- | --- | ---: | ---: | --- | --- |"]  # fmt: skip
        for rate in section.run(section.repetitions):
            low, high = stats.binomtest(rate.wrong, rate.repetitions).proportion_ci(method="exact")
            broken = "" if rate.agrees() else " **broken**"
            lines.append(
                f"| {rate.method} | {rate.data} | {rate.nominal:.2%} | {rate.rate:.2%} | "
                f"{low:.2%} to {high:.2%} | {words[rate.guarantee]}{broken} |"
            )
        lines += ["", f"{section.repetitions:,} samples each.", ""]
        print(f"{time.process_time():6.0f} s  {section.title}", file=sys.stderr)
    return "\n".join(lines)


if __name__ == "__main__":
    target = Path(__file__).resolve().parents[2] / "docs" / "error-rates.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text(markdown(), encoding="utf-8")
