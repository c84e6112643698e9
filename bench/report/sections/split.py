"""What `qat - ptq` is made of: more training, what it did to the weights, the conversion."""

import numpy as np

from bench.analysis import Analysis, Population, Split, Varying, splits
from bench.report import figures, scales, text_width, words
from bench.report.content import Block, Cell, Column, Figure, Paragraph, Section, Table, Terms
from bench.statistics import paired

BY_POPULATION = False  # an exact sum, per seed; its parts' intervals stand in the forest plot

PARTS = (
    (
        "more training",
        "`ptq+k - ptq`: k more {unit} with a fresh optimizer, seen through PTQ",
        figures.GREEN,
    ),
    (
        "weights",
        "`qat-recal - ptq+k`: what simulating quantization in those {unit} did to the weights and "
        "to batch norm's averages, seen through PTQ's conversion",
        figures.BLUE,
    ),
    (
        "conversion",
        "`qat - qat-recal`: QAT's own conversion (ranges, granularity, folding) instead of "
        "PTQ's, on QAT's weights",
        figures.ORANGE,  # green, blue and orange differ in grey, too
    ),
)
ROW, HEADING, RIGHT = 46.0, 26.0, 84.0
MOST_ROWS = 24


def build(analysis: Analysis, population: Population) -> Section | None:
    found = splits(analysis)
    if not found:
        return None
    blocks: list[Block] = [
        Paragraph(
            "QAT as TFMOT's tutorial does it differs from PTQ in three things at once. On the way "
            "from PTQ to QAT in this order, each step has a contrast of its own, and the three add "
            "up to `qat - ptq` exactly, in every seed:"
        ),
        Terms(
            tuple((name, meaning.format(unit=analysis.extra_counts)) for name, meaning, _ in PARTS)
        ),
        Paragraph(
            "Weights that have adapted to their ranges are credited to the conversion; another "
            "order of the steps would give other parts. So no part is the effect of one cause. "
            "Only the first, and the sum of the other two (`qat - ptq+k`), do not depend on the "
            "order. Parts are exploratory, and their intervals do not add up."
        ),
        _figure(analysis, found),
        _table(analysis, found),
    ]
    return Section("What the difference between QAT and PTQ is made of", tuple(blocks))


def _figure(analysis: Analysis, every: tuple[Split, ...]) -> Figure:
    found = every[:MOST_ROWS]
    caption = (
        "**`qat - ptq` as the sum of its parts, in pp, mean over seeds.** Bars to the right speak "
        "for QAT, bars to the left against it; the diamond is their sum, `qat - ptq`, with its "
        f"{words.level(analysis)} interval. Each row has a scale of its own: compare parts within "
        "a row, and read sizes off the numbers."
    )
    if len(every) > MOST_ROWS:
        caption += f" Drawn are {MOST_ROWS} of {len(every)} settings; all are in the table."
    alt = "Stacked bars. " + "; ".join(
        f"{words.place(s.setting, analysis.varying)}: "
        + ", ".join(
            f"{name} {words.in_sum(float(part.mean()))}"
            for (name, _, _), part in zip(PARTS, s.parts, strict=True)
        )
        + f", sum {words.in_sum(float(s.total.mean()))} pp"
        for s in found
    )
    return Figure("split", _svg(analysis, found), caption, alt)


def _svg(analysis: Analysis, found: tuple[Split, ...]) -> str:
    entries = [(name, figures.Style(color, "s")) for name, _, color in PARTS]
    entries.append(("qat - ptq, their sum", figures.Style(figures.INK, "D")))
    top = figures.key_height(entries)
    panels: dict[str, list[Split]] = {}
    for each in found:
        panels.setdefault(words.panel(each.setting, analysis.varying), []).append(each)
    headed = len(panels) > 1
    shown = Varying(("budget",)) if headed else analysis.varying
    labels = {id(each): words.place(each.setting, shown) for each in found}
    left = min(max(16 + text_width.text_width(text) for text in labels.values()), 250.0)
    height = ROW * len(found) + (HEADING * len(panels) if headed else 0)

    def paint(canvas: figures.Canvas) -> None:
        plot = figures.Plot(canvas, left, top, RIGHT, 6)
        plot.key(entries)
        plot.limits(-1, 1, -height / ROW, 0)
        lines, bars, colors, totals = [], [], [], []
        y = 0.62
        for split in found:
            panel = words.panel(split.setting, analysis.varying)
            if headed and split is panels[panel][0]:
                y -= HEADING / ROW
                plot.at_left(left - 8, y - 0.5, panel, "left", bold=True)
            y -= 1
            means = split.parts.mean(axis=1)
            total = paired.paired_t(split.total)
            interval = total.interval(analysis.alpha) or (total.mean, total.mean)
            reach = max(means[means > 0].sum(), -means[means < 0].sum(), *np.abs(interval), 1e-9)
            ends = {1.0: 0.0, -1.0: 0.0}
            for mean, (_, _, color) in zip(means, PARTS, strict=True):
                side = 1.0 if mean > 0 else -1.0
                x0, x1 = ends[side] / reach, (ends[side] + mean) / reach
                ends[side] += mean
                bars.append([(x0, y - 0.2), (x1, y - 0.2), (x1, y + 0.2), (x0, y + 0.2)])
                colors.append(color)
            lines += [[(0, y - 0.28), (0, y + 0.28)]]
            lines += [[(interval[0] / reach, y), (interval[1] / reach, y)]]
            step = scales.round_step(reach, 1)
            step = step if step <= reach else scales.round_step(reach, 2)
            step = step if step <= reach else step / 2
            for tick in (-step, 0, step):
                x = tick / reach
                lines.append([(x, y - 0.28), (x, y - 0.34)])
                plot.text(x, y - 0.37, words.signed_tick(tick), va="top", size=8.4)
            totals.append((total.mean / reach, y))
            plot.at_left(8, y, text_width.shortened(labels[id(split)], left - 12))
            plot.at_right(RIGHT - 4, y, f"{words.in_sum(float(split.total.mean()))} pp")
        plot.areas(bars, colors)
        plot.lines(lines, width=1.0, z=4)
        plot.markers(totals, figures.Style(figures.INK, "D"))

    return figures.draw("split", top + 6 + height, paint)


def _table(analysis: Analysis, found: tuple[Split, ...]) -> Table:
    level = words.level(analysis)
    columns = (
        Column("setting", words.setting_meaning(analysis)),
        Column("seeds", "with results of all four arms", True),
        *(Column(name, f"mean, in pp, with its {level} interval", True) for name, _, _ in PARTS),
        Column("sum", "`qat - ptq` on the same seeds", True),
    )
    rows = []
    for s in found[: words.MOST_ROWS]:
        tests = [paired.paired_t(d) for d in (*s.parts, s.total)]
        rows.append(
            (
                Cell(words.place(s.setting, analysis.varying), s.setting.budget),
                Cell(str(len(s.seeds)), len(s.seeds)),
                *(
                    Cell(
                        f"{words.in_sum(t.mean)} {words.interval(t.interval(analysis.alpha))}",
                        t.mean,
                    )
                    for t in tests
                ),
            )
        )
    return Table(
        "split-table", "The parts and their sum" + words.first_of(found), columns, tuple(rows)
    )
