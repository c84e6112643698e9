"""Two TFLite files that somebody already has, on the same test examples: what may one conclude?

The question is about these two files and new examples (exact McNemar), not about the recipes that
made them: that takes many seeds. Neither TensorFlow nor Ray is imported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np

from bench import datasets
from bench.errors import InputError
from bench.pipelines import evaluate
from bench.pipelines.audit import FLOAT_IO, Audit, audit
from bench.statistics.checks import Interval
from bench.statistics.families import Verdict
from bench.statistics.mcnemar import (
    McNemar,
    detectable_difference_two_files,
    examples_needed,
    fewest_discordant,
    mcnemar,
    power_mcnemar,
)

POWER = 0.8
"""What a test set must give to count as able to resolve a difference."""

CLIPPED = 0.01
"""More of the input clipped than this: the file was made for other numbers."""

_FED = ("float32", "int8", "uint8")
_READ = ("float32", "int8", "uint8")


@dataclass(frozen=True, eq=False)
class TestSet:
    """x: uint8 or float32 (n, height, width, channels); y: int32 (n,); scale: x / scale is what
    models of this package are fed; classes: their number where it is named, else None."""

    name: str
    x: np.ndarray
    y: np.ndarray
    scale: float
    classes: int | None

    __test__ = False  # pytest, this is no class of tests


@dataclass(frozen=True)
class Feed:
    """What a file was fed: x / scale + offset, from low to high.

    holds: what its integer input can hold; None where it is float32 or not quantized. clipped:
    the share of numbers that it could not hold.
    """

    scale: float
    offset: float
    low: float
    high: float
    holds: Interval | None
    clipped: float


@dataclass(frozen=True)
class FileResult:
    """One file on the test set. input, output: of the file; ties: examples whose two highest
    outputs are equal; not_finite: examples with nan or infinite outputs, which count as wrong."""

    path: str
    correct: int
    accuracy: float
    ties: int
    not_finite: int
    input: evaluate.Port
    output: evaluate.Port
    feed: Feed
    audit: Audit


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
    """

    dataset: str
    n: int
    a: FileResult
    b: FileResult
    fixed: int
    broken: int
    predictions_differ: int
    difference: float
    interval: Interval
    p: float
    alpha: float
    delta: float
    verdict: Verdict
    resolution: Resolution
    warnings: tuple[str, ...]


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
    offset; none (the dataset's own), one for both, or one each. Raises InputError naming the
    option or file that is not as expected.
    """
    if not 0 < delta <= 100:
        raise InputError("--delta", f"found {delta:g}", "allowed: above 0, at most 100 pp")
    if not 0 < alpha < 0.5:
        raise InputError("--alpha", f"found {alpha:g}", "allowed: between 0 and 0.5")
    scale_a, scale_b = _for_each("--input-scale", scales, positive=True)
    offset_a, offset_b = _for_each("--input-offset", offsets, positive=False)
    blobs = _read(a), _read(b)
    interfaces = _interface(a, blobs[0]), _interface(b, blobs[1])
    test = load_test(data)
    result_a, predicted_a = _evaluated(a, blobs[0], *interfaces[0], test, scale_a, offset_a)
    result_b, predicted_b = _evaluated(b, blobs[1], *interfaces[1], test, scale_b, offset_b)
    right_a, right_b = predicted_a == test.y, predicted_b == test.y
    counts = mcnemar(int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum()), len(test.y))
    return Comparison(
        dataset=test.name,
        n=counts.n,
        a=result_a,
        b=result_b,
        fixed=counts.fixed,
        broken=counts.broken,
        predictions_differ=int((predicted_a != predicted_b).sum()),
        difference=100 * counts.difference,
        interval=Interval(*(100 * end for end in counts.interval(alpha))),
        p=counts.p,
        alpha=alpha,
        delta=delta,
        verdict=verdict(counts, delta / 100, alpha),
        resolution=_resolution(counts, delta / 100, alpha),
        warnings=_warnings(result_a, result_b, test),
    )


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


def load_test(name: str) -> TestSet:
    """The test split of an embedded dataset or of a folder with test.parquet.

    Only that file is read: the training images are most of a folder, and nothing here needs them.
    Raises InputError naming --data or the file that is not as expected.
    """
    datasets.check_name(name, "--data")
    if not datasets.is_path(name):
        data = datasets.load(name)
        return TestSet(data.name, data.x_test, data.y_test, data.scale, len(data.classes))
    from bench.datasets import parquet_folder

    path = Path(name) / "test.parquet"
    if not path.is_file():
        raise InputError("--data", f"no {str(path)!r}", "allowed: a folder with test.parquet")
    x, y, _, names = parquet_folder.read_split(path)
    if names and y.max() >= len(names):
        raise InputError(
            str(path), f"label {y.max()}", f"allowed: 0 to {len(names) - 1}, the named classes"
        )
    return TestSet(datasets.label(name), x, y, 255.0, len(names) or None)


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
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(path, "no such file", "allowed: a TFLite file") from None
    except OSError as error:
        raise InputError(
            path, f"not readable ({error.strerror})", "allowed: a TFLite file"
        ) from None


def _interface(path: str, blob: bytes) -> tuple[evaluate.Port, evaluate.Port]:
    """The one input and the one output of an image classifier."""
    try:
        inputs, outputs = evaluate.ports(blob)
    except ValueError as error:
        raise InputError(
            path, f"no whole TFLite file ({_first_line(error)})", "allowed: a TFLite file"
        ) from None
    for kind, ports in (("input", inputs), ("output", outputs)):
        if len(ports) != 1:
            names = ", ".join(port.name for port in ports)
            raise InputError(
                path,
                f"{len(ports)} {kind}s ({names})",
                f"allowed: one {kind}, images in and a score per class out",
            )
    fed, read = inputs[0], outputs[0]
    for kind, port, known in (("input", fed, _FED), ("output", read, _READ)):
        if port.dtype not in known:
            raise InputError(
                path, f"an {kind} of {port.dtype}", f"allowed: {', '.join(known[:-1])} or uint8"
            )
    if len(read.shape) != 2:
        raise InputError(
            path,
            f"an output of shape {_shape(read.shape)}",
            "allowed: examples x classes, a score for each class",
        )
    return fed, read


def _evaluated(
    path: str,
    blob: bytes,
    fed: evaluate.Port,
    read: evaluate.Port,
    test: TestSet,
    scale: float | None,
    offset: float | None,
) -> tuple[FileResult, np.ndarray]:
    """A file's result and its predictions, int (n,); -1 where the outputs are not finite."""
    x = test.x.reshape(len(test.x), *_fitting(path, fed, test))
    _check_classes(path, read.shape[1], test)
    raw = fed.step == 0 and fed.dtype != "float32"  # integers as they are: the pixels
    scale = (1.0 if raw else test.scale) if scale is None else scale
    offset = 0.0 if offset is None else offset
    try:
        evaluator = evaluate.Evaluator(blob, scale, offset)
        outputs = evaluator.outputs(x)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            path,
            f"cannot be run ({_first_line(error)})",
            "allowed: a TFLite file of built-in operators that takes one image at a time",
        ) from None
    if outputs.ndim != 2:
        raise InputError(
            path,
            f"an output of shape {_shape(outputs.shape)}",
            "allowed: examples x classes, a score for each class",
        )
    _check_classes(path, outputs.shape[1], test)
    finite = np.isfinite(outputs).all(axis=1)
    predicted = np.where(finite, outputs.argmax(axis=1), -1)
    correct = int((predicted == test.y).sum())
    feed = Feed(
        scale=scale,
        offset=offset,
        low=float(test.x.min()) / scale + offset,
        high=float(test.x.max()) / scale + offset,
        holds=_holds(fed),
        clipped=evaluator.clipped(x),
    )
    result = FileResult(
        path=path,
        correct=correct,
        accuracy=correct / len(test.y),
        ties=int(evaluate.ties(outputs[finite]).sum()),
        not_finite=int((~finite).sum()),
        input=fed,
        output=read,
        feed=feed,
        audit=audit(blob),
    )
    return result, predicted


def _fitting(path: str, fed: evaluate.Port, test: TestSet) -> tuple[int, ...]:
    """The shape of one example as the file takes it: whole, grey without channel, or flat."""
    height, width, channels = test.x.shape[1:]
    shapes = [(height, width, channels), (height * width * channels,)]
    if channels == 1:
        shapes.append((height, width))
    wanted = fed.shape[1:]
    for shape in shapes:
        if len(shape) == len(wanted) and all(
            w in (-1, s) for w, s in zip(wanted, shape, strict=True)
        ):
            return shape
    why = ""
    if wanted[:2] == (height, width) and len(wanted) == 3:
        why = f": {wanted[2]} channels for images of {channels}"
    elif wanted == (channels, height, width):
        why = ": channels first"
    raise InputError(
        path,
        f"takes images of {_shape(wanted)}{why}",
        f"allowed: {_shape((height, width, channels))} (height x width x channels), "
        f"as {test.name} has them",
    )


def _check_classes(path: str, found: int, test: TestSet) -> None:
    """-1, a length that only running the file tells, passes."""
    highest = int(test.y.max())
    least = max(highest + 1, 2)
    if found == -1 or found == test.classes or (test.classes is None and found >= least):
        return
    if test.classes is None:
        allowed = f"allowed: at least {least}, the highest label is {highest}"
    else:
        allowed = f"allowed: {test.classes}, the classes of {test.name}"
    raise InputError(path, f"gives {found} scores", allowed)


def _holds(fed: evaluate.Port) -> Interval | None:
    if fed.step == 0:
        return None
    limits = np.iinfo(fed.dtype)
    return Interval(fed.step * (limits.min - fed.zero), fed.step * (limits.max - fed.zero))


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


def _warnings(a: FileResult, b: FileResult, test: TestSet) -> tuple[str, ...]:
    """What must be read before the numbers."""
    said = []
    if a.audit.sha256 == b.audit.sha256:
        said.append("A and B are the same file, byte by byte")
    formats = [file.audit.number_format.removesuffix(FLOAT_IO) for file in (a, b)]
    if formats[0] != formats[1]:
        said.append(
            f"unlike number formats: A is {a.audit.number_format}, B is {b.audit.number_format}; "
            "their difference is that of the models and that of the formats in one"
        )
    for letter, file in (("A", a), ("B", b)):
        feed = file.feed
        if feed.clipped > CLIPPED:
            limits = np.iinfo(file.input.dtype)
            holds = feed.holds or Interval(float(limits.min), float(limits.max))
            said.append(
                f"{letter} was fed {feed.low:.3g} to {feed.high:.3g}, but its input holds "
                f"{holds.low:.3g} to {holds.high:.3g}: {feed.clipped:.1%} of the numbers were "
                "clipped; --input-scale and --input-offset say how it is fed"
            )
        if file.not_finite:
            said.append(
                f"{letter} gives nan or infinity on {file.not_finite:,} examples; they count as "
                "wrong"
            )
    commonest = float(np.bincount(test.y).max()) / len(test.y)
    if max(a.accuracy, b.accuracy) < (1 + commonest) / 2:
        said.append(
            f"both files are often wrong ({a.accuracy:.1%} and {b.accuracy:.1%}; always the "
            f"commonest class gets {commonest:.1%}): if you know them to be better, they were "
            "trained on inputs of another scale (--input-scale, --input-offset) or with the "
            "classes in another order"
        )
    return tuple(said)


def _shape(shape: Sequence[int]) -> str:
    return " x ".join("any" if n == -1 else str(n) for n in shape) or "a single number"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
