"""Training without `fit`: an epoch is one graph over in-memory tensors; snapshots.

The state of a training is plain arrays, so that a trainer is traced once per architecture and
process, and a training can stop in one process and go on in another with the same bits.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bench.pipelines import batch_norm
from bench.pipelines.lean import tf, tf_keras, without_autograph
from bench.pipelines.match import Arrays, Places, quantized
from bench.pipelines.modes import OBSERVER_KEEPS, Mode
from bench.pipelines.observers import Seen, observing, recording
from bench.pipelines.randomness import Randomness, in_inference
from bench.pipelines.refusals import Refused, Uncontrolled, Unmatched, Unsupported
from bench.pipelines.streams import stream
from bench.pipelines.tasks import LOSSES

__all__ = [
    "Refused",
    "State",
    "Trainer",
    "Uncontrolled",
    "Unmatched",
    "Unsupported",
]

PLAIN = Mode()
"""The mode of a training of which nothing is set."""


@dataclass(frozen=True)
class State:
    """Weights and optimizer of a training, as arrays in the trainer's order of variables.

    draws: what its layers have drawn in the epoch so far.
    """

    weights: Arrays
    optimizer: Arrays
    draws: tuple[int, ...] = ()


class Trainer:
    """One traced architecture, float or quantization-aware, whose state is assigned.

    build: (shape, classes) -> a new tf_keras model that ends in logits; scale: the model's
    input is x / scale; optimizer: its name, or one made anew, which keeps its own learning rate;
    float_model: the model of a float trainer of the same architecture, for one that is
    quantization-aware; batch_norm_momentum: as in `batch_norm.set_momentum`; annotate,
    depthwise_per_channel: as in `match.quantized`; weight_decay: decoupled (Loshchilov & Hutter
    2019), times the learning rate, of all weights but vectors; loss: as tasks.Loss.

    Raises a Refused if TFMOT cannot quantize the model or loses a weight, or if a layer draws
    numbers that no seed determines.
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
        weight_decay: float = 0.0,
        loss: Callable[[Any, Any, Any], Any] = LOSSES["classification", "cross_entropy"],
        depthwise_per_channel: bool = False,
    ) -> None:
        def new() -> Any:
            model = build(shape, classes)
            batch_norm.set_momentum(model, batch_norm_momentum)
            return model

        def make() -> tuple[Any, Places | None]:
            return (
                (new(), None)
                if float_model is None
                else quantized(float_model, annotate, depthwise_per_channel)
            )

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
        names = () if float_model is None else Randomness(float_model).names
        self.randomness = Randomness(self.model, names)
        self.optimizer = tf_keras.optimizers.get(optimizer)
        if weight_decay:
            self.optimizer.weight_decay = weight_decay
            plain = [v for v in self.model.trainable_variables if len(v.shape) < 2]
            self.optimizer.exclude_from_weight_decay(var_list=plain)
        self.optimizer.build(self._trainable(float_model))
        self._own_rate = not isinstance(optimizer, str)
        rate = self.optimizer.learning_rate
        self._slots = [v for v in self.optimizer.variables if v is not rate]
        self.start = State(_values(self.model.weights), _values(self._slots))
        self._loss = loss
        self.own_loss = loss not in LOSSES.values()
        """Is it a function of somebody's own?"""
        self._step = traced(self.step)
        self._epochs: dict[Mode, Any] = {}
        self._checked: dict[Mode, Any] = {}
        self._seeds_decide = False
        self.pretrained = False
        """Has every seed the same weights to begin with? Known after `initial`."""
        self._logits = tf.function(traced(lambda x: self.model(self.inputs(x), training=False)))
        self._observe = tf.function(traced(self._observe_graph))
        self._reestimation = batch_norm.Reestimation(self.model, self._undisturbed, traced)
        self._observed: list[Seen] = []
        example = tf.TensorSpec((None, *self.model.input_shape[1:]), tf.float32)

        def forward(training: bool) -> Any:
            graph = tf.function(traced(lambda x: self.model(x, training=training)))
            return graph.get_concrete_function(example).graph

        self.randomness.check(forward)

    @property
    def batch_norm_momentum(self) -> float | None:
        """The largest over its BatchNormalization layers; None without any."""
        return max(
            (float(layer.momentum) for layer in batch_norm.layers_of(self.model)), default=None
        )

    def _trainable(self, float_model: Any) -> list[Any]:
        """The trainable variables, of a quantized model in the order of the float model's, so that
        an optimizer's variables are in one order in both."""
        own = self.model.trainable_variables
        if self._places is None:
            return list(own)
        places = {id(v): at for v, at in zip(float_model.weights, self._places.index, strict=True)}
        weights = self.model.weights
        ordered = [weights[places[id(v)]] for v in float_model.trainable_variables]
        return ordered if {*map(id, ordered)} == {*map(id, own)} else list(own)

    @property
    def state(self) -> State:
        return State(_values(self.model.weights), _values(self._slots), self.randomness.draws)

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

    def forked(self, weights: Arrays, optimizer: Arrays | None = None) -> State:
        """The state in which a training behind a checkpoint starts: these float weights, each in
        its place, with ranges as initialized.

        weights, optimizer: a float trainer's `State`'s; optimizer: of one of this kind, whose
        averages go with their weights; None: as initialized.
        """
        if self._places is not None:
            weights = self._places.into(self.start.weights, weights)
        if optimizer is None:
            return State(weights, self.start.optimizer)
        if len(optimizer) != len(self.start.optimizer):
            raise Unmatched("the optimizer of float training has other averages than this one")
        pairs = zip(optimizer, self.start.optimizer, strict=True)
        return State(weights, tuple(np.reshape(theirs, own.shape) for theirs, own in pairs))

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
        """Train one epoch per order. Returns the last epoch's mean loss.

        x: uint8 or float32 (n, height, width, channels); y: int32 or float32 (n,); orders: int32
        (n,) each; noise: a stream for each epoch, for what its layers draw; may be left out where
        none does. The last step of an epoch has the n % batch examples that are left, as in `fit`.
        """
        rate = np.array([learning_rate], np.float32)
        loss = 0.0
        for order, drawn in zip(orders, noise or [None] * len(orders), strict=True):
            self.randomness.begin(drawn)
            loss = self.steps(x, y, order, batch, rate)
        return loss

    def steps(
        self,
        x: Any,
        y: Any,
        order: np.ndarray,
        batch: int,
        rates: np.ndarray,
        first: int = 0,
        last: int | None = None,
        mode: Mode = PLAIN,
    ) -> float:
        """Take the steps [first, last) of an epoch, to its end if last is None, in a mode. Returns
        their mean loss, a share of the epoch's.

        x, y, batch: as in `run`; order: int32 (n,); rates: float32, the learning rate, or if the
        mode is scheduled that of each step. Randomness has begun.
        """
        if not self._own_rate:
            self.optimizer.learning_rate.assign(rates[0])
        end = len(order) if last is None else min(last * batch, len(order))
        every = tf.constant(rates if mode.scheduled else rates[:1])
        return float(
            self._epoch_of(mode, x, y, tf.constant(order), first * batch, end, batch, every)
        )

    def trace(self, x: Any, y: Any) -> None:
        """Make the graph of an epoch over all of these, and take no step. x, y: as in `run`."""
        self._epoch_of(PLAIN, x, y, tf.zeros(len(y), tf.int32), 0, 0, 1, tf.zeros(1))

    def _epoch_of(
        self, mode: Mode, x: Any, y: Any, order: Any, begin: int, end: int, batch: int, rates: Any
    ) -> Any:
        """Run a mode's graph of an epoch, which is checked before it runs for the first time."""
        if mode not in self._epochs:
            if mode.scheduled and self._own_rate:
                raise Unsupported("optimizer() has a learning rate of its own: no schedule is set")
            self._epochs[mode] = tf.function(partial(self._epoch_graph, mode))
        arguments = (x, y, order, *map(tf.constant, (begin, end, batch)), rates)
        graph = self._epochs[mode].get_concrete_function(*arguments).graph
        if graph is not self._checked.get(mode):
            optimizer = (*self.optimizer.variables, self.optimizer.learning_rate)
            self.randomness.check_graph(graph, optimizer)
            self._checked[mode] = graph
        return self._epochs[mode](*arguments)

    @contextmanager
    def _in(self, mode: Mode) -> Iterator[None]:
        """What is traced meanwhile trains in this mode."""
        with ExitStack() as stack:
            if mode.batch_norm_frozen:
                stack.enter_context(in_inference(batch_norm.layers_of(self.model)))
            if not mode.augmentation:
                stack.enter_context(self.randomness.off("augmentation"))
            if not mode.dropout:
                stack.enter_context(self.randomness.off("dropout"))
            if (mode.ranges_frozen, mode.activations, mode.decay) != (False, True, OBSERVER_KEEPS):
                observers = observing(mode.ranges_frozen, mode.activations, mode.decay)
                stack.enter_context(observers)
            yield

    def _epoch_graph(
        self, mode: Mode, x: Any, y: Any, order: Any, begin: Any, end: Any, batch: Any, rates: Any
    ) -> Any:
        with self._in(mode):
            return self._loop(mode.scheduled, x, y, order, begin, end, batch, rates)

    def _loop(
        self,
        scheduled: bool,
        x: Any,
        y: Any,
        order: Any,
        begin: Any,
        end: Any,
        batch: Any,
        rates: Any,
    ) -> Any:
        total = tf.constant(0.0)
        for first in tf.range(begin, end, batch):
            if scheduled:
                self.optimizer.learning_rate.assign(rates[(first - begin) // batch])
            chosen = order[first : first + batch]
            total += self._step(tf.gather(x, chosen), tf.gather(y, chosen)) * tf.cast(
                tf.size(chosen), tf.float32
            )
        return total / tf.cast(tf.size(order), tf.float32)

    def step(self, x: Any, y: Any) -> Any:
        """One optimizer step on a batch. Returns its mean loss."""
        with self.randomness.controlled(), tf.GradientTape() as tape:
            inputs = self.inputs(x)
            loss = self._loss(y, inputs, self.model(inputs, training=True))
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
        """Keras's own outputs, float32 (n, ...). x: uint8 or float32, as in `run`."""
        return self._logits(x).numpy()

    def reestimate(self, x: np.ndarray, batch: int) -> None:
        """Set batch norm's statistics to the mean over all batches of x: Reestimation.apply."""
        self._reestimation.apply(x, batch)

    def _undisturbed(self, x: Any) -> Any:
        """The model in training mode, but that nothing draws and no range moves."""
        with observing(True, True, OBSERVER_KEEPS, inputs=True), self.randomness.off():
            return self.model(self.inputs(x), training=True)

    def calibrate(self, x: np.ndarray, batch: int, training: bool = True) -> None:
        """Set every observer's range to what its tensor takes on x in the unquantized model.

        x: uint8 or float32 (n, height, width, channels), in batches of which a smaller last one is
        left out; one of all if n < batch. As in training, so with batch statistics, but layers that
        draw do nothing; training=False: as in inference, with the moving ones.

        Ranges reach from the smallest minimum to the largest maximum, and to zero,
        as TFLite needs. Weights and batch norm's averages stay as they are.
        """
        if self._places is None:
            raise ValueError("a float model has no ranges to calibrate")
        own = [self.model.weights[place] for place in self._places.index]
        before = _values(own)
        size = min(batch, len(x))
        extremes = []
        for first in range(0, len(x) - size + 1, size):
            seen = self._observe(tf.constant(x[first : first + size]), training)
            extremes.append([tensor.numpy() for tensor in seen])
            _assign(own, before)
        lows, highs = np.array(extremes).reshape(len(extremes), -1, 2).transpose(2, 1, 0)
        for of, low, high in zip(self._observed, lows, highs, strict=True):
            of.low.assign(min(0.0, low.min()))
            of.high.assign(max(0.0, high.max()))

    def _observe_graph(self, x: Any, training: bool) -> Any:
        with recording() as seen, self.randomness.off():
            self.model(self.inputs(x), training=training)
        self._observed = [Seen(of.low, of.high) for of in seen]
        return [
            extreme
            for of in seen
            for extreme in (tf.reduce_min(of.minima), tf.reduce_max(of.maxima))
        ]


def _values(variables: Sequence[Any]) -> Arrays:
    return tuple(v.numpy() for v in variables)


def _assign(variables: Sequence[Any], values: Arrays) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
