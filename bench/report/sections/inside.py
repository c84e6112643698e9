"""Inside the quantized models: what is most likely wrong first, then the numbers."""

from bench.analysis import Analysis, Inside, Population
from bench.report import findings, words
from bench.report.content import (
    Block,
    Bullets,
    Cell,
    Column,
    Details,
    Paragraph,
    Section,
    Table,
    code,
)

BY_POPULATION = False

MOST_FINDINGS = 12


def build(analysis: Analysis, population: Population) -> Section | None:
    there = [each for each in analysis.insides if each.at_limit is not None or each.layers]
    harmed = findings.of_harms(analysis)
    if not there and not harmed:
        return None
    found = [*findings.of_models(analysis, there), *harmed]
    blocks: list[Block] = [
        Paragraph(
            "What the files and the trained models show of themselves, the most likely cause of a "
            "difference first. A number here explains nothing by itself: what a cause is worth is "
            "tested by a factor, or by the contrast that is named."
        )
    ]
    if found:
        blocks.append(Bullets(tuple(found[:MOST_FINDINGS])))
    else:
        blocks.append(Paragraph("Nothing that was measured is out of the ordinary."))
    if len(found) > MOST_FINDINGS:
        blocks.append(Paragraph(f"These are {MOST_FINDINGS} of {len(found)} findings."))
    if there:
        blocks.append(_table(analysis, there))
    if layers := [each for each in there if each.layers]:
        looked = max(each.looked_into for each in layers)
        blocks.append(
            Details(
                f"Layer by layer, of {words.count(looked, 'seed')} at most",
                (_layers(analysis, layers),),
            )
        )
    return Section("Inside the quantized models", tuple(blocks))


def _share(value: float | None, decimals: int = 1) -> Cell:
    return Cell(words.percent(value, decimals), value)


def _table(analysis: Analysis, there: list[Inside]) -> Table:
    columns = (
        Column("arm"),
        Column("setting", words.setting_meaning(analysis), long=True),
        Column("models", "evaluated", True),
        Column("start of ranges", "share that is left of the observers' start", True),
        Column("start of batch norm", "share that is left of it in the averages", True),
        Column("clipped inputs", "largest share in a model", True),
        Column("at the limit", "test examples with an output at its type's limit", True),
        Column("ties", "test examples whose two highest outputs are equal", True),
        Column("unlike Keras", "test examples, of the models examined", True),
        Column("of these tied", "by a tie in the file's outputs", True),
        Column("requantizations", "operators from one integer scale to another", True),
    )
    rows = tuple(
        (
            Cell(code(of.arm)),
            Cell(words.place(of.setting, analysis.varying)),
            Cell(f"{of.models:,}", of.models),
            _share(of.range_left, 0),
            _share(of.batch_norm_left, 0),
            _share(of.clipped, 2),
            _share(of.at_limit),
            _share(of.ties),
            _share(of.flips),
            _share(of.flips_tied),
            Cell("–" if of.requantizations is None else f"{of.requantizations:.0f}"),
        )
        for of in there[: words.MOST_ROWS]
    )
    caption = f"Quantized models, means over seeds{words.first_of(there)}"
    return Table("inside-table", caption, columns, rows)


NUMBERS = {
    "sqnr_db": ("SQNR", "dB, signal to quantization noise of the output"),
    "error_steps": ("error", "root mean square, in steps of the scale; rounding alone: 0.289"),
    "channel_range_ratio": ("channels", "widest range of a channel's weights against the median"),
    "distinct_scales": ("scales", "distinct scales of the weights"),
    "saturated": ("cut off", "share of activations on test data outside of the range"),
    "range_ratio": ("range", "width against that on training data"),
    "mean_off": ("mean off", "largest, in SDs, of a moving mean from the data's"),
    "variance_ratio": ("variance", "moving against the data's, the farthest"),
}


def _layers(analysis: Analysis, there: list[Inside]) -> Table:
    columns = (
        Column("arm"),
        Column("setting", long=True),
        Column("layer"),
        *(Column(name, meaning, True) for name, meaning in NUMBERS.values()),
    )
    rows = []
    for of in there:
        by_number = {number: of.of(number) for number in NUMBERS}
        for layer in dict.fromkeys(layer for each in by_number.values() for layer in each):
            values = [by_number[number].get(layer) for number in NUMBERS]
            rows.append(
                (
                    Cell(code(of.arm)),
                    Cell(words.place(of.setting, analysis.varying)),
                    Cell(code(layer)),
                    *(Cell("–" if v is None else f"{v:.3g}", v) for v in values),
                )
            )
    caption = f"By layer, means over the models examined{words.first_of(rows)}"
    return Table("layers-table", caption, columns, tuple(rows[: words.MOST_ROWS]))
