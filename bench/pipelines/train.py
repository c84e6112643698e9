"""Training without `fit`: an epoch is one graph over in-memory tensors; snapshots; seed streams.

The state of a training is plain arrays, so that a trainer is traced once per architecture and
process, and a training can stop in one process and go on in another with the same bits.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bench.pipelines.lean import tf, tf_keras, tfmot, without_autograph

quantizers = tfmot.quantization.keras.quantizers

STREAMS = ("initialization", "order", "calibration", "augmentation")

Arrays = tuple[np.ndarray, ...]


def stream(name: str, seed: int, pin: Mapping[str, int], *key: int) -> np.random.SeedSequence:
    """The stream `name` of a replicate: the child that SeedSequence(seed).spawn gives it.

    pin: streams whose seed is another's, for studies of one source of variance; key: children
    of the stream, such as an epoch.
    """
    return np.random.SeedSequence(pin.get(name, seed), spawn_key=(STREAMS.index(name), *key))


def data_order(n: int, epoch: int, seed: int, pin: Mapping[str, int]) -> np.ndarray:
    """int32 (n,): the order of the training examples in an epoch, counted from 0 at budget 0.

    Control and QAT go on counting from their checkpoint, so that they see the same order.
    """
    rng = np.random.default_rng(stream("order", seed, pin, epoch))
    return rng.permutation(n).astype(np.int32)


def calibration_draw(n: int, draw: int, seed: int, pin: Mapping[str, int]) -> np.ndarray:
    """int64 (draw,): the training examples that PTQ and qat-cal calibrate on, without repeats."""
    rng = np.random.default_rng(stream("calibration", seed, pin))
    return rng.permutation(n)[:draw]


@dataclass(frozen=True)
class State:
    """Weights and optimizer of a training, as arrays in the trainer's order of variables."""

    weights: Arrays
    optimizer: Arrays


class Unsupported(Exception):
    """TFMOT cannot quantize this architecture."""


class Trainer:
    """One traced architecture, float or quantization-aware, whose state is assigned.

    build: (shape, classes) -> a new tf_keras model that ends in logits; scale: the model's
    input is x / scale. Raises Unsupported if `quantize` and TFMOT refuses the model.
    """

    def __init__(
        self,
        build: Callable[[tuple[int, ...], int], Any],
        shape: tuple[int, ...],
        classes: int,
        optimizer: str,
        scale: float,
        float_model: Any = None,
    ) -> None:
        self._build = lambda: build(shape, classes)
        self.scale = scale
        make = self._build if float_model is None else partial(_quantized, float_model)
        self.model, traced = without_autograph(lambda wrap: (wrap(make)(), wrap))
        self.optimizer = tf_keras.optimizers.get(optimizer)
        self.optimizer.build(self.model.trainable_variables)
        rate = self.optimizer.learning_rate
        self._slots = [v for v in self.optimizer.variables if v is not rate]
        self.start = State(_values(self.model.weights), _values(self._slots))
        self._loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._step = traced(self.step)
        self._epoch = tf.function(self._epoch_graph)
        self._logits = tf.function(traced(lambda x: self.model(self.inputs(x), training=False)))
        self._observe = tf.function(traced(self._observe_graph))

    @property
    def state(self) -> State:
        return State(_values(self.model.weights), _values(self._slots))

    def load(self, state: State) -> None:
        _assign(self.model.weights, state.weights)
        _assign(self._slots, state.optimizer)

    def initial(self, seed: int, pin: Mapping[str, int]) -> State:
        """What the initializers draw for this replicate, whatever this process built before."""
        word = int(stream("initialization", seed, pin).generate_state(1)[0])
        tf_keras.utils.set_random_seed(word)
        return State(tuple(self._build().get_weights()), self.start.optimizer)

    def forked(self, weights: Mapping[str, np.ndarray]) -> State:
        """These float weights by variable name, with the ranges and the optimizer as at birth."""
        own = zip(self.model.weights, self.start.weights, strict=True)
        mixed = tuple(weights.get(v.name, at_birth) for v, at_birth in own)
        return State(mixed, self.start.optimizer)

    def named_weights(self, state: State) -> dict[str, np.ndarray]:
        return {v.name: a for v, a in zip(self.model.weights, state.weights, strict=True)}

    def run(
        self, x: Any, y: Any, orders: Sequence[np.ndarray], batch: int, learning_rate: float
    ) -> float:
        """Train one epoch per order. Returns the last epoch's mean loss in nats.

        x: uint8 or float32 (n, height, width, channels); y: int32 (n,); orders: int32 (n,) each.
        The last step of an epoch has the n % batch examples that are left, as in `fit`.
        """
        self.optimizer.learning_rate.assign(learning_rate)
        loss = tf.constant(0.0)
        for order in orders:
            loss = self._epoch(
                x, y, tf.constant(order), tf.constant(len(order)), tf.constant(batch)
            )
        return float(loss)

    def trace(self, x: Any, y: Any) -> None:
        """Make the graph of an epoch over all of these, and take no step. x, y: as in `run`."""
        self._epoch(x, y, tf.zeros(len(y), tf.int32), tf.constant(0), tf.constant(1))

    def _epoch_graph(self, x: Any, y: Any, order: Any, end: Any, batch: Any) -> Any:
        total = tf.constant(0.0)
        for first in tf.range(0, end, batch):
            chosen = order[first : first + batch]
            total += self._step(tf.gather(x, chosen), tf.gather(y, chosen)) * tf.cast(
                tf.size(chosen), tf.float32
            )
        return total / tf.cast(tf.size(order), tf.float32)

    def step(self, x: Any, y: Any) -> Any:
        """One optimizer step on a batch. Returns its mean loss."""
        with tf.GradientTape() as tape:
            logits = self.model(self.inputs(x), training=True)
            loss = self._loss(y, logits)
            if self.model.losses:
                loss += tf.add_n(self.model.losses)
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    def inputs(self, x: Any) -> Any:
        return tf.cast(x, tf.float32) / self.scale

    def logits(self, x: Any) -> np.ndarray:
        """Keras's own logits, float32 (n, classes). x: uint8 or float32, as in `run`."""
        return self._logits(x).numpy()

    def calibrate(self, x: Any) -> None:
        """Set every observer's range to what its tensor takes on x in the unquantized model.

        x: uint8 or float32 (n, height, width, channels). Zero is always inside, as TFLite needs.
        """
        ranges = self._observe(x)
        for (low, high), (minimum, maximum) in zip(self._observed, ranges, strict=True):
            low.assign(minimum)
            high.assign(maximum)

    def _observe_graph(self, x: Any) -> Any:
        with _observers_recording() as seen:
            self.model(self.inputs(x), training=False)
        self._observed = [(v["min_var"], v["max_var"]) for v, _ in seen]
        return [
            (tf.minimum(tf.reduce_min(t), 0.0), tf.maximum(tf.reduce_max(t), 0.0)) for _, t in seen
        ]


def _quantized(float_model: Any) -> Any:
    try:
        return tfmot.quantization.keras.quantize_model(float_model)
    except (ValueError, RuntimeError) as error:
        raise Unsupported(str(error)) from error


@contextmanager
def _observers_recording() -> Iterator[list[tuple[dict[str, Any], Any]]]:
    """While a quantized model is traced: tensors pass unquantized, activations are noted, and
    the weights' ranges are set.

    TFMOT has no hook for this: an observer's variables move only while training.
    """
    activations = (quantizers.MovingAverageQuantizer, quantizers.AllValuesQuantizer)
    kinds = (*activations, quantizers.LastValueQuantizer)
    calls = [kind.__call__ for kind in kinds]
    set_weight_range = quantizers.LastValueQuantizer.__call__
    seen: list[tuple[dict[str, Any], Any]] = []

    def record(self: Any, inputs: Any, training: Any, weights: Any, **_: Any) -> Any:
        if isinstance(self, activations):
            seen.append((weights, inputs))
        else:
            set_weight_range(self, inputs, True, weights)
        return inputs

    for kind in kinds:
        kind.__call__ = record
    try:
        yield seen
    finally:
        for kind, call in zip(kinds, calls, strict=True):
            kind.__call__ = call


def _values(variables: Sequence[Any]) -> Arrays:
    return tuple(v.numpy() for v in variables)


def _assign(variables: Sequence[Any], values: Arrays) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
