"""Every seed as a line through the arms: pairing made visible."""

import itertools
from dataclasses import replace

import numpy as np

from bench.analysis import Analysis, Population, Sample
from bench.report import figures, scales, text_width, words
from bench.report.content import Figure, Section, code

BY_POPULATION = False  # the seeds themselves

ORDER = ("float", "ptq", "qat", "qat-cal", "qat-recal", "ptq+k", "float+k")
MOST_BLOCKS = 6
MOST_LINES = 300


def build(analysis: Analysis, population: Population) -> Section | None:
    arms = [arm for arm in ORDER if arm in analysis.arms]
    if len(arms) != len(analysis.arms):
        arms = list(analysis.arms)
    if not 1 < len(arms) <= 8:
        return None
    blocks = _blocks(analysis, arms)
    if not blocks:
        return None
    figure = _figure(analysis, arms, blocks[:MOST_BLOCKS], more=len(blocks) - MOST_BLOCKS)
    return Section("Seed by seed", (figure,))


def _blocks(analysis: Analysis, arms: list[str]) -> list[tuple[str, dict[str, Sample]]]:
    """The first panel's settings, each with its arms' samples."""
    extras = [s.setting.extra for s in analysis.samples if s.setting.extra is not None]
    fullest = max((s.setting.panel for s in analysis.samples), key=lambda p: len(p.factors))
    panel = replace(fullest, extra=min(extras, default=None))
    metric = analysis.samples[0].metric
    shown: dict[int | None, dict[str, Sample]] = {}
    for s in analysis.samples:
        if s.finite and s.metric == metric and s.setting.panel.within(panel):
            shown.setdefault(s.setting.budget, {})[s.arm] = s
    return [
        (f"E = {budget}" if budget is not None else "", samples)
        for budget, samples in shown.items()
        if len(samples) > 1
    ]


def _figure(
    analysis: Analysis, arms: list[str], blocks: list[tuple[str, dict[str, Sample]]], more: int
) -> Figure:
    samples = [s for _, of_block in blocks for s in of_block.values()]
    values = np.concatenate([s.at(s.finite) for s in samples])
    n = samples[0].n_examples if samples[0].correct is not None else None
    axis = scales.accuracy_scale(float(values.min()), float(values.max()), n)
    entries = [
        ("higher than the arm to its left", figures.Style(figures.BLUE, "s")),
        ("lower", figures.Style(figures.VERMILLION, "D")),
    ]
    top = figures.key_height(entries) + 26
    widest = max(text_width.text_width(arm) for arm in arms)
    bottom = min(max(58.0, widest + 16), 150.0)
    label_y = samples[0].metric + (", %" if samples[0].unit == "pp" else "")

    def paint(canvas: figures.Canvas) -> None:
        plot = figures.Plot(canvas, 58, top, 8, bottom)
        plot.key(entries)
        f = axis.forward
        lines: dict[str, list[list[tuple[float, float]]]] = {
            figures.BLUE: [], figures.VERMILLION: [], figures.GREY: []
        }  # fmt: skip
        ticks, labels = [], []
        for at, (label, of_block) in enumerate(blocks):
            x0 = at * (len(arms) + 0.6)
            there = [arm for arm in arms if arm in of_block]
            xs = {arm: x0 + arms.index(arm) for arm in there}
            for left, right in itertools.pairwise(there):
                a, b = of_block[left], of_block[right]
                shared = sorted(set(a.finite) & set(b.finite))[:MOST_LINES]
                for y0, y1 in zip(a.at(shared), b.at(shared), strict=True):
                    color = (
                        figures.BLUE if y1 > y0 else figures.VERMILLION if y1 < y0 else figures.GREY
                    )
                    lines[color].append([(xs[left], f(y0)), (xs[right], f(y1))])
            ticks += list(xs.values())
            labels += [text_width.shortened(arm, bottom - 12) for arm in there]
            plot.above(x0 + (len(arms) - 1) / 2, label, bold=True)
        alpha = float(np.clip(12 / max(len(s.seeds) for s in samples), 0.06, 0.7))
        for color, segments in lines.items():
            plot.lines(segments, color, 1.0, alpha=alpha)
        y = f(values)
        pad = 0.04 * max(float(y.max() - y.min()), 1e-9)
        right = len(blocks) * (len(arms) + 0.6) - 1.2
        plot.limits(-0.4, right, y.min() - pad, y.max() + pad)
        plot.y_axis(f(np.array(axis.ticks)), axis.labels, label_y)
        plot.x_axis(ticks, labels, rotation=90, ticks=False)

    caption = (
        "**One line per seed through its arms.** Lines that all fall or all rise between two arms "
        "are a difference that every seed shows, however far apart the seeds lie; lines that cross "
        "are seeds that disagree. The difference of two arms is tested on these slopes, not on the "
        "clouds."
    )
    where = words.panel(samples[0].setting, analysis.varying.without("extra"))
    metric = samples[0].metric
    direction = {True: ", lower is better", False: "", None: ""}[samples[0].lower_is_better]
    several = len({s.metric for s in analysis.samples}) > 1
    shown = [where, f"{code(metric)}{direction}" if several or direction else ""]
    if any(shown):
        caption += f" Shown: {', '.join(text for text in shown if text)}."
    if more > 0:
        caption += f" {words.count(more, 'more budget')} are not drawn."
    if axis.note:
        caption += f" {axis.note[0].upper()}{axis.note[1:]}."
    alt = "Lines. " + "; ".join(
        f"{label}{': ' if label else ''}of {len(shared)} seeds {words.count(rises, 'seed')} rise "
        f"from {a} to {b}"
        for label, of_block in blocks
        for a, b in itertools.pairwise(arms)
        if a in of_block and b in of_block
        for shared in [sorted(set(of_block[a].finite) & set(of_block[b].finite))]
        for rises in [int((of_block[b].at(shared) > of_block[a].at(shared)).sum())]
    )
    return Figure("seeds", figures.draw("seeds", 322 + bottom, paint), caption, alt)
