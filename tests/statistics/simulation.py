"""Error rates of the statistics themselves, by simulation of data with a known truth.

Every scenario calls the product's functions on seeded samples and counts. Tests hold each rate
against its nominal level (binomial bounds); `python -m tests.statistics.simulation` repeats with
more samples and writes docs/error-rates.md; titles of sections, or how they begin, as arguments
write those anew and keep the others.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy import stats

from tests.statistics import simulation_contrasts as contrasts
from tests.statistics import simulation_decisions as decisions
from tests.statistics import simulation_families as families
from tests.statistics.rates import Rate


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
        contrasts.contrast_tests, 5_000,
    ),
    Section(
        "Intervals for new seeds on this test set: misses",
        "Nominal 95%, so 5% of misses. The percentile bootstrap, which the product does not "
        "offer, is too narrow at few seeds.",
        contrasts.intervals, 2_000,
    ),
    Section(
        "Intervals for new seeds and new test examples: misses",
        "An interval over seeds alone does not hold the mean for new examples where examples "
        "vary. The crossed interval is approximate: Satterthwaite's degrees of freedom, and an "
        "example term that is floored at 0.",
        contrasts.crossed_intervals, 2_000,
    ),
    Section(
        "Two files on new examples: false alarms and misses",
        "McNemar speaks about two files. Pooled over seeds its error grows with the variance "
        "between seeds.",
        contrasts.two_files, 10_000,
    ),
    Section(
        "Equivalence: false claims at the margin",
        "The true difference is exactly the smallest one that matters.",
        contrasts.equivalence_tests, 5_000,
    ),
    Section(
        "Verdicts: at least one false statement in a family",
        "Families of 16 contrasts over 30 shared seeds, SD 1 pp, margin 0.5 pp, contrasts "
        "correlated by one half; Holm, with Bonferroni intervals.",
        families.verdicts, 4_000,
    ),
    Section(
        "Exploratory family: false discoveries, false coverage",
        "The same families under Benjamini-Hochberg.",
        families.selected_intervals, 4_000,
    ),
    Section(
        "Adding seeds: ever wrong",
        "An error at any look counts.",
        families.sequential_tests, 3_000,
    ),
    Section(
        "Adding seeds: ever wrong on other data",
        "True mean difference 0.",
        families.every_seed, 2_000,
    ),
    Section(
        "One new run: outside its predictive interval",
        "The interval takes differences for normal.",
        contrasts.predictions, 5_000,
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


HEAD = (
    "# Error rates of the statistics\n\n"
    "Written by `python -m tests.statistics.simulation`: the product's own functions on simulated "
    "data with a known truth, seeded, and beside them what it refuses to do. *Guarantee* says what "
    "theory promises of the nominal rate: exact, an upper bound, or (—) nothing, in which case the "
    "number found is all there is to know. The range is the 95% Clopper-Pearson interval of the "
    "rate.\n"
)


def table(section: Section) -> str:
    """A section of the document."""
    lines = [f"## {section.title}", "", section.note, ""]
    lines += ["| method | data | nominal | found | range | guarantee |",
              "| --- | --- | ---: | ---: | --- | --- |"]  # fmt: skip
    words = {"exact": "exact", "at most": "at most", "none": "—"}
    for rate in section.run(section.repetitions):
        low, high = stats.binomtest(rate.wrong, rate.repetitions).proportion_ci(method="exact")
        broken = "" if rate.agrees() else " **broken**"
        lines.append(
            f"| {rate.method} | {rate.data} | {rate.nominal:.2%} | {rate.rate:.2%} | "
            f"{low:.2%} to {high:.2%} | {words[rate.guarantee]}{broken} |"
        )
    print(f"{time.process_time():6.0f} s  {section.title}", file=sys.stderr)
    return "\n".join([*lines, "", f"{section.repetitions:,} samples each.", ""])


def document(chosen: Sequence[str], before: str) -> str:
    """docs/error-rates.md, as it was `before` but for the sections whose titles begin with one of
    those that are chosen; all of them anew where none is."""
    kept = {part.partition("\n")[0]: f"## {part}" for part in before.split("\n## ")[1:]}
    parts = [HEAD]
    for section in SECTIONS:
        again = not chosen or any(section.title.startswith(title) for title in chosen)
        parts.append(table(section) if again else kept[section.title].rstrip("\n") + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    target = Path(__file__).resolve().parents[2] / "docs" / "error-rates.md"
    made = document(sys.argv[1:], target.read_text(encoding="utf-8") if sys.argv[1:] else "")
    target.write_text(made, encoding="utf-8")
