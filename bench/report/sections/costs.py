"""What each arm costs beside its accuracy: bytes, operators, latency here, seconds of training."""

from bench.analysis import Analysis, Population
from bench.analysis.costs import ArmCost
from bench.report import words
from bench.report.content import Cell, Column, Details, Paragraph, Section, Table, code

BY_POPULATION = False  # about the files, not about whom conclusions speak of


def build(analysis: Analysis, population: Population) -> Section | None:
    if not analysis.costs:
        return None
    text = (
        "Of files that are as accurate the smaller or faster one is better. Sizes and operators "
        "are of the files themselves; seconds and latency are of the machines that this study ran "
        "on, with whatever else they did at the time."
    )
    return Section(
        "What it costs", (Paragraph(text), Details("Every arm's cost", (_table(analysis),)))
    )


def _table(analysis: Analysis) -> Table:
    rows = analysis.costs[: words.MOST_ROWS]
    datasets = len({c.dataset for c in analysis.costs}) > 1
    models = len({c.model for c in analysis.costs}) > 1
    level = words.level(analysis)
    timed = dict.fromkeys(code(c.cpu) for c in rows if c.latency.size)
    cpus = words.listed(timed) if timed else ""
    columns = (
        Column("arm"),
        *([Column("dataset")] if datasets else []),
        *([Column("model")] if models else []),
        Column("bytes", "of the TFLite file, smallest to largest", True),
        Column("int8", "operators whose inputs and outputs are integers", True),
        Column("float", "operators with a float input or output", True),
        Column(
            "latency, µs",
            "median over files of the median over calls of the interpreter for one test example "
            "alone" + (f", on {cpus}" if cpus else ""),
            True,
        ),
        Column(f"{level} interval", "of that median over new files, by ranks, in µs", True),
        Column("files", "whose latency was measured on that CPU", True),
        Column(
            "training, s",
            "seconds beyond what the arm shares with others: mean over seeds, over the settings",
            True,
        ),
    )
    caption = "Over all seeds and settings" + words.first_of(analysis.costs)
    cells = tuple(_row(c, analysis.alpha, datasets, models) for c in rows)
    return Table("costs-table", caption, columns, cells)


def _row(c: ArmCost, alpha: float, datasets: bool, models: bool) -> tuple[Cell, ...]:
    interval = c.latency_interval(alpha)
    middle = sorted(c.latency)[len(c.latency) // 2] if c.latency.size % 2 else None
    if c.latency.size and middle is None:
        ordered = sorted(c.latency)
        middle = (ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2
    return (
        Cell(code(c.arm)),
        *([Cell(code(c.dataset))] if datasets else []),
        *([Cell(code(c.model))] if models else []),
        _ends(c.bytes, 0),
        _ends(c.int8_ops, 0),
        _ends(c.float_ops, 0),
        Cell("–" if middle is None else f"{middle:,.3g}", middle),
        Cell(f"[{interval.low:,.3g}, {interval.high:,.3g}]" if interval else "–"),
        Cell(f"{c.latency.size:,}", c.latency.size),
        _ends(c.train_s, 1),
    )


def _ends(ends: tuple[float, float] | None, decimals: int) -> Cell:
    """`20,480` or `20,480 to 20,512`, sorted by the smaller."""
    if ends is None:
        return Cell("–")
    shown = dict.fromkeys(f"{end:,.{decimals}f}" for end in ends)
    return Cell(" to ".join(shown), ends[0])
