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

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from bench.pipelines.audit import audit

Route = Literal["frozen", "stock"]

TRIES = 6
"""Conversions of one model before a file that should be int8 is believed to be mixed.

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
    """Converts one Keras model again and again, with whatever weights it has at the time.

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
        found = sorted(set(_not_for_freezing(self._function.graph.as_graph_def())))
        self._only_stock = f"the graph has {', '.join(found)}" if found else None
        self.route = self.why = None

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

    def _convert(self, int8: bool = False, **settings: Any) -> bytes:
        """By the frozen graph where that holds, else by the stock call.

        A file that was to be int8 and is not throughout counts as not holding, if the stock call
        does better. Loops and resources never reach the frozen graph: they may end the process.
        """

        def tried(make: Callable[..., bytes]) -> tuple[bytes, str]:
            made = "float32"
            for _ in range(TRIES if int8 else 1):
                blob = make(int8, **settings)
                if not int8 or (made := audit(blob).number_format) == "int8":
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
        if int8 and made != "int8":
            try:
                other, others = tried(self._stock)
            except Exception:  # the file that is there is what this model gives
                others = made
            if others == "int8":
                self.why = f"the frozen graph gives a file that is {made}"
                return other
        self.route, self.why = "frozen", None
        return blob

    def _by_frozen_graph(self, int8: bool, **settings: Any) -> bytes:
        converter = self._converter(int8, **settings)
        converter.experimental_lower_to_saved_model = False
        if self._frozen is None:
            self._frozen = _Frozen(self._function, converter._freeze_concrete_function())
        converter._freeze_concrete_function = self._frozen.with_weights_of_now
        blob: bytes = converter.convert()
        return blob

    def _stock(self, int8: bool, **settings: Any) -> bytes:
        blob: bytes = self._converter(int8, **settings).convert()
        return blob

    def _converter(self, int8: bool, only_int8: bool = False, **settings: Any) -> Any:
        from bench.pipelines.lean import tf

        converter = tf.lite.TFLiteConverter.from_concrete_functions([self._function], self._model)
        for name, value in settings.items():
            setattr(converter, name, value)
        if int8:
            converter.inference_input_type = converter.inference_output_type = tf.int8
        if only_int8:
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
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
