"""TFLite files evaluated: the interpreter, what it is fed and what it gives."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import interpreter as litert

CHUNK = 100
"""Examples in one call of the interpreter: no result depends on it, and memory stays small."""


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
