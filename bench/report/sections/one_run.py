"""Would one run have fooled you? What a reader of one run, or of a few, would have seen."""

from dataclasses import dataclass

import numpy as np

from bench.analysis import Analysis, Population, Setting, Varying
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
MOST_BLOCKS, MOST_PANELS = 6, 4
OUTSIDE = "outside: seeds alone do not explain it here; suspect the pipeline"
HEIGHT, BELOW = 176.0, 22.0
"""Pixels of one row of curves with its axis, and below the last one."""


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
    blocks.append(_curve(analysis, found))
    blocks.append(_table(analysis, found))
    if analysis.ours:  # of other models and data nothing is known
        blocks.append(_claims(analysis, found))
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


def _curve(analysis: Analysis, every: list[Outcomes]) -> Figure:
    panels: dict[str, list[Outcomes]] = {}
    for o in every:
        panels.setdefault(words.panel(o.setting, analysis.varying), []).append(o)
    rows = [(panel, of[:MOST_BLOCKS]) for panel, of in list(panels.items())[:MOST_PANELS]]
    found = [o for _, of in rows for o in of]
    curves = {
        id(o): runs.means_of_runs(o.ptq_float, o.ptq_qat, N_RUNS, rng=np.random.default_rng(0))
        for o in found
    }
    svg = _svg(analysis, rows, curves, headed=len(panels) > 1)
    caption = (
        "**How often a reader of n runs would see it, in % of all ways to draw n of the seeds.** "
        "A curve near 50% at n = 1 that stays there is a difference too small for so few runs; one "
        "that climbs to 100% or falls to 0% is a difference that averaging brings out. Different "
        "draws of many seeds overlap, so that the right end of a curve is less certain than it "
        "looks; the table has intervals for single runs."
    )
    if len(found) < len(every):
        caption += f" Drawn are {len(found)} of {len(every)} settings; all are in the table."
    alt = "Curves. " + "; ".join(
        f"{words.place(o.setting, analysis.varying)}, one run: PTQ above float in "
        f"{words.percent(c[0].first, 0)}, PTQ above QAT in {words.percent(c[0].second, 0)}, both "
        f"in {words.percent(c[0].both, 0)}"
        for o in found
        for c in [curves[id(o)]]
    )
    return Figure("one-run", svg, caption, alt)


def _svg(
    analysis: Analysis,
    rows: list[tuple[str, list[Outcomes]]],
    curves: dict[int, list[runs.MeansOfRuns]],
    headed: bool,
) -> str:
    """A row of curves per panel, beside each other by budget."""
    entries = list(EVENTS)
    key, above = figures.key_height(entries), 48.0 if headed else 26.0
    height = key + len(rows) * (above + HEIGHT) + BELOW

    def paint(canvas: figures.Canvas) -> None:
        for at, (panel, of) in enumerate(rows):
            top = key + at * (above + HEIGHT) + above
            plot = figures.Plot(canvas, 58, top, 12, height - top - HEIGHT + 22)
            if not at:
                plot.key(entries)
            if headed:
                plot.heading(panel, above - 10)
            _row_of_curves(analysis, plot, of, curves, headed, last=at == len(rows) - 1)

    return figures.draw("one-run", height, paint)


def _row_of_curves(
    analysis: Analysis,
    plot: figures.Plot,
    of: list[Outcomes],
    curves: dict[int, list[runs.MeansOfRuns]],
    headed: bool,
    last: bool,
) -> None:
    width = len(N_RUNS) + 1.0
    plot.limits(-1, len(of) * width - 1, 0, 100)
    ticks: list[float] = []
    labels, edges = [], []
    for block, outcome in enumerate(of):
        curve = curves[id(outcome)]
        x0 = block * width
        x = [x0 + N_RUNS.index(point.n) for point in curve]
        shares = ([p.first for p in curve], [p.second for p in curve], [p.both for p in curve])
        for (_, style), y in zip(EVENTS, shares, strict=True):
            points = [(a, 100 * share) for a, share in zip(x, y, strict=True)]
            how = "--" if style.hollow else "-"
            plot.markers(points, style, 4.5, linestyle=how, linewidth=1.4)
        ticks += x
        labels += [str(point.n) for point in curve]
        where = words.place(outcome.setting, Varying(("budget",)) if headed else analysis.varying)
        plot.above(x0 + (len(N_RUNS) - 1) / 2, where, bold=True)
        if block:
            edges.append(((x0 - 1, 0), (x0 - 1, 100)))
    plot.lines(edges, figures.GREY, 0.6, alpha=0.4)
    plot.x_axis(ticks, labels, "runs averaged" if last else "", under=40.0)
    quarters = (0, 25, 50, 75, 100)
    plot.y_axis(quarters, [str(q) for q in quarters], "share, %")


def _table(analysis: Analysis, found: list[Outcomes]) -> Table:
    level = words.level(analysis)
    columns = (
        Column("setting", words.setting_meaning(analysis)),
        Column("seeds", "with results of all three arms", True),
        *(
            Column(name, f"share of single runs, with its {level} Clopper-Pearson interval", True)
            for name, _ in EVENTS
        ),
    )
    rows = []
    for o in found[: words.MOST_ROWS]:
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
    caption = "What a single run shows" + words.first_of(found)
    return Table("one-run-table", caption, columns, tuple(rows))


def _claims(analysis: Analysis, found: list[Outcomes]) -> Table:
    """The thread's own numbers against where one run of this study would fall."""
    level = words.level(analysis)
    columns = (
        Column("setting", words.setting_meaning(analysis)),
        Column("contrast", "as the thread gave it"),
        Column("the thread's", "what it reported for its one run, in pp", True),
        Column("one run here", f"{level} predictive interval for one new seed, in pp", True),
        Column("verdict", OUTSIDE, long=True),
    )
    rows = []
    most = words.MOST_ROWS // len(runs.THREAD_CLAIMS)
    for o in found[:most]:
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
                    Cell(_one_run(claim), claim and claim.interval.low),
                    Cell(verdict),
                )
            )
    return Table(
        "claims-table",
        "Could the thread's own numbers be one run of this study (another model and data set)?"
        + words.first_of(found, most),
        columns,
        tuple(rows),
    )


def _one_run(claim: runs.Claim | None) -> str:
    return "–" if claim is None else one_run(claim)


def one_run(claim: runs.Claim) -> str:
    """Where one run falls, with as many digits as show whether a reported value lies outside."""
    ends = (words.exact(end, "pp", (claim.low, claim.high))[0] for end in claim.interval)
    return f"[{', '.join(ends)}]"
