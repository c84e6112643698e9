"""Where the variance comes from: seeds, or the test set."""

import numpy as np

from bench.analysis import Analysis, Population
from bench.report import words
from bench.report.content import Cell, Column, Details, Paragraph, Section, Table, code
from bench.statistics.crossed import CrossedSums, SeedVariance, seed_variance

BY_POPULATION = False


def build(analysis: Analysis, population: Population) -> Section | None:
    rows = [*_arms(analysis), *_contrasts(analysis)]
    if not rows:
        return None
    text = (
        "Two runs of one recipe differ in accuracy for two reasons: by chance they get different "
        "test examples right (on a larger test set that averages out), and one of the models is "
        "truly better. Only the second part tells a better seed; only the first shrinks with more "
        "test examples."
    )
    columns = (
        Column("arm or contrast"),
        Column("setting", words.setting_meaning(analysis)),
        Column("SD over seeds", "of the accuracy, or of the difference, in pp", True),
        Column("from test examples", "the part (SD) that is chance on this test set", True),
        Column("from the models", "the rest (SD): models that are truly better or worse", True),
        Column(
            "test set", "standard error of one model's accuracy for the choice of test set", True
        ),
    )
    return Section(
        "Where the variance comes from",
        (
            Paragraph(text),
            *_draws(analysis),
            Details(
                "Variance of every arm and contrast",
                (
                    Table(
                        "variance-table",
                        "Standard deviations in pp; the squares of the parts add up to that of the "
                        "SD over seeds (a part that would be negative is 0)" + words.first_of(rows),
                        columns,
                        tuple(rows[: words.MOST_ROWS]),
                    ),
                ),
            ),
        ),
    )


def _draws(analysis: Analysis):
    """Of contrasts with several calibration draws for each seed: how much is the draw's."""
    rows = []
    for c in analysis.select("seeds"):
        if (parts := c.pairs.nested) is None:
            continue
        interval = parts.interval_draw(analysis.alpha)
        numbers = (parts.sd_draw, interval.low, interval.high, parts.sd_seed)
        rows.append(
            (
                Cell(code(c.name)),
                Cell(words.place(c.setting, analysis.varying), c.setting.budget),
                Cell(str(parts.draws), parts.draws),
                *(words.number_cell(value) for value in numbers),
            )
        )
    if not rows:
        return
    level = f"{100 * (1 - analysis.alpha):g}% interval"
    columns = (
        Column("contrast"),
        Column("setting", words.setting_meaning(analysis)),
        Column("draws", "of calibration examples, of each seed", True),
        Column("SD of a draw", "over the draws of one seed, in pp", True),
        Column("from", f"{level} of that SD, by the chi-square distribution", True),
        Column("to", "", True),
        Column("SD of a seed", "over seeds, the draws' part left out, in pp", True),
    )
    caption = "Nested mean squares of a contrast, which is the mean over the draws of each seed"
    yield Details(
        "Calibration draws within seeds",
        (
            Table(
                "draws-table",
                caption + words.first_of(rows),
                columns,
                tuple(rows[: words.MOST_ROWS]),
            ),
        ),
    )


def _arms(analysis: Analysis):
    for s in analysis.samples:
        if s.correct is None or len(s.seeds) < 2:
            continue
        counts = s.counts
        sums = CrossedSums(counts, s.correct.sum(axis=0, dtype=np.int64), int(counts.sum()))
        yield _row(
            code(s.arm), words.place(s.setting, analysis.varying), s.setting.budget,
            seed_variance(sums, 100.0),
        )  # fmt: skip


def _contrasts(analysis: Analysis):
    for c in analysis.select("seeds"):
        if isinstance(c.pairs.cells, CrossedSums) and c.n_seeds > 1:
            yield _row(
                code(c.name), words.place(c.setting, analysis.varying), c.setting.budget,
                seed_variance(c.pairs.cells, 100.0),
            )  # fmt: skip


def _row(name: str, place: str, budget: int | None, v: SeedVariance):
    return (
        Cell(name),
        Cell(place, budget),
        *(
            words.number_cell(value)
            for value in (v.sd, v.sd_sampling, v.sd_distribution, v.sd_test_set)
        ),
    )
