"""An int8 file's tensors against those of the float file of the same weights, operator by operator.

Keeping all tensors can change what a file gives (tensorflow#79355), and XNNPACK shows none of its
own: so the file runs on the built-in kernels twice, with and without keeping them, and where the
outputs differ nothing inside is believed.
"""

from typing import Any

import numpy as np
from ai_edge_litert import interpreter as litert

from bench.pipelines.evaluate import Evaluator

_BORDER = {"QUANTIZE", "DEQUANTIZE", "DELEGATE"}
_CHANNELS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": -1, "FULLY_CONNECTED": 0}
"""Operators with weights, and the axis of their output channels."""

LEFT_OUT = "file / left_out"
"""1 where keeping the tensors changed the outputs, 2 where the two files are not built alike, 3
where looking failed: the column `layers_error` has why."""


def of(evaluator: Evaluator, float_blob: bytes, x: np.ndarray) -> dict[str, float]:
    """Per operator: `sqnr_db`, signal to quantization noise of its output; `error_steps`, the root
    mean square error in units of the output's scale (rounding alone: 0.289); `channel_range_ratio`,
    the largest range of a channel's weights against the median one.

    evaluator: of the int8 file; float_blob: of the same weights; x: as in `Evaluator.outputs`.
    """
    fed, plain_fed = evaluator.fed(x), Evaluator(float_blob, evaluator.scale).fed(x)
    kept, outputs = _run(evaluator.blob, fed, keep=True)
    _, without = _run(evaluator.blob, fed, keep=False)
    if not np.array_equal(outputs, without):
        return {LEFT_OUT: 1.0}
    floats, _ = _run(float_blob, plain_fed, keep=True)
    found = _weights(kept)
    if [kind for kind, *_ in kept] != [kind for kind, *_ in floats]:
        return found | {LEFT_OUT: 2.0}
    for at, ((kind, stored, details, _), (_, real, _, _)) in enumerate(
        zip(kept, floats, strict=True)
    ):
        step, zero = details["quantization"]
        if stored.dtype != np.int8 or not step or stored.shape != real.shape:
            continue
        error = (stored.astype(np.float64) - zero) * step - real
        noise, signal = float((error**2).mean()), float((real.astype(np.float64) ** 2).mean())
        name = f"{at} {kind}"
        found[f"{name} / error_steps"] = noise**0.5 / step
        if noise > 0 and signal > 0:
            found[f"{name} / sqnr_db"] = 10 * float(np.log10(signal / noise))
    return found


_Op = tuple[str, np.ndarray, Any, tuple[np.ndarray, Any] | None]


def _run(blob: bytes, fed: np.ndarray, keep: bool) -> tuple[list[_Op], np.ndarray]:
    """Every operator in order (kind, output, its details, its weights), where they are kept; and
    the file's outputs. On the built-in kernels."""
    interpreter = litert.Interpreter(
        model_content=blob,
        num_threads=1,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=keep,
    )
    port = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(port["index"], fed.shape, strict=False)
    interpreter.allocate_tensors()
    interpreter.set_tensor(port["index"], fed)
    interpreter.invoke()
    outputs = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    if not keep:
        return [], outputs
    details = {each["index"]: each for each in interpreter.get_tensor_details()}
    found: list[_Op] = []
    for op in interpreter._get_ops_details():
        if op["op_name"] in _BORDER or not len(op["outputs"]):
            continue
        place = int(op["outputs"][0])
        weights = None
        if op["op_name"] in _CHANNELS:
            of_weights = int(op["inputs"][1])
            weights = interpreter.get_tensor(of_weights), details[of_weights]
        found.append((op["op_name"], interpreter.get_tensor(place), details[place], weights))
    return found, outputs


def _weights(kept: list[_Op]) -> dict[str, float]:
    found = {}
    for at, (kind, _, _, weights) in enumerate(kept):
        if weights is None or weights[0].dtype != np.int8:
            continue
        stored, details = weights
        scales = np.asarray(details["quantization_parameters"]["scales"], np.float64)
        moved = np.moveaxis(stored.astype(np.float64), _CHANNELS[kind], 0)
        wide = np.abs(moved).reshape(len(moved), -1).max(axis=1) * scales
        if len(wide) > 1 and np.median(wide) > 0:
            found[f"{at} {kind} / channel_range_ratio"] = float(wide.max() / np.median(wide))
        found[f"{at} {kind} / distinct_scales"] = float(len(np.unique(scales)))
    return found
