"""What is found inside of quantized models, in words: what is most likely wrong first."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import log

from bench.analysis import Analysis, Harm, Inside
from bench.report import sentences, words
from bench.report.content import Text, code
from bench.study.effective import number_format

START_LEFT, WIDE, SATURATED, CLIPPED = 0.05, 1.5, 0.01, 0.0001
OFF, UNLIKE, SQNR, FLIPS, TIES, LIMIT, UNEVEN = 0.5, 2.0, 20.0, 0.01, 0.01, 0.05, 4.0
"""From where a number is worth a sentence: share of a start that is left; a range against the
calibrated one; share of activations cut off, and of inputs; SDs; a range or a variance against what
it should be, or the reverse; dB; share of test examples, three times; a channel's weights against
the median one."""


def of_models(analysis: Analysis, there: Sequence[Inside]) -> Iterator[Text]:
    """Of each kind the worst, the most likely cause first; over how many seeds, and how many there
    are of this kind."""
    for make, over in KINDS.items():
        found = [(*said, at) for at, of in enumerate(there) if (said := make(analysis, of))[1]]
        if not found:
            continue
        _, text, at = max(found, key=lambda one: one[0])
        rests = [over(there[at])] if over else []
        if len(found) > 1:
            rests.append(f"the worst of {len(found)} of this kind")
        end = f" {sentences.sentence('; '.join(rests))}." if rests else ""
        yield f"{_named(analysis, there[at])}: {text}{end}"


def of_harms(analysis: Analysis) -> list[Text]:
    """Of each arm that harms classes or examples."""
    there = (harm for harm in analysis.harms if _classes(analysis, harm) or harm.examples)
    return [_harm(analysis, harm) for harm in there]


Said = tuple[float, Text]
"""How much of it there is, and the sentence; an empty one where there is nothing to say."""

NOTHING: Said = (0.0, "")


def _over_all(of: Inside) -> Text:
    return f"mean over {words.count(of.seeds, 'seed')}"


def _over_some(of: Inside) -> Text:
    """What is measured of the first seeds alone."""
    return f"mean over {words.count(of.looked_into, 'seed')}"


def _most(of: Inside) -> Text:
    return f"the most in any of {words.count(of.models, 'file')}"


def _in_float(analysis: Analysis, of: Inside) -> Said:
    if not of.float_ops or number_format(of.arm, of.setting.factors) != "int8":
        return NOTHING
    count = words.count(int(of.float_ops), "operator")
    return of.float_ops, f"{count} of a file run in float, not in int8."


def _clipped(analysis: Analysis, of: Inside) -> Said:
    if not of.clipped or of.clipped < CLIPPED:
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
    share, variance = words.percent(of.batch_norm_left, 0), _variance(of)
    seeds = words.count(of.looked_into, "seed")
    return of.batch_norm_left, (
        f"{share} of batch normalization's start is left in its averages, which have not converged"
        f"{f'; {variance} (of {seeds})' if variance else ''}."
    )


def _statistics_off(analysis: Analysis, of: Inside) -> Said:
    layer, off = _largest(of.of("mean_off"))
    variance = _variance(of)
    if (off <= OFF and not variance) or (of.batch_norm_left or 0) > START_LEFT:
        return NOTHING
    mean = f"a moving mean of {code(layer)} is {off:.2g} SDs off that of the training data"
    return off, f"{'; '.join(each for each in (mean if off > OFF else '', variance) if each)}."


def _variance(of: Inside) -> Text:
    """The moving variance that is farthest from the data's, where it is far; else nothing."""
    ratios = of.of("variance_ratio")
    layer, _ = _largest({name: abs(log(ratio)) for name, ratio in ratios.items() if ratio > 0})
    if not layer or abs(log(ratios[layer])) <= log(UNLIKE):
        return ""
    return f"a moving variance of {code(layer)} is {ratios[layer]:.2g} times the data's"


def _ranges_off(analysis: Analysis, of: Inside) -> Said:
    ratios = of.of("range_ratio")
    far = {name: abs(log(ratio)) for name, ratio in ratios.items() if ratio > 0}
    layer, off = _largest(far)
    if off <= log(UNLIKE) or (of.range_left or 0) > START_LEFT:
        return NOTHING
    return off, f"the range of {code(layer)} is {ratios[layer]:.2g} times what calibration finds."


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
        f"least of {len(ratios)} operators{_in_steps(of, layer)}."
    )


def _in_steps(of: Inside, layer: Text) -> Text:
    error = of.of("error_steps").get(layer)
    if error is None:
        return ""
    return f": an error of {error:.2g} steps of its scale, where rounding alone makes 0.289"


def _tied(analysis: Analysis, of: Inside) -> Said:
    if of.ties is None or of.ties <= TIES:
        return NOTHING
    share = words.percent(of.ties)
    return of.ties, (
        f"{share} of the test examples have two highest outputs that are equal: the order of the "
        "classes decides."
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


KINDS: Mapping[Callable[[Analysis, Inside], Said], Callable[[Inside], Text] | None] = {
    _in_float: _most,
    _clipped: _most,
    _cold_ranges: _over_all,
    _cold_statistics: _over_all,
    _statistics_off: _over_some,
    _ranges_off: _over_some,
    _saturated: _over_some,
    _at_limit: _over_all,
    _noisy: _over_some,
    _tied: _over_all,
    _unlike_keras: _over_some,
    _uneven: _over_some,
    _requantized: _most,
    _kernels: _over_all,
    _left_out: None,
}
"""The most likely cause of a difference first, each with what its number rests on."""


def _largest(of: Mapping[str, float]) -> tuple[str, float]:
    name = max(of, key=lambda each: of[each], default="")
    return name, of.get(name, float("-inf"))


def _cold(analysis: Analysis, of: Inside) -> Text:
    """`97% of each range is still TFMOT's start of 6 after 32 steps of QAT, ...`."""
    said = f"{words.percent(of.range_left, 0)} of each range is still TFMOT's start of 6"
    if steps := _steps(analysis, of):
        said += f" after {words.count(steps, 'step')} of QAT"
    ratios = _ratios(of)
    if ratios and (middle := ratios[len(ratios) // 2]) > WIDE:
        seeds = words.count(of.looked_into, "seed")
        said += f", and the median range is {middle:.1f} times what calibration finds (of {seeds})"
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


def _steps(analysis: Analysis, of: Inside) -> int | None:
    """Of QAT alone, behind these models; None where the float model's are not known."""
    if of.steps is None or dict(of.setting.factors).get("qat_start") == "scratch":
        return None if of.steps is None else int(of.steps)
    before = {
        steps
        for sample in analysis.of_first_metric
        if sample.arm == "float" and sample.setting.within(of.setting)
        for steps in sample.audited.get("steps", ())
    }
    return int(of.steps) - int(str(before.pop())) if len(before) == 1 else None


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
    more = ", which has trained less" if _trains_more(analysis, harm) else ""
    said = [f"{code(harm.arm)}{f' ({where})' if where else ''} against `float`{more}:"]
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
    return " ".join(said).replace(" ; ", "; ") + f", over {words.count(harm.seeds, 'seed')}."


def _trains_more(analysis: Analysis, harm: Harm) -> bool:
    return analysis.study is not None and bool(analysis.study.arm(harm.arm).extra)


def _named(analysis: Analysis, of: Inside) -> Text:
    where = words.place(of.setting, analysis.varying)
    return f"{code(of.arm)}{f' ({where})' if where else ''}"
