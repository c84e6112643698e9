"""One TFLite file on a test set: what it is, what it was fed, what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from bench.errors import InputError
from bench.pipelines import audit, evaluate
from bench.pipelines.testset import TestSet
from bench.statistics.checks import Interval

CLIPPED = 0.01
"""More of the input clipped than this: the file was made for other numbers."""

USED = 2 / 3
"""Less of a quantized input's range used than this: the file was made for other numbers.

A file for [-1, 1] that is fed [0, 1] uses a half. What is fed counts with zero, which TFLite's
quantization always holds.
"""

_FED = ("float32", "int8", "uint8")
_READ = ("float32", "int8", "uint8")


@dataclass(frozen=True)
class Feed:
    """What a file was fed: x / scale + offset, from low to high.

    chosen: whether the caller said so; else they are the data set's own. holds: what its integer
    input can hold; None where it is float32 or not quantized. clipped: the share of numbers that
    it could not hold; used: the share of `holds` that the numbers span, None where `holds` is.
    """

    scale: float
    offset: float
    chosen: bool
    low: float
    high: float
    holds: Interval | None
    clipped: float
    used: float | None

    @property
    def misfed(self) -> bool:
        """Whether the input's range and what it was fed are unlike; a float32 input never tells."""
        return self.clipped > CLIPPED or (self.used is not None and self.used < USED)


@dataclass(frozen=True)
class FileResult:
    """One file on the test set.

    input, output: of the file; ties: examples whose two highest outputs are equal; not_finite:
    examples with nan or infinite outputs, which count as wrong; constant: the one class that it
    answers for every example, else None; operators: how many of each kind; kernels: whose ran.
    """

    path: str
    correct: int
    accuracy: float
    ties: int
    not_finite: int
    constant: int | None
    input: evaluate.Port
    output: evaluate.Port
    feed: Feed
    audit: audit.Audit
    operators: dict[str, int]
    kernels: str


def evaluated(
    path: str, blob: bytes, test: TestSet, scale: float | None, offset: float | None
) -> tuple[FileResult, np.ndarray]:
    """A file's result and its predictions, int (n,); -1 where the outputs are not finite.

    path: its name in messages; scale, offset: it is fed x / scale + offset; None: the data set's
    own scale, no offset. Raises InputError if the file is none or does not fit the images.
    """
    fed, read = _interface(path, blob)
    try:
        audited, operators = audit.audit(blob), audit.operators(blob)
    except ValueError as error:
        raise _no_file(path, error) from None
    x = test.x.reshape(len(test.x), *_fitting(path, fed, test))
    _check_classes(path, read.shape[1], test)
    chosen = scale is not None or offset is not None
    raw = fed.step == 0 and fed.dtype != "float32"  # integers as they are: the pixels
    scale = (1.0 if raw else test.scale) if scale is None else scale
    offset = 0.0 if offset is None else offset
    low, high = (float(end) / scale + offset for end in (test.x.min(), test.x.max()))
    if not max(abs(low), abs(high)) < np.finfo(np.float32).max:
        raise InputError(
            "--input-scale", f"found {scale:g}: x / scale overflows", "allowed: greater numbers"
        )
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
    answered = np.unique(predicted)
    correct = int((predicted == test.y).sum())
    holds = _holds(fed)
    feed = Feed(
        scale=scale,
        offset=offset,
        chosen=chosen,
        low=low,
        high=high,
        holds=holds,
        clipped=evaluator.clipped(x),
        used=None if holds is None else _used(low, high, holds),
    )
    result = FileResult(
        path=path,
        correct=correct,
        accuracy=correct / len(test.y),
        ties=int(evaluate.ties(outputs[finite]).sum()),
        not_finite=int((~finite).sum()),
        constant=int(answered[0]) if len(answered) == 1 and finite.all() else None,
        input=fed,
        output=read,
        feed=feed,
        audit=audited,
        operators=operators,
        kernels=evaluator.kernels(),
    )
    return result, predicted


def _used(low: float, high: float, holds: Interval) -> float:
    spanned = min(max(high, 0.0), holds.high) - max(min(low, 0.0), holds.low)
    return max(spanned, 0.0) / (holds.high - holds.low)


def _interface(path: str, blob: bytes) -> tuple[evaluate.Port, evaluate.Port]:
    """The one input and the one output of an image classifier."""
    try:
        inputs, outputs = evaluate.ports(blob)
    except ValueError as error:
        raise _no_file(path, error) from None
    for kind, ports in (("input", inputs), ("output", outputs)):
        if len(ports) != 1:
            names = ", ".join(ascii(port.name)[1:-1][:80] for port in ports[:10])
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
        if not 0 <= port.step < inf:
            raise InputError(
                path,
                f"an {kind} quantized in steps of {port.step:g}",
                "allowed: a finite step above 0",
            )
    if len(read.shape) != 2:
        raise InputError(
            path,
            f"an output of shape {_shape(read.shape)}",
            "allowed: examples x classes, a score for each class",
        )
    return fed, read


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
    if found == 1:
        raise InputError(path, "gives one score (a sigmoid, or no class at all)", allowed)
    raise InputError(path, f"gives {found} scores", allowed)


def _holds(fed: evaluate.Port) -> Interval | None:
    if fed.step == 0 or fed.dtype == "float32":
        return None
    limits = np.iinfo(fed.dtype)
    return Interval(fed.step * (limits.min - fed.zero), fed.step * (limits.max - fed.zero))


def _shape(shape: Sequence[int]) -> str:
    return " x ".join("any" if n == -1 else str(n) for n in shape) or "a single number"


def _no_file(path: str, error: ValueError) -> InputError:
    return InputError(
        path, f"no whole TFLite file ({_first_line(error)})", "allowed: a TFLite file"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
