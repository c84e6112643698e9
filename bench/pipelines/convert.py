"""Keras -> TFLite: the only module that knows the converter.

There are two routes. "frozen": the traced function's graph with its variables as constants goes to
the converter, which skips the SavedModel that the tutorials' call writes first and which is nearly
all of its time; the files give identical outputs (tests/pipelines/test_tflite.py). "stock":
`TFLiteConverter.from_concrete_functions` as it comes. It takes what the frozen graph does not hold:
loops, and resources other than weights.

What TensorFlow 2.21 makes of recurrent layers, measured:

                                    frozen                       stock
    LSTM, float32                   a WHILE loop                 fused UNIDIRECTIONAL_SEQUENCE_LSTM
    LSTM, PTQ                       ends the process (SIGSEGV)   int8, the cell's state int16
    GRU, SimpleRNN, RNN(cell),
      ConvLSTM, stateful LSTM:
      float32                       a WHILE loop                 a WHILE loop
      PTQ                           ends the process             ends the process: the calibrator
                                                                 cannot run such a loop
    any of them, `unroll=True`      int8                         int8

So post-training quantization of a loop that is not fused ends the process, and no exception says
so: whoever converts what users bring does it in a process of its own. `unroll=True` is the way out.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import numpy as np

from bench.pipelines.audit import audit

Route = Literal["frozen", "stock"]

TRIES = 6
"""Conversions of one model before a file that should be integer is believed to be mixed.

Measured with TensorFlow 2.21: 10 to 20% of the conversions of one unrolled LSTM or GRU leave a
SPLIT in float, all others give the same bytes. (The SPLIT is one whose outputs are not all used:
the calibrator seems to measure whatever lies in the memory of those.)
"""

_LOOPS = frozenset({
    "While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase", "For",
    "Enter", "Exit", "NextIteration", "LoopCond", "Switch", "Merge",
})  # fmt: skip
_READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd"})
"""Operators that freezing replaces by constants. Any other that takes a resource stays."""


class Converter:
    """Converts one Keras model again and again, with whatever weights it has at the time. Of each
    number format the last file is kept, for whoever asks for the same again.

    scale: the model's input is x / scale. route, why: which way the last conversion went, and for
    "stock" the reason in a few words; None before the first.
    """

    route: Route | None
    why: str | None

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
        self._last: dict[str, tuple[bytes, bytes, Route | None, str | None]] = {}
        found = sorted(set(_not_for_freezing(self._function.graph.as_graph_def())))
        self._only_stock = f"the graph has {', '.join(found)}" if found else None
        self.route = self.why = None

    def float32(self) -> bytes:
        """A float file."""
        return self._converted()

    def ptq(self, calibration: np.ndarray, kind: str = "int8", granularity: str = "stock") -> bytes:
        """Post-training quantization to the format `kind` of study.effective.PTQ_FORMATS.

        calibration: uint8 or float32 (n, height, width, channels), the representative dataset;
        granularity: of the weights' scales, "stock", or "dense-per-tensor" or "per-tensor".
        """
        from bench.pipelines.lean import tf

        ops = tf.lite.OpsSet
        settings: dict[str, Any] = {"optimizations": [tf.lite.Optimize.DEFAULT]}
        if granularity == "per-tensor":
            settings["_experimental_disable_per_channel"] = True
        elif granularity == "dense-per-tensor":
            settings["_experimental_disable_per_channel_quantization_for_dense_layers"] = True
        if kind == "dynamic-range":
            return self._converted("mixed", granularity, **settings)
        if kind == "float16":
            target = {"supported_types": [tf.float16]}
            return self._converted("float16", granularity, target=target, **settings)
        # An array per example, as in the tutorials; the converter takes no batches.
        examples = (calibration.astype(np.float32) / np.float32(self._scale))[:, None]
        settings["representative_dataset"] = lambda: ([example] for example in examples)
        of = granularity, examples
        if kind == "int16":
            kernels = ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            only = {"supported_ops": [kernels]}
            return self._converted("int16x8", *of, port=tf.int16, target=only, **settings)
        only = {"supported_ops": [ops.TFLITE_BUILTINS_INT8]}
        if kind == "int8-float-io":
            return self._converted("int8-float-io", *of, target=only, **settings)
        return self._converted("int8", *of, port=tf.int8, target=only, **settings)

    def qat(self, whole: bool = True) -> bytes:
        """A quantization-aware model to int8, input and output included, by its own ranges.

        whole: are all of its layers to be quantized?
        """
        from bench.pipelines.lean import tf

        wanted = "int8" if whole else "mixed"
        return self._converted(wanted, port=tf.int8, optimizations=[tf.lite.Optimize.DEFAULT])

    def _converted(
        self,
        wanted: str = "float32",
        granularity: str = "",
        calibration: np.ndarray | None = None,
        **settings: Any,
    ) -> bytes:
        """`_convert`, unless the last file of this format was made of the same: the weights, and
        what else may differ between two calls."""
        digest = hashlib.sha256(granularity.encode())
        if calibration is not None:
            digest.update(f"{calibration.shape}".encode())
            digest.update(np.ascontiguousarray(calibration).data)
        for variable in self._function.variables:
            digest.update(np.ascontiguousarray(variable.numpy()).data)
        made_of, last = digest.digest(), self._last.get(wanted)
        if last is None or last[0] != made_of:
            blob = self._convert(wanted, **settings)
            last = self._last[wanted] = (made_of, blob, self.route, self.why)
        _, blob, self.route, self.why = last
        return blob

    def _convert(self, wanted: str, **settings: Any) -> bytes:
        """By the frozen graph where that holds, else by the stock call.

        wanted: the number format of the file. One that was to be integer throughout and is not
        counts as not holding, if the stock call does better. Loops and resources never reach the
        frozen graph: they may end the process.
        """
        integer = wanted.startswith("int")

        def tried(make: Callable[..., bytes]) -> tuple[bytes, str]:
            made = wanted
            for _ in range(TRIES if integer else 1):
                blob = make(**settings)
                if not integer or (made := audit(blob).number_format) == wanted:
                    break
            return blob, made

        self.route, self.why = "stock", self._only_stock
        if self._only_stock:
            return tried(self._stock)[0]
        try:
            blob, made = tried(self._by_frozen_graph)
        except Exception as error:  # whatever the converter raises: the stock call may still do
            self.why = f"{type(error).__name__}: {(str(error).strip() or '-').splitlines()[0]}"
            return tried(self._stock)[0]
        if made != wanted:
            try:
                other, others = tried(self._stock)
            except Exception:  # the file that is there is what this model gives
                others = made
            if others == wanted:
                self.why = f"the frozen graph gives a file that is {made}"
                return other
        self.route, self.why = "frozen", None
        return blob

    def _by_frozen_graph(self, **settings: Any) -> bytes:
        converter = self._converter(**settings)
        converter.experimental_lower_to_saved_model = False
        if self._frozen is None:
            self._frozen = _Frozen(self._function, converter._freeze_concrete_function())
        converter._freeze_concrete_function = self._frozen.with_weights_of_now
        blob: bytes = converter.convert()
        return blob

    def _stock(self, **settings: Any) -> bytes:
        blob: bytes = self._converter(**settings).convert()
        return blob

    def _converter(
        self, port: Any = None, target: Mapping[str, Any] | None = None, **settings: Any
    ) -> Any:
        """port: the type of input and output, None: float; target: of its target_spec."""
        from bench.pipelines.lean import tf

        converter = tf.lite.TFLiteConverter.from_concrete_functions([self._function], self._model)
        for name, value in settings.items():
            setattr(converter, name, value)
        if port is not None:
            converter.inference_input_type = converter.inference_output_type = port
        for name, value in (target or {}).items():
            setattr(converter.target_spec, name, value)
        return converter


def _not_for_freezing(graph: Any) -> Iterator[str]:
    """The kinds of operators in a graph, and in the functions that it calls, which the frozen route
    cannot convert: the stock call must. Empty where there are none.

    graph: a GraphDef whose weights are placeholders of resources.
    """
    functions = {function.signature.name: function for function in graph.library.function}
    pending, seen = [graph.node], set()
    while pending:
        for node in pending.pop():
            if node.op in _LOOPS or (node.op not in _READS and _handles_resource(node.op)):
                yield node.op
            called = [node.op]
            for value in node.attr.values():
                called += [value.func.name, *(each.name for each in value.list.func)]
            for name in set(called) & functions.keys() - seen:
                seen.add(name)
                pending.append(functions[name].node_def)


def _handles_resource(kind: str) -> bool:
    """Whether an operator, by its definition, takes or gives a resource or a list of tensors."""
    from tensorflow.python.framework import op_def_registry

    from bench.pipelines.lean import tf

    definition = op_def_registry.get(kind)
    if definition is None:  # a function called by its name
        return False
    handles = {tf.resource.as_datatype_enum, tf.variant.as_datatype_enum}
    return any(a.type in handles for a in (*definition.input_arg, *definition.output_arg))


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
