"""The table of differences: every contrast with its tests and its verdict."""

from bench.analysis import Analysis, Comparison, Population
from bench.report import sentences, words
from bench.report.content import (
    Block,
    Cell,
    Column,
    Details,
    Paragraph,
    Section,
    Table,
    Terms,
    code,
)
from bench.statistics.crossed import Crossed
from bench.statistics.families import Verdict

BY_POPULATION = True

RESTS_ON = (
    "said where a verdict claims more than the family's interval beside it shows: equivalence is "
    "two one-sided tests, whose interval is narrower, and a step of the correction for many "
    "contrasts is milder than the interval"
)
VERDICT_MEANINGS = {
    Verdict.MATTERS: "significant, and the family's interval lies wholly beyond ±Δ",
    Verdict.TOO_SMALL: "significant, and shown to lie within ±Δ",
    Verdict.SIZE_UNDECIDED: "significant, but whether it exceeds Δ is open",
    Verdict.EQUIVALENT: "shown to lie within ±Δ; not significant",
    Verdict.UNDECIDED: "neither: the data allow a difference that matters, and none at all",
    Verdict.TOO_FEW_SEEDS: "with so few seeds no outcome could have been significant",
    Verdict.TOO_FEW_GROUPS: "with so few groups of test examples no outcome could have been "
    "significant",
    Verdict.WITHHELD: "a check says that these numbers are not those of the contrast",
}


def build(analysis: Analysis, population: Population) -> Section | None:
    comparisons = analysis.select(population)
    if not comparisons:
        return None
    blocks: list[Block] = [
        Paragraph(
            "A difference is *significant* where its p-value, corrected for the number of "
            f"contrasts in its family, is at most {analysis.alpha:g}. “Not significant” never "
            "means “no difference”: that two arms are *equivalent*, that is, closer than the "
            "smallest difference that matters (Δ), is tested by itself.".replace("*", "**")
        )
    ]
    if any(c.looks for c in comparisons):
        blocks.append(
            Paragraph(
                "Primary contrasts are decided by their intervals at the looks instead: their "
                "p-values are those of a fixed number of seeds, and decide nothing."
            )
        )
    short = [c for c in comparisons if _needs_examples(c, analysis.alpha)]
    if short:
        blocks.append(
            Paragraph(
                f"{words.count(len(short), 'undecided contrast')} would keep an interval wider "
                "than ±Δ even with infinitely many seeds: **more seeds alone cannot show "
                "equivalence there; more test examples can**."
            )
        )
    blocks.append(_table(analysis, population, comparisons))
    if len(comparisons) > words.MOST_ROWS:
        blocks.append(
            Paragraph(
                f"The first {words.MOST_ROWS:,} of {len(comparisons):,} rows; `contrasts.parquet` "
                "has all."
            )
        )
    used = {c.verdict for c in comparisons if not (c.pairs.unmoved or c.pairs.impossible)}
    meanings = [(str(v), VERDICT_MEANINGS[v]) for v in Verdict if v in used]
    if still := next((c for c in comparisons if c.pairs.unmoved), None):
        meaning = "every seed gives an arm the same value: one outcome, not repetitions of it"
        meanings.append((sentences.label(still), meaning))
    if none := next((c for c in comparisons if c.pairs.impossible), None):
        meaning = "no model of one of its arms can be made; it counts in no family"
        meanings.append((sentences.label(none), meaning))
    if any(sentences.basis(c) for c in comparisons):
        meanings.append(("what it rests on", RESTS_ON))
    blocks.append(Details("What the verdicts mean", (Terms(tuple(meanings)),)))
    return Section("Table of differences", tuple(blocks))


def _table(
    analysis: Analysis, population: Population, comparisons: tuple[Comparison, ...]
) -> Table:
    metrics = tuple(dict.fromkeys(c.pairs.metric for c in comparisons))
    mixed = any(c.pairs.mixed for c in comparisons)
    over_seeds = population == "seeds"
    level = words.level(analysis)
    delta = any(c.pairs.delta is not None for c in comparisons)
    needed = any(c.seeds_needed is not None for c in comparisons)
    churned = any(c.pairs.churn is not None for c in comparisons)
    columns = [
        Column("contrast", "first arm minus second, paired by seed"),
        Column("setting", words.setting_meaning(analysis)),
        *([Column("metric")] if len(metrics) > 1 else []),
        Column("verdict", "of the corrected tests; below it is said what each means", long=True),
        Column("mean", _unit(comparisons), True),
        Column("family's interval", _held(comparisons, analysis), True),
        Column(
            "family",
            "contrasts that are corrected together"
            + ("; primary: declared in advance" if analysis.study is not None else ""),
        ),
        Column("seeds", "pairs that the difference rests on", True),
        Column(f"pointwise {level} interval", "of this contrast alone", True),
        Column("p", "t-test: how rare so large a mean is if there is no difference", True),
        *(
            [Column("p, sign flip", "exact check that assumes only symmetry about 0", True)]
            if over_seeds
            else []
        ),
        Column("p, corrected", "by Holm (primary) or Benjamini-Hochberg (exploratory)", True),
        *(
            [Column("p, equivalence", "two one-sided t-tests against ±Δ, corrected", True)]
            if delta
            else []
        ),
        Column("dz", "mean divided by the SD over seeds", True),
        *(
            [
                Column("fixed", "share of test examples that only the first arm has right", True),
                Column("broken", "share of test examples that only the second has right", True),
            ]
            if churned
            else []
        ),
        *(
            [
                Column(
                    "seeds, detect",
                    "to detect Δ, if the true difference is Δ, with 80% power",
                    True,
                ),
                Column(
                    "seeds, equivalence", "to show equivalence, if it is 0, with 80% power", True
                ),
            ]
            if needed
            else []
        ),
        *(
            [
                Column(
                    "infinite seeds",
                    "half-width of the interval that infinitely many seeds would still leave, for "
                    "want of test examples",
                    True,
                )
            ]
            if not over_seeds
            else []
        ),
        *(
            [Column("mixed", "pairs whose arms ran on different CPUs or versions", True)]
            if mixed
            else []
        ),
    ]
    rows = []
    for c in comparisons[: words.MOST_ROWS]:
        row, unit, churn = c.row(analysis.detailed), c.pairs.unit, c.pairs.churn
        rows.append(
            (
                Cell(code(c.name)),
                Cell(words.place(c.setting, analysis.varying), c.setting.budget),
                *([Cell(code(c.pairs.metric))] if len(metrics) > 1 else []),
                sentences.verdict_cell(c),
                sentences.mean_cell(c),
                sentences.interval_cell(c),
                Cell(c.family),
                Cell(words.seeds(c), c.n_seeds),
                _pointwise(c),
                words.p_cell(c.p),
                *([words.p_cell(row["p_signflip"])] if over_seeds else []),
                words.p_cell(c.p_adjusted, c.alpha),
                *([words.p_cell(c.p_equivalence_adjusted, c.alpha)] if delta else []),
                words.number_cell(row["dz"], "", sign=True),
                *(
                    [
                        Cell(words.percent(churn and churn.fixed, 2), churn and churn.fixed),
                        Cell(words.percent(churn and churn.broken, 2), churn and churn.broken),
                    ]
                    if churned
                    else []
                ),
                *([_needed(c.seeds_needed), _needed(c.seeds_needed_equivalence)] if needed else []),
                *([words.number_cell(c.half_width_examples, unit)] if not over_seeds else []),
                *([Cell(str(c.pairs.mixed), c.pairs.mixed)] if mixed else []),
            )
        )
    return Table(
        f"differences-table{words.SLUGS[population]}",
        f"Every contrast at every setting, for {words.population(analysis, population)}",
        tuple(columns),
        tuple(rows),
    )


def _unit(comparisons: tuple[Comparison, ...]) -> str:
    """What a column of means says: unit and direction of each metric."""
    units = {c.pairs.metric: (c.pairs.unit, c.pairs.lower_is_better) for c in comparisons
             if c.pairs.kind == "contrast"}  # fmt: skip
    said = []
    for name, (unit, lower) in units.items():
        if unit == "pp":
            said.append("in percentage points for accuracies")
        elif lower is not None:
            said.append(f"{name} in {unit} ({'lower' if lower else 'higher'} is better)")
    return ", ".join(("difference of the means", *dict.fromkeys(said)))


def _held(comparisons: tuple[Comparison, ...], analysis: Analysis) -> str:
    """For what the family's intervals hold."""
    families = {c.family for c in comparisons}
    said = []
    if families - {"exploratory"}:
        said.append(f"{words.level(analysis)} for all contrasts of the family at once")
    if "exploratory" in families:
        said.append("of exploratory contrasts at the false-coverage rate")
    return "; ".join(said)


def _needs_examples(c: Comparison, alpha: float) -> bool:
    """Would infinitely many seeds still leave TOST, even uncorrected, without a chance?"""
    if c.verdict != Verdict.UNDECIDED or c.pairs.margin is None or 2 * alpha >= 1:
        return False
    if not isinstance(c.estimate, Crossed):
        return False
    # TOST at alpha asks that the interval at 1 - 2 alpha lies within the margin.
    return (c.estimate.example_half_width(2 * alpha) or 0) >= c.pairs.margin


def _pointwise(c: Comparison) -> Cell:
    if sentences.is_constant(c):
        return Cell("–")
    return Cell(words.interval(c.interval, c.pairs.unit), c.interval and c.interval.low)


def _needed(seeds: int | None) -> Cell:
    return Cell("–" if seeds is None else f"{seeds:,}", seeds)
