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

CHUNK = 100
"""Examples in one call of the interpreter: no result depends on it, and memory stays small."""

FLOAT_IO = "-float-io"
"""Ends the number format of a file that is quantized but for its input and output."""

_FLOAT = {schema.TensorType.FLOAT16, schema.TensorType.FLOAT32, schema.TensorType.FLOAT64}
_BORDER = {schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE}


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


@dataclass(frozen=True)
class Audit:
    """What a file really is, whatever it is called.

    number_format: float32, int8, mixed; and what users have but no arm makes: float16 (weights),
    uint8, int16x8 (activations x weights), int8-float-io (int8 but for its input and output).
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
    """Walk the file's operators and tensors. `mixed` is what has no one format throughout."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(blob, 0))
    types: list[int] = []
    int8_ops = float_ops = 0
    float_inside = False  # a float operator that is no quantization of the input or output
    for graph in model.subgraphs:
        own = [tensor.type for tensor in graph.tensors]
        types += own
        for operator in graph.operators:
            touched = [i for i in (*operator.inputs, *operator.outputs) if i >= 0]
            floats = {i for i in touched if own[i] in _FLOAT}
            if floats:
                float_ops += 1
                code = model.operatorCodes[operator.opcodeIndex]
                kind = max(code.builtinCode, code.deprecatedBuiltinCode)  # old files: the latter
                at_border = floats <= {*graph.inputs, *graph.outputs}
                float_inside |= not (at_border and kind in _BORDER)
            else:
                int8_ops += 1
    return Audit(
        _number_format(types, float_inside),
        int8_ops,
        float_ops,
        types.count(schema.TensorType.INT8),
        sum(t in _FLOAT for t in types),
        len(blob),
        hashlib.sha256(blob).hexdigest(),
    )


def _number_format(types: list[int], float_inside: bool) -> str:
    kind = schema.TensorType
    has = set(types)
    if has & _FLOAT and not has & {kind.INT4, kind.INT8, kind.INT16}:
        return "float16" if kind.FLOAT16 in has else "float32"
    if float_inside or kind.INT4 in has:
        return "mixed"
    border = FLOAT_IO if has & _FLOAT else ""
    for integer, name in ((kind.INT16, "int16x8"), (kind.INT8, "int8"), (kind.UINT8, "uint8")):
        if integer in has:
            return name + border
    return "mixed"


@dataclass(frozen=True)
class Port:
    """An input or output of a file.

    shape: -1 where any length will do; dtype: NumPy's name, or `string`; step, zero: the number
    is step * (stored - zero), step 0 where it is not quantized.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    step: float
    zero: int


def ports(blob: bytes) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """The inputs and the outputs of a file. Raises ValueError if it is no whole TFLite file."""
    interpreter = litert.Interpreter(model_content=blob)

    def port(details: dict[str, Any]) -> Port:
        dtype = np.dtype(details["dtype"])
        shape = details["shape_signature"] if len(details["shape_signature"]) else details["shape"]
        return Port(
            details["name"],
            tuple(int(n) for n in shape),
            "string" if dtype.kind == "S" else dtype.name,
            *details["quantization"],
        )

    return (
        tuple(map(port, interpreter.get_input_details())),
        tuple(map(port, interpreter.get_output_details())),
    )


class Evaluator:
    """An interpreter of one file, with XNNPACK on one thread.

    scale, offset: the model's input is x / scale + offset. Raises ValueError if blob is no whole
    TFLite file, RuntimeError if it cannot be run.
    """

    def __init__(self, blob: bytes, scale: float, offset: float = 0.0) -> None:
        self._blob, self._scale, self._offset = blob, scale, offset
        self._open()

    def _open(self) -> None:
        self._interpreter = litert.Interpreter(model_content=self._blob, num_threads=1)
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self._allocated = False

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The file's outputs as it gives them, float32, int8 or uint8 (n, classes).

        x: uint8 or float32 (n, height, width, channels), or whatever shape the file takes. A file
        that runs in no batch but its own (a reshape can fix that) is run in its own.
        """
        try:
            parts = [self._invoke(x[i : i + CHUNK]) for i in range(0, len(x), CHUNK)]
        except RuntimeError:
            self._open()  # an interpreter that could not be resized stays unusable
            parts = self._in_own_batch(x)
        return np.concatenate(parts)

    def logits(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs as real numbers, float32 (n, classes)."""
        if outputs.dtype == np.float32:
            return outputs
        step, zero = self._output["quantization"]
        return (outputs.astype(np.float32) - np.float32(zero)) * np.float32(step)

    def clipped(self, x: np.ndarray) -> float:
        """The share of x's numbers that the file's integer input cannot hold."""
        if self._input["dtype"] == np.float32:
            return 0.0
        weights = None
        if x.dtype == np.uint8:  # 256 values: weigh each by how often it stands there
            weights = np.bincount(x.ravel(), minlength=256)
            x = np.arange(256, dtype=np.uint8)
        stored = self._stored(x)
        limits = np.iinfo(self._input["dtype"])
        outside = (stored < limits.min - 0.5) | (stored > limits.max + 0.5)
        return float(np.average(outside, weights=weights))

    def _in_own_batch(self, x: np.ndarray) -> list[np.ndarray]:
        size = int(self._input["shape"][0])
        parts = []
        for i in range(0, len(x), size):
            part = x[i : i + size]
            filled = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
            parts.append(self._invoke(filled)[: len(part)])
        return parts

    def _invoke(self, x: np.ndarray) -> np.ndarray:
        if tuple(self._input["shape"]) != x.shape:
            self._interpreter.resize_tensor_input(self._input["index"], x.shape, strict=False)
            self._allocated = False
        if not self._allocated:
            self._interpreter.allocate_tensors()
            self._allocated = True
            self._input = self._interpreter.get_input_details()[0]
        self._interpreter.set_tensor(self._input["index"], self._feed(x))
        self._interpreter.invoke()
        result: np.ndarray = self._interpreter.get_tensor(self._output["index"])
        if result.shape[:1] != x.shape[:1]:
            raise RuntimeError(f"{len(x)} examples went in, an output of {result.shape} came out")
        return result

    def _feed(self, x: np.ndarray) -> np.ndarray:
        if x.dtype == np.uint8:  # 256 values: look each up instead of computing it
            return self._quantized(np.arange(256, dtype=np.uint8))[x]
        return self._quantized(x)

    def _real(self, x: np.ndarray) -> np.ndarray:
        return x.astype(np.float32) / np.float32(self._scale) + np.float32(self._offset)

    def _quantized(self, x: np.ndarray) -> np.ndarray:
        if self._input["dtype"] == np.float32:
            return self._real(x)
        limits = np.iinfo(self._input["dtype"])
        rounded = np.clip(np.round(self._stored(x)), limits.min, limits.max)
        return rounded.astype(self._input["dtype"])

    def _stored(self, x: np.ndarray) -> np.ndarray:
        """x as the integer input holds it, before rounding; step 0: numbers as they are."""
        step, zero = self._input["quantization"]
        return self._real(x) / (step or 1) + zero


def ties(outputs: np.ndarray) -> np.ndarray:
    """bool (n,): whether an example's two highest outputs are equal; argmax then takes the lower
    class."""
    highest = np.partition(outputs, -2, axis=1)[:, -2:]
    equal: np.ndarray = highest[:, 0] == highest[:, 1]
    return equal
