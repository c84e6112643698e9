"""Float model -> quantized model, with the place of each float weight in it.

quantize_model renames weights (SeparableConv2D becomes two layers, other layers are cloned), so
names say nothing. It copies values, though: the float model is given values that all differ, and
where they are found again, there the weights belong. Nothing needs to be known of TFMOT's
transformations, and a weight that one of them loses is noticed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.pipelines.annotate import quantize_depthwise_per_channel
from bench.pipelines.lean import QuantizeLayer, tf, tf_keras, tfmot
from bench.pipelines.observers import unquantized
from bench.pipelines.refusals import Unmatched, Unsupported

Arrays = tuple[np.ndarray, ...]

keras = tfmot.quantization.keras

QuantizeAnnotate = type(keras.quantize_annotate_layer(tf_keras.layers.Activation("linear")))

EXAMPLES = 2
"""Random inputs on which both models must compute the same."""

TOLERANCE = 1e-3
"""Of the largest output: the models' operators, and so their roundings, are not quite the same."""


@dataclass(frozen=True)
class Places:
    """Where float weights lie among the quantized model's, both in Keras's order.

    index: for each float weight its place; floats, quantized: the shapes of each there and here.
    """

    index: tuple[int, ...]
    floats: tuple[tuple[int, ...], ...]
    quantized: tuple[tuple[int, ...], ...]

    def into(self, start: Arrays, floats: Sequence[np.ndarray]) -> Arrays:
        """A quantized model's weights `start` with these float weights in their places."""
        mixed = list(start)
        for place, shape, value in zip(self.index, self.quantized, floats, strict=True):
            mixed[place] = np.reshape(value, shape)
        return tuple(mixed)

    def out_of(self, weights: Arrays) -> Arrays:
        """The float model's weights, from a quantized model's: the inverse of `into`."""
        places = zip(self.index, self.floats, strict=True)
        return tuple(np.reshape(weights[place], shape) for place, shape in places)


def quantized(
    float_model: Any,
    annotate: Callable[..., Any] | None = None,
    depthwise_per_channel: bool = False,
) -> tuple[Any, Places]:
    """quantize_model(float_model), with the float model's weights, and their places.

    annotate(model): the model with those layers annotated that are to be quantized, by
    quantize_annotate_layer; without it all are; depthwise_per_channel: has a depthwise kernel a
    range for each channel, and not one?

    Raises Unsupported if TFMOT refuses a layer; Unmatched if a float weight is not in the
    quantized model exactly once, if that has trainable or other weights of unknown origin, or if
    with quantization switched off it does not compute what the float model computes.
    """
    weights = float_model.get_weights()
    probe = _distinct(weights)
    try:
        float_model.set_weights(probe)
        try:
            model = (
                keras.quantize_model(float_model)
                if annotate is None
                else _applied(annotate(float_model), probe)
            )
        except (ValueError, RuntimeError) as error:
            raise Unsupported(_with_layer(str(error), float_model)) from error
        if depthwise_per_channel:
            quantize_depthwise_per_channel(model)
        places = _places(float_model, model, probe)
        _check_outputs(float_model, model)
    finally:
        float_model.set_weights(weights)
    model.set_weights(places.into(tuple(model.get_weights()), weights))
    return model, places


def _applied(annotated: Any, weights: Sequence[np.ndarray]) -> Any:
    """quantize_apply of what somebody's annotate() returned, with these float weights.

    Raises Unsupported if that is no model of the same weights, or nothing is annotated.
    """
    if not isinstance(annotated, tf_keras.Model):
        raise Unsupported(f"annotate() returned {type(annotated).__name__}, no tf_keras model")
    shapes = [tuple(w.shape) for w in annotated.weights]
    if shapes != [np.shape(w) for w in weights]:
        raise Unsupported(
            f"annotate() returned a model of {len(shapes)} weights, not the {len(weights)} of "
            "model() in their order: annotate layers by tf_keras.models.clone_model"
        )
    annotated.set_weights(weights)
    if not any(isinstance(x, QuantizeAnnotate) for x in annotated._flatten_layers()):
        raise Unsupported("annotate() annotated no layer: quantize_annotate_layer(layer)")
    return keras.quantize_apply(annotated)


def _with_layer(text: str, model: Any) -> str:
    """TFMOT's reason; where it does not name the layer, with the models among the layers."""
    if any(layer.name in text for layer in model.layers):
        return text
    nested = [layer.name for layer in model.layers if isinstance(layer, tf_keras.Model)]
    return f"{', '.join(nested)}: {text}" if nested else text


def _distinct(weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Arrays of these shapes and types that all differ, and with which a network computes
    sensible numbers: kernels of unit gain, positive vectors (one of them may be a variance).

    The same whatever the weights are: they may be those of a training that diverged.
    """
    rng = np.random.default_rng(0)

    def draw(a: np.ndarray) -> np.ndarray:
        if np.issubdtype(a.dtype, np.integer):
            return rng.integers(1, np.iinfo(a.dtype).max, a.shape, a.dtype)
        if a.ndim < 2:
            return rng.uniform(0.5, 1.5, a.shape).astype(a.dtype)
        gain = np.sqrt(2 / np.prod(a.shape[:-1]))
        return rng.normal(0, gain, a.shape).astype(a.dtype)

    return [draw(np.asarray(a)) for a in weights]


def _places(float_model: Any, model: Any, probe: Sequence[np.ndarray]) -> Places:
    values = model.get_weights()
    found: dict[tuple[str, bytes], list[int]] = {}
    for place, value in enumerate(values):
        found.setdefault(_key(value), []).append(place)
    index: list[int] = []
    for variable, value in zip(float_model.weights, probe, strict=True):
        there = found.get(_key(value), [])
        if len(there) != 1 or there[0] in index:
            raise Unmatched(
                f"weight {variable.name} {tuple(value.shape)} of the float model is "
                f"{len(there)} times in the quantized model, not once"
            )
        index.append(there[0])
    own = {id(v) for v in _of_quantization(model)}
    for place, variable in enumerate(model.weights):
        if place not in index and id(variable) not in own:
            raise Unmatched(
                f"weight {variable.name} {tuple(variable.shape)} of the quantized model has no "
                "counterpart in the float model"
            )
    shapes = tuple(values[place].shape for place in index)
    return Places(tuple(index), tuple(a.shape for a in probe), shapes)


def _key(value: np.ndarray) -> tuple[str, bytes]:
    """The same for arrays of equal values in equal order, whatever their shape."""
    return str(value.dtype), np.ascontiguousarray(value).tobytes()


def _of_quantization(model: Any) -> list[Any]:
    """The variables that TFMOT's wrappers have for themselves: ranges and a counter."""
    wrappers = (keras.QuantizeWrapper, QuantizeLayer)
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, wrappers)]
    return [variable for layer in layers for variable in layer._non_trainable_weights]


def _check_outputs(float_model: Any, model: Any) -> None:
    x = np.random.default_rng(1).random((EXAMPLES, *float_model.input_shape[1:]), np.float32)
    expected = np.asarray(float_model(tf.constant(x), training=False))
    with unquantized():
        computed = np.asarray(model(tf.constant(x), training=False))
    largest = np.abs(expected).max(initial=0.0, where=np.isfinite(expected))
    if computed.shape != expected.shape or not np.allclose(
        computed, expected, rtol=TOLERANCE, atol=TOLERANCE * largest, equal_nan=True
    ):
        raise Unmatched(
            "with quantization switched off the quantized model computes something else than the "
            f"float model: {computed.ravel()[:3]} instead of {expected.ravel()[:3]}"
        )
