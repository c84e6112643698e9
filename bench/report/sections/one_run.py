"""Would one run have fooled you? What a reader of one run, or of a few, would have seen."""

from dataclasses import dataclass

import numpy as np

from bench.analysis import Analysis, Population, Setting
from bench.report import figures, words
from bench.report.content import Block, Cell, Column, Figure, Paragraph, Section, Table
from bench.statistics import single_runs as runs

BY_POPULATION = False  # about single runs on this test set

N_RUNS = (1, 2, 3, 5, 10)
EVENTS = (
    ("PTQ above float", figures.Style(figures.BLUE, "s")),
    ("PTQ above QAT", figures.Style(figures.VERMILLION, "D")),
    ("both, as in the thread", figures.Style(figures.GREY, "o", hollow=True)),
)
MOST_BLOCKS = 6


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Of the seeds that float, ptq and qat share: three differences, float (seeds,)."""

    setting: Setting
    ptq_float: np.ndarray
    ptq_qat: np.ndarray
    qat_float: np.ndarray


def build(analysis: Analysis, population: Population) -> Section | None:
    found = outcomes(analysis)
    if not found:
        return None
    what = "study" if analysis.study is not None else "table"
    blocks: list[Block] = [
        Paragraph(
            "Somebody who trains once sees one seed, and cannot tell luck from a difference. "
            f"The seeds of this {what} show how often one run, or the mean of a few, would have "
            "come out like the thread's: PTQ above the float model, and above QAT."
        )
    ]
    blocks.append(_curve(analysis, found[:MOST_BLOCKS]))
    blocks.append(_table(analysis, found[: words.MOST_ROWS]))
    if analysis.study is not None:  # of other models and data nothing is known
        blocks.append(_claims(analysis, found[: words.MOST_ROWS // 3]))
    return Section("Would one run have fooled you?", tuple(blocks))


def outcomes(analysis: Analysis) -> list[Outcomes]:
    """At every setting that has the three arms."""
    of_float = analysis.select("seeds", name="qat - float")
    found = []
    for whole in analysis.select("seeds", name="qat - ptq"):
        beside = next((c for c in of_float if c.setting.within(whole.setting)), None)
        if beside is None or whole.pairs.metric != "accuracy":
            continue
        setting = whole.setting
        qat, ptq = whole.pairs.samples
        floats = beside.pairs.samples[1]
        seeds = tuple(sorted(set(qat.seeds) & set(ptq.seeds) & set(floats.seeds)))
        if seeds:
            q, p, f = (sample.at(seeds) for sample in (qat, ptq, floats))
            found.append(Outcomes(setting, p - f, p - q, q - f))
    return found


def _curve(analysis: Analysis, found: list[Outcomes]) -> Figure:
    entries = list(EVENTS)
    top = figures.key_height(entries) + 28
    curves = [
        runs.means_of_runs(o.ptq_float, o.ptq_qat, N_RUNS, rng=np.random.default_rng(0))
        for o in found
    ]

    def paint(canvas: figures.Canvas) -> None:
        plot = figures.Plot(canvas, 58, top, 12, 46)
        plot.key(entries)
        width = len(N_RUNS) + 1.0
        plot.limits(-1, len(found) * width - 1, 0, 100)
        ticks: list[float] = []
        labels, edges = [], []
        for block, (outcome, curve) in enumerate(zip(found, curves, strict=True)):
            x0 = block * width
            x = [x0 + N_RUNS.index(point.n) for point in curve]
            shares = ([p.first for p in curve], [p.second for p in curve], [p.both for p in curve])
            for (_, style), y in zip(EVENTS, shares, strict=True):
                points = [(a, 100 * share) for a, share in zip(x, y, strict=True)]
                how = "--" if style.hollow else "-"
                plot.markers(points, style, 4.5, linestyle=how, linewidth=1.4)
            ticks += x
            labels += [str(point.n) for point in curve]
            place = words.place(outcome.setting, analysis.varying)
            plot.above(x0 + (len(N_RUNS) - 1) / 2, place, bold=True)
            if block:
                edges.append(((x0 - 1, 0), (x0 - 1, 100)))
        plot.lines(edges, figures.GREY, 0.6, alpha=0.4)
        plot.x_axis(ticks, labels, "runs averaged")
        quarters = (0, 25, 50, 75, 100)
        plot.y_axis(quarters, [str(q) for q in quarters], "share of outcomes, %")

    svg = figures.draw("one-run", 270, paint)
    caption = (
        "**How often a reader of n runs would see it, in % of all ways to draw n of the seeds.** "
        "A curve near 50% at n = 1 that stays there is a difference too small for so few runs; one "
        "that climbs to 100% or falls to 0% is a difference that averaging brings out. Different "
        "draws of many seeds overlap, so that the right end of a curve is less certain than it "
        "looks; the table has intervals for single runs."
    )
    alt = "Curves. " + "; ".join(
        f"{words.place(o.setting, analysis.varying)}, one run: PTQ above float in "
        f"{words.percent(c[0].first, 0)}, PTQ above QAT in {words.percent(c[0].second, 0)}, both "
        f"in {words.percent(c[0].both, 0)}"
        for o, c in zip(found, curves, strict=True)
    )
    return Figure("one-run", svg, caption, alt)


def _table(analysis: Analysis, found: list[Outcomes]) -> Table:
    level = words.level(analysis)
    columns = (
        Column("setting", "E: float epochs; k: epochs more; and what else differs here"),
        Column("seeds", "with results of all three arms", True),
        *(
            Column(name, f"share of single runs, with its {level} Clopper-Pearson interval", True)
            for name, _ in EVENTS
        ),
    )
    rows = []
    for o in found:
        single = runs.single_runs(o.ptq_float, o.ptq_qat)
        shares = (single.first, single.second, single.both)
        rows.append(
            (
                Cell(words.place(o.setting, analysis.varying), o.setting.budget),
                Cell(str(single.first.n), single.first.n),
                *(
                    Cell(
                        f"{words.percent(s.share, 0)} "
                        f"[{words.percent(s.interval(analysis.alpha).low, 0)}, "
                        f"{words.percent(s.interval(analysis.alpha).high, 0)}]",
                        s.share,
                    )
                    for s in shares
                ),
            )
        )
    return Table("one-run-table", "What a single run shows", columns, tuple(rows))


def _claims(analysis: Analysis, found: list[Outcomes]) -> Table:
    """The thread's own numbers against where one run of this study would fall."""
    level = words.level(analysis)
    columns = (
        Column("setting", "E: float epochs; k: epochs more; and what else differs here"),
        Column("contrast", "as the thread gave it"),
        Column("the thread's", "what it reported for its one run, in pp", True),
        Column("one run here", f"{level} predictive interval for one new seed, in pp", True),
        Column("verdict", "outside: seeds alone do not explain it here; suspect the pipeline"),
    )
    rows = []
    for o in found:
        for (name, (low, high)), d in zip(
            runs.THREAD_CLAIMS.items(), (o.ptq_float, o.ptq_qat, o.qat_float), strict=True
        ):
            claim = runs.claim(d, low, high, analysis.alpha)
            reported = (
                words.signed(low) if low == high else f"{words.signed(low)} to {words.signed(high)}"
            )
            verdict = (
                "one seed: cannot be said"
                if claim is None
                else "inside"
                if claim.explained
                else "not explained by seeds: suspect the pipeline"
            )
            rows.append(
                (
                    Cell(words.place(o.setting, analysis.varying), o.setting.budget),
                    Cell(f"`{name}`"),
                    Cell(reported, low),
                    Cell(words.interval(claim and claim.interval), claim and claim.interval.low),
                    Cell(verdict),
                )
            )
    return Table(
        "claims-table",
        "Could the thread's own numbers be one run of this study (another model and data set)?",
        columns,
        tuple(rows),
    )
