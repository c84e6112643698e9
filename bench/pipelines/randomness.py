"""Control over what layers draw while a model trains: dropout, noise, random augmentation.

Keras's layers draw through a generator object of their own. While a graph is traced (or a model
runs eagerly) each of these is made to use stateless operations, whose seed is a key of the epoch
and the layer, and a count of the layer's draws in the epoch. So masks depend on seed, epoch, step
and layer, and on nothing else: not on what the process did before, and not on the arm. What else
draws, or keeps a state of its own, is found in the graphs and refused by its layer's name.
"""

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np

from bench.pipelines.lean import tf, tf_keras
from bench.pipelines.refusals import Uncontrolled

RandomGenerator = tf_keras.src.backend.RandomGenerator
TFOpLambda = tf_keras.src.layers.core.tf_op_layer.TFOpLambda

PYTHON_OPERATIONS = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
STATEFUL = (
    "StatefulRandom",
    "StatefulStandard",
    "StatefulUniform",
    "StatefulTruncated",
    "Rng",
    "NonDeterministicInts",
)

Name = tuple[str, str]  # of a layer, and of its attribute


class Randomness:
    """The generators of a model's layers, nested ones too, under control.

    numbered: the names of another model's generators, whose numbers those of equal name share:
    quantize_model leaves the names of layers with randomness as they are.
    """

    def __init__(self, model: Any, numbered: Sequence[Name] = ()) -> None:
        self._model = model
        found: dict[int, tuple[Name, Any, Any]] = {}
        for layer in _layers(model):
            for attribute, value in vars(layer).items():
                if isinstance(value, RandomGenerator):
                    found.setdefault(id(value), ((layer.name, attribute), layer, value))
        self._layers = list({id(layer): layer for _, layer, _ in found.values()}.values())
        self._augmenting = {id(made) for _, layer, made in found.values() if _augments(layer)}
        self.names: list[Name] = list(numbered)
        free = list(enumerate(numbered))
        self._sources: list[tuple[int, Any, Any]] = []
        for name, _, generator in found.values():
            place = next((pair for pair in free if pair[1] == name), None)
            if place is None:
                place = (len(self.names), name)
                self.names.append(name)
            else:
                free.remove(place)
            # Two words of the key, and the draws so far.
            state = tf.Variable(tf.zeros(3, tf.int32), trainable=False, name="/".join(name))
            self._sources.append((place[0], generator, state))

    def __bool__(self) -> bool:
        """Does any layer have a generator?"""
        return bool(self._sources)

    def begin(
        self,
        stream: np.random.SeedSequence | None,
        augmenting: np.random.SeedSequence | None = None,
        draws: Sequence[int] = (),
    ) -> None:
        """Start an epoch: every layer draws from a child of `stream`, from its beginning.

        augmenting: the stream of layers that augment, `stream` where it is None; draws: how many
        each has drawn before, to go on in the middle of an epoch. Raises ValueError if stream is
        None and there is a layer that draws.
        """
        before = draws or [0] * len(self._sources)
        for (number, generator, state), drawn in zip(self._sources, before, strict=True):
            of = augmenting if augmenting and id(generator) in self._augmenting else stream
            if of is None:
                raise ValueError(f"{self.names[number][0]} draws: give a stream for each epoch")
            key = (*of.spawn_key, number)
            words = np.random.SeedSequence(of.entropy, spawn_key=key).generate_state(2)
            state.assign([*words.view(np.int32), drawn])

    @property
    def draws(self) -> tuple[int, ...]:
        """How many numbers each layer has drawn since the epoch's beginning."""
        return tuple(int(state.numpy()[2]) for _, _, state in self._sources)

    @contextmanager
    def controlled(self) -> Iterator[None]:
        """While this is entered, what the layers draw is decided by `begin` alone."""
        with ExitStack() as stack:
            for _, generator, state in self._sources:
                attributes = {
                    "_rng_type": RandomGenerator.RNG_STATELESS,
                    "_built": True,
                    "make_seed_for_stateless_op": partial(_next_seed, state),
                }
                stack.enter_context(_replaced(generator, attributes))
            yield

    @contextmanager
    def off(self, kind: str | None = None) -> Iterator[None]:
        """While this is entered, layers with a generator do what they do in inference.

        kind: only those that augment ("augmentation"), or only the others ("dropout").
        """
        wanted = {None: (True, False), "augmentation": (True,), "dropout": (False,)}[kind]
        chosen = [layer for layer in self._layers if _augments(layer) in wanted]
        with in_inference(chosen):
            yield

    def check(self, trace: Callable[[bool], Any]) -> None:
        """Raise Uncontrolled if a forward pass depends on anything that no seed determines.

        trace(training): a new graph of the forward pass. Nothing is traced where all layers are
        Keras's own and none of them draws.
        """
        if not self and all(_draws_by_generator_alone(layer) for layer in _layers(self._model)):
            return
        with self.controlled():
            first, second = trace(True), trace(True)
        self.check_graph(first)
        # Without control: what draws here draws in the converted file.
        self.check_graph(trace(False), when="in inference")
        # Values that Python code drew while it was traced are constants, and other ones each time.
        one, other = _operations(first), _operations(second)
        for key in one.keys() | other.keys():
            if len(one[key]) != len(other[key]):
                where = self._layer_of((one[key] or other[key])[0])
                raise Uncontrolled(f"{where} computes with other numbers each time it is traced")

    def check_graph(
        self, graph: Any, variables: Sequence[Any] = (), when: str = "in training"
    ) -> None:
        """Raise Uncontrolled if this graph draws, runs Python, or keeps a state of its own.

        variables: those that it may use beside the model's own; when: for the message.
        """
        for node in _nodes(graph):
            if _is_uncontrolled(node):
                what = "runs Python code" if node.op in PYTHON_OPERATIONS else "has random numbers"
                raise Uncontrolled(
                    f"{self._layer_of(node.name)} {what} {when} ({node.op}) "
                    "that no seed of the study determines"
                )
        metrics = [v for metric in self._model.metrics for v in metric.variables]
        states = [state for _, _, state in self._sources]
        known = {id(v) for v in (*self._model.variables, *metrics, *states, *variables)}
        for variable in graph.variables:
            if id(variable) not in known:
                raise Uncontrolled(
                    f"variable {variable.name} is no weight of a layer: what one training leaves "
                    "in it the next would find"
                )

    def _layer_of(self, node: str) -> str:
        layers = {layer.name: layer for layer in _layers(self._model)}
        for part in reversed(node.split("/")):
            layer = layers.get(part) or layers.get(re.sub(r"_\d+$", "", part))
            if layer is not None:
                inner = getattr(layer, "layer", layer)  # what a wrapper wraps
                return f"layer {inner.name} ({type(inner).__name__})"
        return f"operation {node}"


@contextmanager
def in_inference(layers: Sequence[Any]) -> Iterator[None]:
    """While this is entered, these layers do what they do in inference."""
    with ExitStack() as stack:
        for layer in layers:
            stack.enter_context(_replaced(layer, {"call": _in_inference(layer.call)}))
        yield


def _augments(layer: Any) -> bool:
    """Is it one of Keras's layers of random augmentation?"""
    return type(layer).__module__.startswith("tf_keras.src.layers.preprocessing")


def _layers(model: Any) -> list[Any]:
    return list(model._flatten_layers())


def _draws_by_generator_alone(layer: Any) -> bool:
    package = type(layer).__module__.partition(".")[0]
    anything = isinstance(layer, (tf_keras.layers.Lambda, TFOpLambda))
    return package in ("tf_keras", "tensorflow_model_optimization") and not anything


def _next_seed(state: Any) -> Any:
    """int32 (2,): the seed of a layer's next draw; counts it."""
    now = state.assign_add([0, 0, 1])
    return tf.random.experimental.stateless_fold_in(now[:2], now[2])


def _in_inference(call: Callable[..., Any]) -> Callable[..., Any]:
    """A layer's `call` with training=False, whatever it is called with."""
    signature = inspect.signature(call)
    if "training" not in signature.parameters:
        return call

    def inference(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.arguments["training"] = False
        return call(*bound.args, **bound.kwargs)

    return inference


@contextmanager
def _replaced(owner: Any, attributes: dict[str, Any]) -> Iterator[None]:
    """An object's own attributes, set without Keras's tracking for the time of a `with`."""
    own = vars(owner)
    before = {name: own[name] for name in attributes if name in own}
    own.update(attributes)
    try:
        yield
    finally:
        for name in attributes:
            del own[name]
        own.update(before)


def _nodes(graph: Any) -> Iterator[Any]:
    """All nodes of a graph, those in the bodies of its loops, branches and calls too.

    Functions that nothing calls are left out: Keras keeps a recurrent layer's GPU version so.
    """
    definition = graph.as_graph_def()
    functions = {function.signature.name: function for function in definition.library.function}
    waiting = list(definition.node)
    while waiting:
        node = waiting.pop()
        yield node
        called = [node.op]
        for attribute in node.attr.values():
            called += [attribute.func.name, *(one.name for one in attribute.list.func)]
        for name in called:
            if name in functions:
                waiting += functions.pop(name).node_def


def _is_uncontrolled(node: Any) -> bool:
    # Every operation that draws from TensorFlow's own global state has these two attributes.
    draws = "seed" in node.attr and "seed2" in node.attr
    if draws and "deterministic" in node.attr:  # fractional pooling, whose regions may be fixed
        draws = not node.attr["deterministic"].b
    return draws or node.op.startswith(STATEFUL) or node.op in PYTHON_OPERATIONS


def _operations(graph: Any) -> dict[tuple[str, bytes], list[str]]:
    """The names of a graph's nodes, by operation and, of a constant, its value."""
    names = defaultdict(list)
    for node in _nodes(graph):
        value = node.attr["value"].SerializeToString() if node.op == "Const" else b""
        names[node.op, value].append(node.name)
    return names
