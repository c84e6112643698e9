"""Training without `fit`: an epoch is one graph over in-memory tensors; snapshots.

The state of a training is plain arrays, so that a trainer is traced once per architecture and
process, and a training can stop in one process and go on in another with the same bits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.pipelines.lean import tf, tf_keras, without_autograph
from bench.pipelines.match import Arrays, Places, quantized
from bench.pipelines.observers import Seen, recording
from bench.pipelines.randomness import Randomness
from bench.pipelines.refusals import Refused, Uncontrolled, Unmatched, Unsupported
from bench.pipelines.streams import stream

__all__ = [
    "Refused",
    "State",
    "Trainer",
    "Uncontrolled",
    "Unmatched",
    "Unsupported",
    "set_batch_norm_momentum",
]

BatchNorm = tf_keras.src.layers.normalization.batch_normalization.BatchNormalizationBase


@dataclass(frozen=True)
class State:
    """Weights and optimizer of a training, as arrays in the trainer's order of variables."""

    weights: Arrays
    optimizer: Arrays


class Trainer:
    """One traced architecture, float or quantization-aware, whose state is assigned.

    build: (shape, classes) -> a new tf_keras model that ends in logits; scale: the model's
    input is x / scale; optimizer: its name, or one made anew, which keeps its own learning rate;
    float_model: the model of a float trainer of the same architecture, for one that is
    quantization-aware; batch_norm_momentum: as in `set_batch_norm_momentum`; annotate: as in
    `match.quantized`. Raises a Refused if TFMOT cannot quantize the model or loses a weight, or if
    a layer draws numbers that no seed determines.
    """

    def __init__(
        self,
        build: Callable[[tuple[int, ...], int], Any],
        shape: tuple[int, ...],
        classes: int,
        optimizer: Any,
        scale: float,
        float_model: Any = None,
        batch_norm_momentum: float | None = None,
        annotate: Callable[..., Any] | None = None,
    ) -> None:
        def new() -> Any:
            model = build(shape, classes)
            set_batch_norm_momentum(model, batch_norm_momentum)
            return model

        def make() -> tuple[Any, Places | None]:
            return (new(), None) if float_model is None else quantized(float_model, annotate)

        self._build = new
        self.scale = scale
        # Constants that a layer of somebody's own draws when it is built are the same everywhere.
        tf_keras.utils.set_random_seed(0)
        # Names, which stand in the files, are the same whatever this process has built before;
        # those of the layers that TFMOT makes come after the float model's.
        tf_keras.backend.reset_uids()
        if float_model is not None:
            new()
        (self.model, self._places), traced = without_autograph(lambda wrap: (wrap(make)(), wrap))
        self.batch_norm_layers = set_batch_norm_momentum(self.model, None)
        names = () if float_model is None else Randomness(float_model).names
        self.randomness = Randomness(self.model, names)
        self.optimizer = tf_keras.optimizers.get(optimizer)
        self.optimizer.build(self.model.trainable_variables)
        self._own_rate = not isinstance(optimizer, str)
        rate = self.optimizer.learning_rate
        self._slots = [v for v in self.optimizer.variables if v is not rate]
        self.start = State(_values(self.model.weights), _values(self._slots))
        self._loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._step = traced(self.step)
        self._epoch = tf.function(self._epoch_graph)
        self._checked: Any = None
        self._seeds_decide = False
        self.pretrained = False
        """Has every seed the same weights to begin with? Known after `initial`."""
        self._logits = tf.function(traced(lambda x: self.model(self.inputs(x), training=False)))
        self._observe = tf.function(traced(self._observe_graph))
        self._observed: list[Seen] = []
        example = tf.TensorSpec((None, *self.model.input_shape[1:]), tf.float32)

        def forward(training: bool) -> Any:
            graph = tf.function(traced(lambda x: self.model(x, training=training)))
            return graph.get_concrete_function(example).graph

        self.randomness.check(forward)

    @property
    def batch_norm_momentum(self) -> float | None:
        """The largest over its BatchNormalization layers; None without any."""
        layers = [x for x in self.model._flatten_layers() if isinstance(x, BatchNorm)]
        return max((float(layer.momentum) for layer in layers), default=None)

    @property
    def state(self) -> State:
        return State(_values(self.model.weights), _values(self._slots))

    def load(self, state: State) -> None:
        _assign(self.model.weights, state.weights)
        _assign(self._slots, state.optimizer)

    def initial(self, seed: int, pin: Mapping[str, int]) -> State:
        """What the initializers draw for this replicate, whatever this process built before.

        Raises Uncontrolled if they draw something else for the same seed; the first call looks.
        """
        word = int(stream("initialization", seed, pin).generate_state(1)[0])

        def drawn(word: int = word) -> Arrays:
            tf_keras.utils.set_random_seed(word)
            return tuple(self._build().get_weights())

        weights = drawn()
        if not self._seeds_decide:
            for variable, one, other in zip(self.model.weights, weights, drawn(), strict=True):
                if one.tobytes() != other.tobytes():
                    raise Uncontrolled(
                        f"weight {variable.name} starts from numbers that no seed determines"
                    )
            other = int(stream("initialization", seed + 1, {}).generate_state(1)[0])
            self.pretrained = all(map(np.array_equal, weights, drawn(other)))
            self._seeds_decide = True
        return State(weights, self.start.optimizer)

    def forked(self, weights: Arrays) -> State:
        """The state in which a training behind a checkpoint starts: these float weights, each in
        its place, with ranges and optimizer as initialized.

        weights: a float trainer's `State.weights`.
        """
        if self._places is not None:
            weights = self._places.into(self.start.weights, weights)
        return State(weights, self.start.optimizer)

    def float_weights(self, state: State) -> Arrays:
        """A state's weights, batch norm's averages included, as a float trainer has them: the
        inverse of `forked`. Ranges are left behind."""
        return state.weights if self._places is None else self._places.out_of(state.weights)

    def run(
        self,
        x: Any,
        y: Any,
        orders: Sequence[np.ndarray],
        batch: int,
        learning_rate: float,
        noise: Sequence[np.random.SeedSequence] = (),
    ) -> float:
        """Train one epoch per order. Returns the last epoch's mean loss in nats.

        x: uint8 or float32 (n, height, width, channels); y: int32 (n,); orders: int32 (n,) each;
        noise: a stream for each epoch, for what its layers draw; may be left out where none does.
        The last step of an epoch has the n % batch examples that are left, as in `fit`.
        """
        if not self._own_rate:
            self.optimizer.learning_rate.assign(learning_rate)
        loss = tf.constant(0.0)
        for order, drawn in zip(orders, noise or [None] * len(orders), strict=True):
            self.randomness.begin(drawn)
            loss = self._epoch_of(x, y, tf.constant(order), len(order), batch)
        return float(loss)

    def trace(self, x: Any, y: Any) -> None:
        """Make the graph of an epoch over all of these, and take no step. x, y: as in `run`."""
        self._epoch_of(x, y, tf.zeros(len(y), tf.int32), 0, 1)

    def _epoch_of(self, x: Any, y: Any, order: Any, end: int, batch: int) -> Any:
        """Run the epoch's graph, which is checked before it runs for the first time."""
        arguments = (x, y, order, tf.constant(end), tf.constant(batch))
        graph = self._epoch.get_concrete_function(*arguments).graph
        if graph is not self._checked:
            optimizer = (*self.optimizer.variables, self.optimizer.learning_rate)
            self.randomness.check_graph(graph, optimizer)
            self._checked = graph
        return self._epoch(*arguments)

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
        with self.randomness.controlled(), tf.GradientTape() as tape:
            logits = self.model(self.inputs(x), training=True)
            loss = self._loss(y, logits)
            if self.model.losses:
                loss += tf.add_n(self.model.losses)
        variables = self.model.trainable_variables
        gradients = zip(tape.gradient(loss, variables), variables, strict=True)
        # There is one replica; to sum over it registers the graph in TensorFlow for ever.
        self.optimizer.apply_gradients(gradients, skip_gradients_aggregation=True)
        return loss

    def inputs(self, x: Any) -> Any:
        return tf.cast(x, tf.float32) / self.scale

    def logits(self, x: Any) -> np.ndarray:
        """Keras's own logits, float32 (n, classes). x: uint8 or float32, as in `run`."""
        return self._logits(x).numpy()

    def calibrate(self, x: np.ndarray, batch: int) -> None:
        """Set every observer's range to what its tensor takes on x in the unquantized model.

        x: uint8 or float32 (n, height, width, channels), in batches of which a smaller last one is
        left out; one of all if n < batch. As in training, so with batch statistics, but layers that
        draw do nothing. Ranges reach from the smallest minimum to the largest maximum, and to zero,
        as TFLite needs. Weights and batch norm's averages stay as they are.
        """
        if self._places is None:
            raise ValueError("a float model has no ranges to calibrate")
        own = [self.model.weights[place] for place in self._places.index]
        before = _values(own)
        size = min(batch, len(x))
        extremes = []
        for first in range(0, len(x) - size + 1, size):
            seen = self._observe(tf.constant(x[first : first + size]))
            extremes.append([tensor.numpy() for tensor in seen])
            _assign(own, before)
        lows, highs = np.array(extremes).reshape(len(extremes), -1, 2).transpose(2, 1, 0)
        for of, low, high in zip(self._observed, lows, highs, strict=True):
            of.low.assign(min(0.0, low.min()))
            of.high.assign(max(0.0, high.max()))

    def _observe_graph(self, x: Any) -> Any:
        with recording() as seen, self.randomness.off():
            self.model(self.inputs(x), training=True)
        self._observed = [Seen(of.low, of.high) for of in seen]
        return [
            extreme
            for of in seen
            for extreme in (tf.reduce_min(of.minima), tf.reduce_max(of.maxima))
        ]


def set_batch_norm_momentum(model: Any, momentum: float | None) -> int:
    """Set it on every BatchNormalization layer; None leaves what the model says.

    momentum: what a step leaves of the moving averages, 0 to 1; nested layers and subclasses
    count too. Call before quantize_model. Returns how many such layers there are.
    """
    layers = [x for x in model._flatten_layers() if isinstance(x, BatchNorm)]
    if momentum is not None:
        for layer in layers:
            layer.momentum = momentum
    return len(layers)


def _values(variables: Sequence[Any]) -> Arrays:
    return tuple(v.numpy() for v in variables)


def _assign(variables: Sequence[Any], values: Arrays) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
