"""TFMOT's quantizers switched off while a quantized model runs, and what its observers would see.

TFMOT has no hook for either: a quantizer's range moves only while training, and its fake
quantization cannot be switched off.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.pipelines.lean import quant_ops, tf, tfmot

quantizers = tfmot.quantization.keras.quantizers

ACTIVATIONS = (quantizers.MovingAverageQuantizer, quantizers.AllValuesQuantizer)
WEIGHTS = quantizers.LastValueQuantizer


@dataclass
class Seen:
    """The extremes of the tensors that an observer takes; low and high: its range's variables."""

    low: Any
    high: Any
    minima: list[Any] = field(default_factory=list)
    maxima: list[Any] = field(default_factory=list)


@contextmanager
def unquantized(
    note: Callable[[Any, Any, Any, Callable[..., Any]], None] | None = None,
) -> Iterator[None]:
    """While this is entered, quantizers return what they are given.

    note(quantizer, tensor, its variables, its own method) is called for each of them.
    """
    kinds = [k for k in _with_subclasses(quantizers.Quantizer) if "__call__" in vars(k)]
    methods = [kind.__call__ for kind in kinds]

    def passing(own: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, inputs: Any, training: Any, weights: Any, **_: Any) -> Any:
            if note is not None:
                note(self, inputs, weights, own)
            # Not the variable itself: Keras would count it as a weight of the layer once more.
            return tf.convert_to_tensor(inputs)

        return call

    for kind, own in zip(kinds, methods, strict=True):
        kind.__call__ = passing(own)
    try:
        yield
    finally:
        for kind, own in zip(kinds, methods, strict=True):
            kind.__call__ = own


@contextmanager
def observing(frozen: bool, quantize: bool, decay: float, inputs: bool = False) -> Iterator[None]:
    """While this is entered, what observers of activations do in training is: leave their ranges
    (frozen), or move them with this decay; and quantize, or only observe.

    inputs: is the range of the model's input, which holds all that it has seen, frozen too?
    """
    kinds = [k for k in ACTIVATIONS if "__call__" in vars(k)]
    methods = [kind.__call__ for kind in kinds]

    def moving(own: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, x: Any, training: Any, weights: Any, **more: Any) -> Any:
            averaging = isinstance(self, quantizers.MovingAverageQuantizer)
            if frozen and (averaging or inputs):
                made = own(self, x, False, weights, **more)
            elif averaging:
                made = quant_ops.MovingAvgQuantize(
                    x,
                    weights["min_var"],
                    weights["max_var"],
                    ema_decay=decay,
                    is_training=training,
                    num_bits=self.num_bits,
                    per_channel=self.per_axis,
                    symmetric=self.symmetric,
                    narrow_range=self.narrow_range,
                )
            else:
                made = own(self, x, training, weights, **more)
            return made if quantize else tf.convert_to_tensor(x)

        return call

    for kind, own in zip(kinds, methods, strict=True):
        kind.__call__ = moving(own)
    try:
        yield
    finally:
        for kind, own in zip(kinds, methods, strict=True):
            kind.__call__ = own


@contextmanager
def recording() -> Iterator[list[Seen]]:
    """`unquantized`, the extremes of each activation noted, and the weights' ranges set.

    A layer that is called twice has one entry with two extremes.
    """
    seen: dict[int, Seen] = {}

    def note(self: Any, inputs: Any, weights: Any, own: Callable[..., Any]) -> None:
        if isinstance(self, ACTIVATIONS):
            low, high = weights["min_var"], weights["max_var"]
            of = seen.setdefault(id(low), Seen(low, high))
            of.minima.append(tf.reduce_min(inputs))
            of.maxima.append(tf.reduce_max(inputs))
        elif isinstance(self, WEIGHTS):
            own(self, inputs, True, weights)

    ranges: list[Seen] = []
    with unquantized(note):
        yield ranges
        ranges.extend(seen.values())


def _with_subclasses(kind: Any) -> list[Any]:
    return [kind, *(below for sub in kind.__subclasses__() for below in _with_subclasses(sub))]
