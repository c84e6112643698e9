"""What a TFLite file really is: its operators and tensors, whatever it is called."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from ai_edge_litert import schema_py_generated as schema

FLOAT_IO = "-float-io"
"""Ends the number format of a file that is quantized but for its input and output."""

_Kind = schema.BuiltinOperator
_Type = schema.TensorType

_FLOAT = {_Type.FLOAT16, _Type.FLOAT32, _Type.FLOAT64, _Type.BFLOAT16}
_FEW_BITS = {_Type.INT2, _Type.INT4, _Type.UINT4}
_BORDER = {_Kind.QUANTIZE, _Kind.DEQUANTIZE}
_NAMES = {number: name for name, number in vars(_Kind).items() if isinstance(number, int)}

_CHANNEL_AXIS = {
    _Kind.CONV_2D: 0,
    _Kind.DEPTHWISE_CONV_2D: -1,
    _Kind.TRANSPOSE_CONV: 0,
    _Kind.CONV_3D: -1,
    _Kind.CONV_3D_TRANSPOSE: -2,
    _Kind.FULLY_CONNECTED: 0,
    _Kind.BATCH_MATMUL: -1,
    _Kind.EMBEDDING_LOOKUP: 0,
    _Kind.GATHER: -1,
    _Kind.LSTM: 0,
    _Kind.RNN: 0,
    _Kind.SVDF: 0,
    _Kind.UNIDIRECTIONAL_SEQUENCE_LSTM: 0,
    _Kind.UNIDIRECTIONAL_SEQUENCE_RNN: 0,
    _Kind.BIDIRECTIONAL_SEQUENCE_LSTM: 0,
    _Kind.BIDIRECTIONAL_SEQUENCE_RNN: 0,
}
"""Operators that have weights, and where a weight's shape holds the number of output channels."""

_RESOURCES = {
    _Kind.ASSIGN_VARIABLE,
    _Kind.RANDOM_STANDARD_NORMAL,
    _Kind.RANDOM_UNIFORM,
    _Kind.MULTINOMIAL,
    _Kind.STABLEHLO_RNG_BIT_GENERATOR,
}
"""Operators that change what a later call sees: variables that are written, random streams."""

State = Literal["none", "tensors", "resources"]


@dataclass(frozen=True)
class Audit:
    """What a file really is, whatever it is called.

    number_format: float32, int8, mixed; and what users have but no arm makes: float16 (weights),
    uint8, int16x8 (activations x weights), int8-float-io (int8 but for its input and output). It
    names what goes into the file and what flows between its operators; the state that a recurrent
    operator keeps does not count (an int8 LSTM's cell is int16).
    granularity: for each kind of operator that has quantized weights whether its layers have one
    scale for each output channel or one for all: "CONV_2D per channel, FULLY_CONNECTED per
    tensor"; "mixed" where layers of a kind differ; empty where no weights are quantized. Scales
    are counted by their values, since a file may repeat one for every channel; a layer of one
    output channel counts as neither.
    int8_ops: operators none of whose tensors is float; float_ops: the others; int8_tensors and
    float_tensors count every tensor of the file, weights included. requantizations: operators that
    only turn one integer scale into another.
    """

    number_format: str
    granularity: str
    int8_ops: int
    float_ops: int
    int8_tensors: int
    float_tensors: int
    requantizations: int
    bytes: int
    sha256: str


@lru_cache(maxsize=1)  # the converter asks first, then whoever evaluates the same file
def audit(blob: bytes) -> Audit:
    """Walk the file's operators and tensors. `mixed` is what has no one format throughout.

    Raises ValueError if blob is no whole TFLite file.
    """
    model = _read(blob)
    try:
        return _audit(model, blob)
    except Exception as error:  # an index that points nowhere, in whatever way Python says so
        raise ValueError(f"a damaged table: {error}") from error


def operators(blob: bytes) -> dict[str, int]:
    """How many operators of each kind there are, by name. Raises ValueError as `audit` does."""
    model = _read(blob)
    try:
        found = Counter(_NAMES[kind] for _, _, kind in _operators(model))
    except Exception as error:  # see audit
        raise ValueError(f"a damaged table: {error}") from error
    return dict(sorted(found.items()))


def state(blob: bytes) -> State:
    """What the file keeps between two calls of the interpreter.

    "tensors": variable tensors, as a fused LSTM has them, which `reset_all_variables` clears.
    "resources": variables that are written, or random streams, which only a new interpreter
    clears (measured: neither `reset_all_variables` nor `allocate_tensors` does). "none": neither;
    variables that are set once, at the start, are constants. Raises ValueError as `audit` does.
    """
    try:
        model = schema.Model.GetRootAs(blob, 0)  # reads what is asked for: quicker than all of it
        graphs = [model.Subgraphs(i) for i in range(model.SubgraphsLength())]
        codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
        kinds = [max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) for code in codes]
        if set(kinds) & _RESOURCES and _written(_read(blob)):
            return "resources"
        variable = any(
            graph.Tensors(i).IsVariable() for graph in graphs for i in range(graph.TensorsLength())
        )
        return "tensors" if variable else "none"
    except Exception as error:  # see audit
        raise ValueError(f"a damaged table: {error}") from error


def _written(model: Any) -> bool:
    """Whether a resource changes after the start: elsewhere than in graphs that CALL_ONCE runs."""
    starts = {
        operator.builtinOptions.initSubgraphIndex
        for _, operator, kind in _operators(model)
        if kind == _Kind.CALL_ONCE
    }
    return any(
        _kind(model, operator) in _RESOURCES
        for i, graph in enumerate(model.subgraphs)
        for operator in _each(graph.operators)
        if i not in starts
    )


def _read(blob: bytes) -> Any:
    try:
        return schema.ModelT.InitFromObj(schema.Model.GetRootAs(blob, 0))
    except Exception as error:  # the generated reader raises whatever a torn table leads to
        raise ValueError(f"no TFLite file: {error}") from error


def _operators(model: Any) -> Iterator[tuple[Any, Any, int]]:
    """(graph, operator, kind) of every operator in the file."""
    for graph in model.subgraphs:
        for operator in _each(graph.operators):
            yield graph, operator, _kind(model, operator)


def _kind(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)  # old files: the latter


def _each(vector: Any) -> Any:
    """A table's vector, which is None where the file leaves it out."""
    return () if vector is None else vector


def _audit(model: Any, blob: bytes) -> Audit:
    constant = [len(_each(buffer.data)) > 0 or buffer.offset > 0 for buffer in model.buffers]
    types = [tensor.type for graph in model.subgraphs for tensor in _each(graph.tensors)]
    weights: set[int] = set()
    inside: set[int] = set()  # what flows between operators
    int8_ops = float_ops = 0
    float_inside = False  # a float operator that is no quantization of the input or output
    ports = {
        graph.tensors[i].type
        for graph in model.subgraphs[:1]
        for i in (*_each(graph.inputs), *_each(graph.outputs))
    }
    for graph, operator, kind in _operators(model):
        border = {*_each(graph.inputs), *_each(graph.outputs)}
        touched = {i for i in (*_each(operator.inputs), *_each(operator.outputs)) if i >= 0}
        floats = {i for i in touched if graph.tensors[i].type in _FLOAT}
        if floats:
            float_ops += 1
            float_inside |= not (floats <= border and kind in _BORDER)
        else:
            int8_ops += 1
        for i in touched:
            tensor = graph.tensors[i]
            if constant[tensor.buffer]:
                weights.add(tensor.type)
            elif i not in border and not tensor.isVariable:
                inside.add(tensor.type)
    return Audit(
        _number_format(ports, inside, weights, float_inside),
        _granularity(model, constant),
        int8_ops,
        float_ops,
        types.count(_Type.INT8),
        sum(t in _FLOAT for t in types),
        sum(_requantizes(graph, operator, kind) for graph, operator, kind in _operators(model)),
        len(blob),
        hashlib.sha256(blob).hexdigest(),
    )


def _requantizes(graph: Any, operator: Any, kind: int) -> bool:
    ends = [graph.tensors[i].type for i in (*operator.inputs, *operator.outputs)]
    return bool(kind == _Kind.QUANTIZE and not set(ends) & _FLOAT)


def _number_format(ports: set[int], inside: set[int], weights: set[int], float_inside: bool) -> str:
    everything = ports | inside | weights
    quantized = everything & {*_FEW_BITS, _Type.INT8, _Type.INT16}
    if everything & _FLOAT and not quantized:
        return "float16" if _Type.FLOAT16 in everything else "float32"
    flows = inside or ports  # a file of one operator has nothing inside
    if float_inside or quantized & _FEW_BITS or {_Type.INT8, _Type.INT16} <= flows:
        return "mixed"
    border = FLOAT_IO if ports & _FLOAT else ""
    for integer, name in ((_Type.INT16, "int16x8"), (_Type.INT8, "int8"), (_Type.UINT8, "uint8")):
        if integer in flows:
            return name + border
    return "mixed"


def _granularity(model: Any, constant: list[bool]) -> str:
    found: dict[str, set[str]] = {}
    for graph, operator, kind in _operators(model):
        if kind not in _CHANNEL_AXIS:
            continue
        for i in _each(operator.inputs):
            if i < 0:  # an input left out
                continue
            tensor = graph.tensors[i]
            scales = _each(tensor.quantization and tensor.quantization.scale)
            is_weight = constant[tensor.buffer] and len(_each(tensor.shape)) >= 2
            if not is_weight or tensor.type in _FLOAT or not len(scales):
                continue
            channels = len(scales) if len(scales) > 1 else tensor.shape[_CHANNEL_AXIS[kind]]
            if channels > 1:
                one = len(set(map(float, scales))) == 1
                found.setdefault(_NAMES[kind], set()).add("per tensor" if one else "per channel")
    kinds = {name: "mixed" if len(said) > 1 else min(said) for name, said in found.items()}
    return ", ".join(f"{name} {said}" for name, said in sorted(kinds.items()))
