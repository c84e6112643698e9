"""Keras -> TFLite: the only module that knows the converter.

Conversion of a traced function skips the SavedModel that `from_keras_model` writes first, which
is nearly all of its time; the files give identical outputs (tests/pipelines/test_tflite.py).
"""

from typing import Any

import numpy as np


class Converter:
    """Converts one Keras model again and again, with whatever weights it has at the time.

    scale: the model's input is x / scale.
    """

    def __init__(self, model: Any, scale: float) -> None:
        from bench.pipelines.lean import tf, without_autograph

        self._model, self._scale = model, scale
        signature = tf.TensorSpec([1, *model.input_shape[1:]], tf.float32)

        def inference(x: Any) -> Any:
            return model(x, training=False)

        self._function = without_autograph(
            lambda wrap: tf.function(wrap(inference)).get_concrete_function(signature)
        )
        self._frozen: _Frozen | None = None

    def float32(self) -> bytes:
        """A float file."""
        return self._convert()

    def ptq(self, calibration: np.ndarray) -> bytes:
        """Post-training quantization to int8, input and output included.

        calibration: uint8 or float32 (n, height, width, channels), the representative dataset.
        """
        from bench.pipelines.lean import tf

        # An array per example, as in the tutorials; the converter takes no batches.
        examples = (calibration.astype(np.float32) / np.float32(self._scale))[:, None]
        return self._convert(
            optimizations=[tf.lite.Optimize.DEFAULT],
            representative_dataset=lambda: ([example] for example in examples),
            int8=True,
            only_int8=True,
        )

    def qat(self) -> bytes:
        """A quantization-aware model to int8, input and output included, by its own ranges."""
        from bench.pipelines.lean import tf

        return self._convert(optimizations=[tf.lite.Optimize.DEFAULT], int8=True)

    def _convert(self, int8: bool = False, only_int8: bool = False, **settings: Any) -> bytes:
        from bench.pipelines.lean import tf

        converter = tf.lite.TFLiteConverter.from_concrete_functions([self._function], self._model)
        converter.experimental_lower_to_saved_model = False
        if self._frozen is None:
            self._frozen = _Frozen(self._function, converter._freeze_concrete_function())
        converter._freeze_concrete_function = self._frozen.with_weights_of_now
        for name, value in settings.items():
            setattr(converter, name, value)
        if int8:
            converter.inference_input_type = converter.inference_output_type = tf.int8
        if only_int8:
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        blob: bytes = converter.convert()
        return blob


class _Frozen:
    """A function's graph with its variables as constants, whose values are set anew.

    To freeze a function takes half of a small model's conversion, and gives the same graph every
    time but for these values.
    """

    def __init__(self, function: Any, frozen: tuple[Any, ...]) -> None:
        from bench.pipelines.lean import tf

        self._graph, *self._others = frozen
        places = {node.name: place for place, node in enumerate(self._graph.node)}
        by_handle = {id(variable.handle): variable for variable in function.variables}
        self._variables = {
            places[placeholder.op.name]: by_handle[id(handle)]
            for handle, placeholder in function.graph.captures
        }
        # What the replaced method found is what this one must find.
        for place, variable in self._variables.items():
            constant = tf.make_ndarray(self._graph.node[place].attr["value"].tensor)
            if not np.array_equal(constant, variable.numpy(), equal_nan=True):
                raise RuntimeError(f"{variable.name} is another constant in the frozen graph")

    def with_weights_of_now(self) -> tuple[Any, ...]:
        from bench.pipelines.lean import tf

        # A new graph each time: a message keeps the memory of all values that it ever had.
        graph = type(self._graph)()
        graph.CopyFrom(self._graph)
        for place, variable in self._variables.items():
            value = tf.make_tensor_proto(variable.numpy())
            graph.node[place].attr["value"].tensor.CopyFrom(value)
        return (graph, *self._others)
