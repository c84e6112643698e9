"""Accuracy of every arm by budget, every seed drawn."""

from itertools import groupby

import numpy as np

from bench.analysis import Analysis, Population, Sample, Setting
from bench.report import figures, scales, text_width, words
from bench.report.content import Block, Cell, Column, Details, Figure, Section, Table, code

BY_POPULATION = False  # an interval of new seeds in both: it speaks about one arm

MOST_PANELS, MOST_OPEN = 12, 2
MOST_DOTS = 200  # of an arm at one budget; seeds are in no order, so that the first are a sample


def build(analysis: Analysis, population: Population) -> Section | None:
    samples = [s for s in analysis.samples if s.finite]
    if not samples:
        return None
    blocks: list[Block] = []
    panels = list(_panels(samples).items())
    drawn = [
        _figure(analysis, at, panel, metric, members)
        for at, ((panel, metric), members) in enumerate(panels[:MOST_PANELS])
    ]
    blocks += drawn[:MOST_OPEN]
    if drawn[MOST_OPEN:]:
        several = len({metric for (_, metric), _ in panels}) > 1
        what = "more setting and metric" if several else "more setting"
        plural = "more settings and metrics" if several else "more settings"
        more = f"The same for {words.count(len(drawn) - MOST_OPEN, what, plural)}"
        if len(panels) > MOST_PANELS:
            more += f"; {len(panels) - MOST_PANELS} are not drawn, all are in the table"
        blocks.append(Details(more, tuple(drawn[MOST_OPEN:])))
    accurate = analysis.study is not None and {s.metric for s in samples} == {"accuracy"}
    title = "Accuracy of every arm" if accurate else "Values of every arm"
    blocks.append(Details(f"{title}, as numbers", (_table(analysis, samples),)))
    return Section(title, tuple(blocks))


def _panels(samples: list[Sample]) -> dict[tuple[Setting, str], list[Sample]]:
    """Samples by what a figure shares: all of a setting but the budget.

    An arm that some factor, or k, does not reach stands in the figures of all its levels.
    """
    by_panel: dict[tuple[Setting, str], list[int]] = {}
    for at, s in enumerate(samples):
        by_panel.setdefault((s.setting.panel, s.metric), []).append(at)
    around = {  # the panels that a panel stands in beside itself
        (panel, metric): [
            (other, of)
            for other, of in by_panel
            if metric == of and other != panel and panel.within(other)
        ]
        for panel, metric in by_panel
    }
    members = {whole: list(at) for whole, at in by_panel.items() if not around[whole]}
    for part, wholes in around.items():
        for whole in wholes:
            if whole in members:
                members[whole] += by_panel[part]
    return {whole: [samples[at] for at in sorted(places)] for whole, places in members.items()}


def _figure(
    analysis: Analysis, at: int, panel: Setting, metric: str, samples: list[Sample]
) -> Figure:
    name = "accuracy" if at == 0 else f"accuracy-{at + 1}"
    where = words.panel(panel, analysis.varying)
    unit = "%" if samples[0].unit == "pp" else ""
    values = np.concatenate([s.at(s.finite) for s in samples])
    n = samples[0].n_examples if samples[0].correct is not None else None
    scale = scales.accuracy_scale(float(values.min()), float(values.max()), n)
    dot, why = "one model trained from its own start", "Arms of one seed share data order and start"
    shown = metric.capitalize()
    if not analysis.ours:
        dot, why = "one run of the pipeline", "Arms are paired by seed"
    if analysis.study is None:
        dot = "one value of the table"
    if metric != "accuracy" or analysis.study is None:
        shown = f"{code(metric)}{_direction(samples[0])}"
    caption = (
        f"**{shown}{', ' + where if where else ''}.** Each dot is one seed: {dot}. The mark is the "
        f"mean of the seeds, its whisker the {words.level(analysis)} t interval for new seeds. "
        f"{why}, so that overlapping clouds can hide a clear paired difference: the contrasts "
        "decide, not this figure."
    )
    if scale.note:
        caption += f" {scale.note[0].upper()}{scale.note[1:]}."
    bottom, top = _limits(samples, scale)
    whiskers = [scale.forward(np.array(i)) for s in samples if (i := s.interval(analysis.alpha))]
    if any(low < bottom or high > top for low, high in whiskers):
        caption += " Whiskers that leave the range of the seeds are cut off; the table has them."
    alt = f"{metric} by budget. " + "; ".join(
        f"{s.arm}{', E = ' + str(s.setting.budget) if s.setting.budget else ''}: mean "
        f"{words.number(s.mean())}{unit}, {len(s.seeds)} seeds"
        for s in samples
    )
    return Figure(
        name, _svg(name, analysis, samples, scale, f"{metric}, {unit}".rstrip(", ")), caption, alt
    )


def _direction(sample: Sample) -> str:
    if sample.lower_is_better is None or sample.unit == "pp":
        return ""
    return f" in {sample.unit}, {'lower' if sample.lower_is_better else 'higher'} is better"


def _limits(samples: list[Sample], scale: scales.Scale) -> tuple[float, float]:
    """Of the vertical axis, on its scale: whiskers may reach further."""
    values = scale.forward(np.concatenate([s.at(s.finite) for s in samples]))
    pad = 0.05 * max(values.max() - values.min(), 1e-9)
    return float(values.min() - pad), float(values.max() + pad)


def _svg(
    name: str, analysis: Analysis, samples: list[Sample], scale: scales.Scale, label: str
) -> str:
    arms = [arm for arm in analysis.arms if any(s.arm == arm for s in samples)]
    styles = figures.arm_styles(analysis.arms)
    entries = [(text_width.shortened(arm, figures.WIDTH - 60), styles[arm]) for arm in arms]
    top = figures.key_height(entries) + 8
    budgets = sorted({s.setting.budget for s in samples}, key=lambda b: (b is not None, b))
    rng = np.random.default_rng(0)  # of the jitter

    def paint(canvas: figures.Canvas) -> None:
        plot = figures.Plot(canvas, 58, top, 12, 12 if budgets == [None] else 46)
        plot.key(entries)
        f = scale.forward
        bottom, top_end = _limits(samples, scale)
        step = 0.86 / len(arms)
        bars, whiskers, colors = [], [], []
        means: dict[figures.Style, list[tuple[float, float]]] = {}
        for sample in samples:
            style = styles[sample.arm]
            x = budgets.index(sample.setting.budget) + step * (
                arms.index(sample.arm) - (len(arms) - 1) / 2
            )
            jitter = rng.uniform(-0.3, 0.3, len(sample.values)) * step
            dots = np.column_stack([x + jitter, f(sample.values)])[:MOST_DOTS]
            plot.dots(dots, style.color, 2.6, 0.35 if style.hollow else 0.6)
            mean, interval = f(sample.values.mean()), sample.interval(analysis.alpha)
            colors.append(style.color)
            bars.append([(x - 0.42 * step, mean), (x + 0.42 * step, mean)])
            means.setdefault(style, []).append((x, mean))
            ends = np.array(interval or (sample.values.mean(),) * 2)
            whiskers.append([(x, end) for end in np.clip(f(ends), bottom, top_end)])
        plot.lines(bars, colors, 2.4, z=6)
        plot.lines(whiskers, colors, 1.2, z=6)
        for style, at in means.items():
            plot.markers(at, style, zorder=7)
        edges = [((edge - 0.5, 0), (edge - 0.5, 1)) for edge in range(1, len(budgets))]
        plot.lines(edges, figures.GREY, 0.6, alpha=0.4, transform=plot.x_data)
        plot.limits(-0.5, len(budgets) - 0.5, bottom, top_end)
        plot.y_axis(f(np.array(scale.ticks)), scale.labels, label)
        plot.x_axis(
            range(len(budgets)),
            ["" if b is None else words.budget(analysis, b) for b in budgets],
            "" if budgets == [None] else "float training before quantization, E",
            ticks=False,
        )

    height = 320 if budgets == [None] else 360
    return figures.draw(name, max(height, top + 240), paint)


def _table(analysis: Analysis, samples: list[Sample]) -> Table:
    level = words.level(analysis)
    several = len({s.metric for s in samples}) > 1
    ours = analysis.study is not None
    accurate = ours and {s.metric for s in samples} == {"accuracy"}
    unit_of = "percent of test examples classified correctly"
    unit_of = unit_of if accurate else "in the metric's unit"
    columns = (
        Column("arm"),
        Column("setting", words.setting_meaning(analysis)),
        *([Column("metric")] if several else []),
        Column(
            "seeds", "models evaluated, each from a start of its own" if analysis.ours else "", True
        ),
        Column("mean", f"over seeds: {unit_of}", True),
        Column(
            "SD",
            f"standard deviation over seeds{', in percentage points' if accurate else ''}",
            True,
        ),
        Column(f"{level} interval", "t interval of the mean for new seeds", True),
        Column("lowest", "seed", True),
        Column("highest", "seed", True),
    )
    rows = []
    for _, group in groupby(samples[: words.MOST_ROWS], key=lambda s: (s.setting, s.metric)):
        for s in group:
            unit, interval = s.unit, s.interval(analysis.alpha)
            ends = interval and (
                words.number(interval.low, unit),
                words.number(interval.high, unit),
            )
            rows.append(
                (
                    Cell(code(s.arm)),
                    Cell(words.place(s.setting, analysis.varying), s.setting.budget),
                    *([Cell(code(s.metric))] if several else []),
                    Cell(str(len(s.seeds)), len(s.seeds)),
                    words.number_cell(s.mean(), unit),
                    words.number_cell(
                        float(s.at(s.finite).std(ddof=1)) if len(s.finite) > 1 else None, unit
                    ),
                    Cell(f"{ends[0]} to {ends[1]}" if ends else "–", interval and interval.low),
                    words.number_cell(float(s.values.min()), unit),
                    words.number_cell(float(s.values.max()), unit),
                )
            )
    caption = "Every arm at every setting" + words.first_of(samples)
    return Table("accuracy-table", caption, columns, tuple(rows))
