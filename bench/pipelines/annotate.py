"""Which layers TFMOT quantizes, and by which quantizers, where that is not its own choice."""

from typing import Any

from bench.pipelines.lean import quant_ops, tf, tf_keras, tfmot

keras = tfmot.quantization.keras

_FOLLOWING = (
    tf_keras.layers.BatchNormalization,
    tf_keras.layers.Activation,
    tf_keras.layers.ReLU,
)
"""Layers that TFMOT quantizes together with the layer before them, or not at all."""


def first_and_last_in_float(model: Any) -> Any:
    """The model with all layers annotated but the first and the last that have a kernel, and the
    batch normalization and activation behind each of them.

    Raises ValueError if fewer than three layers have one.
    """
    weighted = [layer for layer in model.layers if _has_kernel(layer)]
    if len(weighted) < 3:
        raise ValueError(f"{len(weighted)} layers have kernels: none would be left to quantize")
    left = set()
    for layer in (weighted[0], weighted[-1]):
        while layer is not None:
            left.add(layer.name)
            layer = _follower(layer)

    def chosen(layer: Any) -> Any:
        kept = layer.name in left or isinstance(layer, tf_keras.layers.InputLayer)
        return layer if kept else keras.quantize_annotate_layer(layer)

    return tf_keras.models.clone_model(model, clone_function=chosen)


def _has_kernel(layer: Any) -> bool:
    return any(len(w.shape) >= 2 for w in layer.trainable_weights)


def _follower(layer: Any) -> Any:
    """The layer behind it that TFMOT takes together with it, or None."""
    behind = [node.outbound_layer for node in layer._outbound_nodes]
    return behind[0] if len(behind) == 1 and isinstance(behind[0], _FOLLOWING) else None


class PerChannelDepthwise(keras.quantizers.LastValueQuantizer):
    """A range for each output channel of a depthwise kernel, (height, width, channels, multiplier).

    TFMOT's has one range for all of it, and its quantizers have their channels on the last axis
    alone: the kernel is quantized as (1, height, width, channels * multiplier), as TFLite has it.
    """

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        channels = int(tensor_shape[-1]) * int(tensor_shape[-2])
        made: dict[str, Any] = self._add_range_weights(
            layer, f"{name}_per_channel", True, (channels,)
        )
        return made

    def __call__(self, inputs: Any, training: Any, weights: Any, **kwargs: Any) -> Any:
        height, width, channels, multiplier = inputs.shape
        quantized = quant_ops.LastValueQuantize(
            tf.reshape(inputs, (1, height, width, channels * multiplier)),
            weights["min_var"],
            weights["max_var"],
            is_training=training,
            num_bits=self.num_bits,
            per_channel=True,
            symmetric=self.symmetric,
            narrow_range=self.narrow_range,
        )
        return tf.reshape(quantized, inputs.shape)


def quantize_depthwise_per_channel(model: Any) -> int:
    """Give each depthwise kernel of a quantized model a range per channel. Returns how many."""
    found = 0
    for wrapper in model._flatten_layers():
        inner = getattr(wrapper, "layer", None)
        if isinstance(wrapper, keras.QuantizeWrapper) and isinstance(
            inner, tf_keras.layers.DepthwiseConv2D
        ):
            for at, (weight, quantizer, _) in enumerate(wrapper._weight_vars):
                own = PerChannelDepthwise(quantizer.num_bits, True, True, True)
                made = own.build(weight.shape, wrapper._weight_name(weight.name), wrapper)
                wrapper._weight_vars[at] = (weight, own, made)
                found += 1
    return found
