"""Inside the quantized models: what is most likely wrong first, then the numbers."""

from collections.abc import Callable, Iterator, Mapping

from bench.analysis import Analysis, Harm, Inside, Population
from bench.report import sentences, words
from bench.report.content import (
    Block,
    Bullets,
    Cell,
    Column,
    Details,
    Paragraph,
    Section,
    Table,
    Text,
    code,
)
from bench.study.effective import number_format

BY_POPULATION = False

MOST_FINDINGS = 12
START_LEFT, WIDE, SATURATED = 0.05, 1.5, 0.01
OFF, SQNR, FLIPS, LIMIT, UNEVEN = 0.5, 20.0, 0.01, 0.05, 4.0
"""From where a number is worth a sentence: share of a start that is left; a range against the
calibrated one; share of activations cut off; SDs; dB; share of test examples, twice; a channel's
weights against the median one."""

Finding = tuple[float, float, Text]
"""Its kind, by how likely it is to matter; how much of it there is; and the sentence."""


def build(analysis: Analysis, population: Population) -> Section | None:
    there = [each for each in analysis.insides if each.at_limit is not None or each.layers]
    harmed = [harm for harm in analysis.harms if _classes(analysis, harm) or harm.examples]
    if not there and not harmed:
        return None
    found = _worst([one for each in there for one in _findings(analysis, each)])
    found += [_harm(analysis, harm) for harm in harmed]
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


def _worst(findings: list[Finding]) -> list[Text]:
    """Of each kind the worst, the most likely cause first, and how many more there are."""
    said = []
    for kind in sorted({kind for kind, _, _ in findings}, reverse=True):
        _, _, worst = max(one for one in findings if one[0] == kind)
        more = sum(one[0] == kind for one in findings) - 1
        said.append(worst + (f" The worst of {more + 1} of this kind." if more else ""))
    return said


def _findings(analysis: Analysis, of: Inside) -> Iterator[Finding]:
    """Of one arm at one setting; kinds that are likelier to matter have greater numbers."""
    for kind, (size, text) in enumerate(reversed([make(analysis, of) for make in KINDS])):
        if text:
            yield kind, size, f"{_named(analysis, of)}: {text}"


Said = tuple[float, Text]
"""How much of it there is, and the sentence; an empty one where there is nothing to say."""

NOTHING: Said = (0.0, "")


def _in_float(analysis: Analysis, of: Inside) -> Said:
    if not of.float_ops or number_format(of.arm, of.setting.factors) != "int8":
        return NOTHING
    count = words.count(int(of.float_ops), "operator")
    return of.float_ops, f"{count} of a file run in float, not in int8."


def _clipped(analysis: Analysis, of: Inside) -> Said:
    if not of.clipped:
        return NOTHING
    share = words.percent(of.clipped, 2)
    return of.clipped, f"{share} of the test inputs are beyond what the file's input can hold."


def _cold_ranges(analysis: Analysis, of: Inside) -> Said:
    if of.range_left is None or of.range_left <= START_LEFT:
        return NOTHING
    ratios = _ratios(of)
    return ratios[len(ratios) // 2] if ratios else of.range_left, _cold(analysis, of)


def _cold_statistics(analysis: Analysis, of: Inside) -> Said:
    if of.batch_norm_left is None or of.batch_norm_left <= START_LEFT:
        return NOTHING
    share = words.percent(of.batch_norm_left, 0)
    return of.batch_norm_left, (
        f"{share} of batch normalization's start is left in its averages, which have not converged."
    )


def _statistics_off(analysis: Analysis, of: Inside) -> Said:
    layer, off = _largest(of.of("mean_off"))
    if off <= OFF or (of.batch_norm_left or 0) > START_LEFT:
        return NOTHING
    return off, f"a moving mean of {code(layer)} is {off:.2g} SDs off that of the training data."


def _saturated(analysis: Analysis, of: Inside) -> Said:
    layer, share = _largest(of.of("saturated"))
    if share <= SATURATED:
        return NOTHING
    return share, (
        f"{words.percent(share)} of the activations on the test data lie outside of the range of "
        f"{code(layer)}."
    )


def _at_limit(analysis: Analysis, of: Inside) -> Said:
    if of.at_limit is None or of.at_limit <= LIMIT:
        return NOTHING
    share = words.percent(of.at_limit)
    return of.at_limit, f"{share} of the test examples have an output at the limit of its type."


def _noisy(analysis: Analysis, of: Inside) -> Said:
    ratios = of.of("sqnr_db")
    layer, least = _largest({name: -value for name, value in ratios.items()})
    if not ratios or -least >= SQNR:
        return NOTHING
    return least, (
        f"the output of {code(layer)} has {-least:.1f} dB of signal to quantization noise, the "
        f"least of {len(ratios)} operators."
    )


def _unlike_keras(analysis: Analysis, of: Inside) -> Said:
    if of.flips is None or of.flips <= FLIPS:
        return NOTHING
    tied = f", {words.percent(of.flips_tied)} by a tie" if of.flips_tied else ""
    return of.flips, (
        f"the file classifies {words.percent(of.flips)} of the test examples otherwise than the "
        f"Keras model that it was made of{tied}."
    )


def _uneven(analysis: Analysis, of: Inside) -> Said:
    single = {layer for layer, n in of.of("distinct_scales").items() if n == 1}
    ratios = {k: v for k, v in of.of("channel_range_ratio").items() if k in single}
    layer, ratio = _largest(ratios)
    if ratio <= UNEVEN:
        return NOTHING
    return ratio, (
        f"one scale serves all channels of {code(layer)}, whose widest has {ratio:.1f} times the "
        "range of the median one."
    )


def _requantized(analysis: Analysis, of: Inside) -> Said:
    if not of.requantizations:
        return NOTHING
    count = words.count(int(of.requantizations), "operator")
    return of.requantizations, f"{count} of a file only turn one integer scale into another."


def _left_out(analysis: Analysis, of: Inside) -> Said:
    if not of.left_out:
        return NOTHING
    why = [
        f"{n} because {reason}{f', {code(error)}' if error else ''}"
        for (reason, error), n in of.left_out.items()
    ]
    files = words.count(sum(of.left_out.values()), "file")
    return sum(of.left_out.values()), (
        f"the tensors inside of {files} could not be compared with those of the float file and are "
        f"left out: {words.listed(why)}."
    )


def _kernels(analysis: Analysis, of: Inside) -> Said:
    if of.kernels is None:
        return NOTHING
    said = f"{words.percent(of.kernels, 2)} of the test examples are classified otherwise than by "
    said += "XNNPACK's kernels on one thread"
    if of.kernel_outputs is not None:
        said += (
            f", and of {words.percent(of.kernel_outputs, 2)} the largest output is more than a "
            "step away from theirs"
        )
    return of.kernels, f"{said}."


KINDS: tuple[Callable[[Analysis, Inside], Said], ...] = (
    _in_float,
    _clipped,
    _cold_ranges,
    _cold_statistics,
    _statistics_off,
    _saturated,
    _at_limit,
    _noisy,
    _unlike_keras,
    _uneven,
    _requantized,
    _kernels,
    _left_out,
)
"""The most likely cause of a difference first."""


def _largest(of: Mapping[str, float]) -> tuple[str, float]:
    name = max(of, key=lambda each: of[each], default="")
    return name, of.get(name, float("-inf"))


def _cold(analysis: Analysis, of: Inside) -> Text:
    """`after 31 steps 97% of each range is still TFMOT's start of 6, ...`."""
    said = f"{words.percent(of.range_left, 0)} of each range is still TFMOT's start of 6"
    ratios = _ratios(of)
    if ratios and (middle := ratios[len(ratios) // 2]) > WIDE:
        said += f", {middle:.1f} times what calibration finds (the median range)"
    c = next(
        (
            c
            for c in analysis.select("seeds", name="qat - qat-recal")
            if of.arm == "qat" and of.setting.within(c.setting) and c.mean is not None
        ),
        None,
    )
    if c is None:
        return f"{said}."
    clause = sentences.with_numbers(c, sentences.verdict(c))
    return f"{said}; against the same weights with calibrated ranges, {clause}."


def _ratios(of: Inside) -> list[float]:
    """Of each range but the input's to what calibration finds, ascending."""
    found = of.of("range_ratio").items()
    return sorted(value for layer, value in found if "quantize_layer" not in layer)


def _classes(analysis: Analysis, harm: Harm) -> dict[int, float]:
    return {
        label: mean for label, (mean, p) in harm.classes.items() if p <= analysis.alpha and mean < 0
    }


def _harm(analysis: Analysis, harm: Harm) -> Text:
    worse = _classes(analysis, harm)
    where = words.place(harm.setting, analysis.varying)
    said = [f"{code(harm.arm)}{f' ({where})' if where else ''} against `float`:"]
    if worse:
        shown = sorted(worse, key=lambda label: worse[label])[:5]
        each = words.listed(f"{label} ({words.signed(worse[label])} pp)" for label in shown)
        more = f" and {len(worse) - len(shown)} more" if len(worse) > len(shown) else ""
        said.append(
            f"harmed beyond chance are the classes {each}{more}"
            if len(worse) > 1
            else f"harmed beyond chance is the class {each}"
        )
    if harm.examples:
        examples = words.count(harm.examples, "test example")
        said.append(f"{'; ' if worse else ''}{examples} broken in nearly every seed")
    return " ".join(said).replace(" ; ", "; ") + "."


def _named(analysis: Analysis, of: Inside) -> Text:
    where = words.place(of.setting, analysis.varying)
    return f"{code(of.arm)}{f' ({where})' if where else ''}"


def _share(value: float | None, decimals: int = 1) -> Cell:
    return Cell(words.percent(value, decimals), value)


def _table(analysis: Analysis, there: list[Inside]) -> Table:
    columns = (
        Column("arm"),
        Column("setting", words.setting_meaning(analysis)),
        Column("models", "evaluated", True),
        Column("start of ranges", "share that is left of the observers' start", True),
        Column("start of batch norm", "share that is left of it in the averages", True),
        Column("clipped inputs", "largest share in a model", True),
        Column("at the limit", "test examples with an output at its type's limit", True),
        Column("ties", "test examples whose two highest outputs are equal", True),
        Column("unlike Keras", "test examples, of the models looked into", True),
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
        Column("setting"),
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
    caption = f"By layer, means over the models looked into{words.first_of(rows)}"
    return Table("layers-table", caption, columns, tuple(rows[: words.MOST_ROWS]))
