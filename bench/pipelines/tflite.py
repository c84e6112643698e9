"""TFLite: the only module that knows the converter and the interpreter.

Conversion of a traced function skips the SavedModel that `from_keras_model` writes first, which
is nearly all of its time; the files give identical outputs (tests/pipelines/test_tflite.py).
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import interpreter as litert
from ai_edge_litert import schema_py_generated as schema

CHUNK = 1000
"""Examples in one call of the interpreter: no result depends on it, and memory stays small."""

_FLOAT = {schema.TensorType.FLOAT16, schema.TensorType.FLOAT32, schema.TensorType.FLOAT64}


class Converter:
    """Converts one Keras model again and again, with whatever weights it has at the time.

    scale: the model's input is x / scale.
    """

    def __init__(self, model: Any, scale: float) -> None:
        import tensorflow as tf

        self._model, self._scale = model, scale
        signature = tf.TensorSpec([1, *model.input_shape[1:]], tf.float32)
        self._function = tf.function(lambda x: model(x, training=False)).get_concrete_function(
            signature
        )

    def float32(self) -> bytes:
        """A float file."""
        return self._convert()

    def ptq(self, calibration: np.ndarray) -> bytes:
        """Post-training quantization to int8, input and output included.

        calibration: uint8 or float32 (n, height, width, channels), the representative dataset.
        """
        import tensorflow as tf

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
        import tensorflow as tf

        return self._convert(optimizations=[tf.lite.Optimize.DEFAULT], int8=True)

    def _convert(self, int8: bool = False, only_int8: bool = False, **settings: Any) -> bytes:
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_concrete_functions([self._function], self._model)
        converter.experimental_lower_to_saved_model = False
        for name, value in settings.items():
            setattr(converter, name, value)
        if int8:
            converter.inference_input_type = converter.inference_output_type = tf.int8
        if only_int8:
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        blob: bytes = converter.convert()
        return blob


@dataclass(frozen=True)
class Audit:
    """What a file really is, whatever it is called.

    int8_ops: operators none of whose tensors is float; float_ops: the others; int8_tensors and
    float_tensors count every tensor of the file, weights included.
    """

    number_format: str
    int8_ops: int
    float_ops: int
    int8_tensors: int
    float_tensors: int
    bytes: int
    sha256: str


def audit(blob: bytes) -> Audit:
    """Walk the file's operators and tensors. `mixed` is what is neither all float nor all int8."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(blob, 0))
    int8_ops = float_ops = int8_tensors = float_tensors = 0
    for graph in model.subgraphs:
        types = [tensor.type for tensor in graph.tensors]
        int8_tensors += types.count(schema.TensorType.INT8)
        float_tensors += sum(t in _FLOAT for t in types)
        for operator in graph.operators:
            touched = [*operator.inputs, *operator.outputs]
            if any(types[i] in _FLOAT for i in touched if i >= 0):
                float_ops += 1
            else:
                int8_ops += 1
    if float_tensors == 0 and int8_tensors:
        number_format = "int8"
    elif int8_tensors == 0:
        number_format = "float32"
    else:
        number_format = "mixed"
    return Audit(
        number_format,
        int8_ops,
        float_ops,
        int8_tensors,
        float_tensors,
        len(blob),
        hashlib.sha256(blob).hexdigest(),
    )


class Evaluator:
    """An interpreter of one file, with XNNPACK on one thread.

    scale: the model's input is x / scale.
    """

    def __init__(self, blob: bytes, scale: float) -> None:
        self._interpreter = litert.Interpreter(model_content=blob, num_threads=1)
        self._scale = scale
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The file's outputs as it gives them, float32 or int8 (n, classes).

        x: uint8 or float32 (n, height, width, channels).
        """
        return np.concatenate([self._invoke(x[i : i + CHUNK]) for i in range(0, len(x), CHUNK)])

    def logits(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs as real numbers, float32 (n, classes)."""
        if outputs.dtype == np.float32:
            return outputs
        step, zero = self._output["quantization"]
        return (outputs.astype(np.float32) - np.float32(zero)) * np.float32(step)

    def _invoke(self, x: np.ndarray) -> np.ndarray:
        if tuple(self._input["shape"]) != x.shape:
            self._interpreter.resize_tensor_input(self._input["index"], x.shape, strict=False)
            self._interpreter.allocate_tensors()
            self._input = self._interpreter.get_input_details()[0]
        self._interpreter.set_tensor(self._input["index"], self._feed(x))
        self._interpreter.invoke()
        result: np.ndarray = self._interpreter.get_tensor(self._output["index"])
        return result

    def _feed(self, x: np.ndarray) -> np.ndarray:
        if x.dtype == np.uint8:  # 256 values: look each up instead of computing it
            return self._quantized(np.arange(256, dtype=np.uint8))[x]
        return self._quantized(x)

    def _quantized(self, x: np.ndarray) -> np.ndarray:
        real = x.astype(np.float32) / np.float32(self._scale)
        if self._input["dtype"] == np.float32:
            return real
        step, zero = self._input["quantization"]
        limits = np.iinfo(self._input["dtype"])
        rounded = np.clip(np.round(real / step + zero), limits.min, limits.max)
        return rounded.astype(self._input["dtype"])


def ties(outputs: np.ndarray) -> np.ndarray:
    """bool (n,): whether an example's two highest outputs are equal; argmax then takes the lower
    class."""
    highest = np.partition(outputs, -2, axis=1)[:, -2:]
    equal: np.ndarray = highest[:, 0] == highest[:, 1]
    return equal
