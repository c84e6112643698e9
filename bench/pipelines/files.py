"""Two TFLite files that somebody already has, on the same test examples: what may one conclude?

The question is about these two files and new examples (exact McNemar), not about the recipes that
made them: that takes many seeds. Neither TensorFlow nor Ray is imported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from bench.errors import InputError
from bench.pipelines.audit import FLOAT_IO
from bench.pipelines.isolated import Job, Processes
from bench.pipelines.one_file import CLIPPED, FileResult
from bench.pipelines.testset import TestSet, load_test
from bench.statistics import families
from bench.statistics.checks import Interval
from bench.statistics.equivalence import tost_of
from bench.statistics.families import Verdict
from bench.statistics.groups import GroupedFiles, group_sums, grouped_files, too_few_groups
from bench.statistics.mcnemar import (
    McNemar,
    detectable_difference_two_files,
    examples_needed,
    fewest_discordant,
    mcnemar,
    power_mcnemar,
)
from bench.store.files import content

POWER = 0.8
"""What a test set must give to count as able to resolve a difference."""


@dataclass(frozen=True)
class Resolution:
    """Could a true difference of delta be seen on this test set?

    discordance: the share of discordant examples that is assumed: the observed one, or delta
    where that is more. power: to detect delta with it. detectable: the true difference, pp, that
    is detected with POWER; smallest_significant: the smallest measured one, pp, on as many
    discordant examples as here; None where there is none. fewest_discordant: examples, below
    which no p can be <= alpha. examples_needed: test examples to detect delta with POWER; None
    beyond mcnemar.MOST_EXAMPLES.
    """

    discordance: float
    power: float
    detectable: float | None
    smallest_significant: float | None
    fewest_discordant: int
    examples_needed: int | None

    @property
    def enough(self) -> bool:
        return self.power >= POWER


@dataclass(frozen=True)
class Comparison:
    """File a minus file b on n examples. difference, interval, delta in pp.

    fixed: examples that only a has right; broken: only b; predictions_differ: examples that they
    classify differently, both wrong included. interval: Tango's score interval at 1 - alpha, for
    new examples; p: exact McNemar; p words the direction where the two disagree at the border.
    Where the data name groups of test examples both are about new groups (`grouped`, in pp: t over
    groups, and the exact sign-flip test of their sums), and interval is None for one group;
    ungrouped_interval, ungrouped_p are then those of single examples.
    verdict: None where it is withheld, `withheld` says why; the numbers are then those of files
    that were fed the wrong numbers, or gave none. resolution: None of groups.
    """

    dataset: str
    n: int
    a: FileResult
    b: FileResult
    fixed: int
    broken: int
    predictions_differ: int
    difference: float
    interval: Interval | None
    p: float
    alpha: float
    delta: float
    verdict: Verdict | None
    withheld: tuple[str, ...]
    resolution: Resolution | None
    warnings: tuple[str, ...]
    grouped: GroupedFiles | None = None
    ungrouped_interval: Interval | None = None
    ungrouped_p: float | None = None

    @property
    def unlike_formats(self) -> bool:
        """Whether the number formats differ in more than the type of input and output."""
        a, b = (file.audit.number_format.removesuffix(FLOAT_IO) for file in (self.a, self.b))
        return a != b


def compare(
    a: str,
    b: str,
    data: str,
    *,
    delta: float = 0.5,
    alpha: float = 0.05,
    scales: Sequence[float] = (),
    offsets: Sequence[float] = (),
) -> Comparison:
    """Evaluate two files on a data set's test split and compare them.

    a, b: paths; data: an embedded dataset's name or a folder with test.parquet; delta: the
    smallest difference that matters, pp; scales, offsets: what each file's input is, x / scale +
    offset; none (the dataset's own), one for both, or one each. No verdict is given on a file
    whose quantized input holds another range than it was fed, unless its scale or offset is
    given, nor on one whose outputs are not finite. Raises InputError naming the option or file
    that is not as expected.
    """
    if not 0 < delta <= 100:
        raise InputError("--delta", f"found {delta:g}", "allowed: above 0, at most 100 pp")
    if not 0 < alpha < 0.5:
        raise InputError("--alpha", f"found {alpha:g}", "allowed: between 0 and 0.5")
    scale_a, scale_b = _for_each("--input-scale", scales, positive=True)
    offset_a, offset_b = _for_each("--input-offset", offsets, positive=False)
    jobs = Job(a, _read(a), scale_a, offset_a), Job(b, _read(b), scale_b, offset_b)
    with Processes(len(jobs)) as processes:
        test = load_test(data)
        (result_a, predicted_a), (result_b, predicted_b) = processes.evaluate(jobs, test)
    withheld = (*_misfed(result_a, result_b, test), *_not_finite(result_a, result_b, test))
    right_a, right_b = predicted_a == test.y, predicted_b == test.y
    counts = mcnemar(int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum()), len(test.y))
    single = Interval(*(100 * end for end in counts.interval(alpha)))
    groups = _grouped(right_a, right_b, test)
    found = verdict(counts, delta / 100, alpha)
    if groups is not None:
        found = verdict_of_groups(groups, delta, alpha)
    return Comparison(
        dataset=test.name,
        n=counts.n,
        a=result_a,
        b=result_b,
        fixed=counts.fixed,
        broken=counts.broken,
        predictions_differ=int((predicted_a != predicted_b).sum()),
        difference=100 * counts.difference,
        interval=single if groups is None else groups.interval(alpha),
        p=counts.p if groups is None else groups.p,
        alpha=alpha,
        delta=delta,
        verdict=None if withheld else found,
        withheld=withheld,
        resolution=_resolution(counts, delta / 100, alpha) if groups is None else None,
        warnings=_warnings(result_a, result_b, test, bool(withheld)),
        grouped=groups,
        ungrouped_interval=None if groups is None else single,
        ungrouped_p=None if groups is None else counts.p,
    )


def _grouped(
    right_a: NDArray[np.bool_], right_b: NDArray[np.bool_], test: TestSet
) -> GroupedFiles | None:
    if test.groups is None:
        return None
    cells = right_a[None].astype(np.int8) - right_b[None]
    return grouped_files(group_sums(cells, test.groups), scale=100)


def verdict(counts: McNemar, delta: float, alpha: float) -> Verdict:
    """The protocol's verdicts for one pair of files; delta a share.

    Equivalent within delta: the score interval at 1 - 2 alpha lies inside it, which is two
    one-sided tests at alpha (Tango 1998).
    """
    equivalent = counts.interval(2 * alpha).within(delta)
    if counts.p > alpha:
        return Verdict.EQUIVALENT if equivalent else Verdict.UNDECIDED
    if counts.interval(alpha).beyond(delta):
        return Verdict.MATTERS
    return Verdict.TOO_SMALL if equivalent else Verdict.SIZE_UNDECIDED


def verdict_of_groups(found: GroupedFiles, delta: float, alpha: float) -> Verdict:
    """The same for new groups of test examples; delta in the unit of `found`.

    The sign-flip test over groups takes McNemar's place, and t over groups Tango's.
    """
    if too_few_groups(found.n_groups, alpha):
        return Verdict.TOO_FEW_GROUPS
    equivalent = tost_of(found, delta)
    return families.verdict(
        n_seeds=found.n_groups,
        p_adjusted=found.p,
        p_equivalence_adjusted=None if equivalent is None else equivalent.p,
        interval=found.interval(alpha),
        delta=delta,
        alpha=alpha,
        m=1,
    )


def _for_each(
    option: str, values: Sequence[float], positive: bool
) -> tuple[float | None, float | None]:
    """The option's value for each file; None: not given."""
    for value in values:
        if not abs(value) < inf or (positive and value <= 0):
            allowed = "greater than 0" if positive else "any finite number"
            raise InputError(option, f"found {value:g}", f"allowed: {allowed}")
    if len(values) > 2:
        raise InputError(
            option,
            f"found {len(values)} values",
            "allowed: once for both files, or twice: for A, then for B",
        )
    return (values[0], values[-1]) if values else (None, None)


def _read(path: str) -> bytes:
    try:
        return content(path)
    except FileNotFoundError:
        raise InputError(path, "no such file", "allowed: a TFLite file") from None
    except OSError as error:
        raise InputError(
            path, f"not readable ({error.strerror or error})", "allowed: a TFLite file"
        ) from None


def _resolution(counts: McNemar, delta: float, alpha: float) -> Resolution:
    discordance = max((counts.fixed + counts.broken) / counts.n, delta)
    detectable = detectable_difference_two_files(discordance, counts.n, alpha, POWER)
    smallest = counts.smallest_significant(alpha)
    return Resolution(
        discordance=discordance,
        power=power_mcnemar(delta, discordance, counts.n, alpha),
        detectable=None if detectable is None else 100 * detectable,
        smallest_significant=None if smallest is None else 100 * smallest,
        fewest_discordant=fewest_discordant(alpha),
        examples_needed=examples_needed(delta, discordance, alpha, POWER),
    )


def _misfed(a: FileResult, b: FileResult, test: TestSet) -> tuple[str, ...]:
    """Why there is no verdict where files were fed numbers that their inputs were not made for and
    that nobody chose; and which options would fit, or confirm what was fed."""
    misfed = [file for file in (a, b) if file.feed.misfed and not file.feed.chosen]
    if not misfed:
        return ()
    said = [_unlike_ranges("A" if file is a else "B", file) for file in misfed]
    fits, taken = [], False
    for file in (a, b):
        tells = file.feed.chosen or file.feed.holds is not None or file.feed.misfed
        fitted = file if file in misfed else misfed[0]
        taken |= not tells
        as_fed = tells and file not in misfed
        fits.append((file.feed.scale, file.feed.offset) if as_fed else _fit(fitted, test))
    kept = [(file.feed.scale, file.feed.offset) for file in (a, b)]
    note = " (a float32 input does not tell what it was made for: here the same)" if taken else ""
    said.append(
        f"Choose: {_options(fits)} to feed what the input holds{note}; {_options(kept)} to keep "
        "what was fed"
    )
    return tuple(said)


def _unlike_ranges(letter: str, file: FileResult) -> str:
    feed, holds = file.feed, _range(file)
    return (
        f"{letter} was fed {feed.low:.3g} to {feed.high:.3g}, but its input holds "
        f"{holds.low:.3g} to {holds.high:.3g}: "
    ) + (
        f"{feed.clipped:.1%} of the numbers were clipped"
        if feed.clipped > CLIPPED
        else f"only {feed.used:.1%} of that was used"
    )


def _range(file: FileResult) -> Interval:
    limits = np.iinfo(file.input.dtype)
    return file.feed.holds or Interval(float(limits.min), float(limits.max))


def _fit(file: FileResult, test: TestSet) -> tuple[float, float]:
    """The scale and offset that spread the data's range, 0 to test.scale, over what the input
    holds: the usual ones where they are within 2% of it, else to four digits."""
    low, high = _range(file)
    room = 0.02 * (high - low)
    usual = [(0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5), (0.0, test.scale), (0.0, 255.0), (-128.0, 127.0)]
    for start, end in usual:
        if abs(low - start) <= room and abs(high - end) <= room:
            return test.scale / (end - start), start
    return float(f"{test.scale / (high - low):.4g}"), float(f"{low:.4g}")


def _options(feeds: Sequence[tuple[float, float]]) -> str:
    """The command's options for A and B, once where they are equal."""
    said = []
    for option, values in zip(
        ("--input-scale", "--input-offset"), zip(*feeds, strict=True), strict=True
    ):
        said += [
            f"{option} {value:g}" for value in (values if len(set(values)) > 1 else values[:1])
        ]
    return " ".join(said)


def _not_finite(a: FileResult, b: FileResult, test: TestSet) -> tuple[str, ...]:
    return tuple(
        f"{letter} gives nan or infinity on {file.not_finite:,} of {len(test.y):,} examples"
        for letter, file in (("A", a), ("B", b))
        if file.not_finite
    )


def _warnings(a: FileResult, b: FileResult, test: TestSet, withheld: bool) -> tuple[str, ...]:
    """What must be read before the numbers."""
    said = []
    if a.audit.sha256 == b.audit.sha256:
        said.append("A and B are the same file, byte by byte")
    for letter, file in (("A", a), ("B", b)):
        if file.feed.misfed and file.feed.chosen:
            said.append(
                f"{_unlike_ranges(letter, file)}; --input-scale and --input-offset were given, "
                "and are taken as they are"
            )
        if file.constant is not None:
            said.append(f"{letter} answers class {file.constant} for every example")
    commonest = float(np.bincount(test.y).max()) / len(test.y)
    if not withheld and max(a.accuracy, b.accuracy) < (1 + commonest) / 2:
        said.append(
            f"both files are often wrong ({a.accuracy:.1%} and {b.accuracy:.1%}; always the "
            f"commonest class gets {commonest:.1%}): if you know them to be better, they were "
            "trained on inputs of another scale (--input-scale, --input-offset) or with the "
            "classes in another order"
        )
    return tuple(said)
