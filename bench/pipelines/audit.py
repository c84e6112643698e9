"""What a TFLite file really is: its operators and tensors, whatever it is called."""

import hashlib
from dataclasses import dataclass

from ai_edge_litert import schema_py_generated as schema

FLOAT_IO = "-float-io"
"""Ends the number format of a file that is quantized but for its input and output."""

_FLOAT = {schema.TensorType.FLOAT16, schema.TensorType.FLOAT32, schema.TensorType.FLOAT64}
_BORDER = {schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE}


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
