"""TFLite files evaluated: the interpreter, what it is fed and what it gives."""

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from ai_edge_litert import interpreter as litert

from bench.pipelines import audit

CHUNK = 100
"""Examples in one call of the interpreter: no result depends on it, and memory stays small."""

SAMPLE = 4
"""Examples that are run alone too, before a file's chunks are believed."""

WARM_UP, CALLS, LATENCY_S = 3, 51, 0.03
"""Of a file's latency: calls before any is timed, and how many are at most, in how many seconds."""


RESOLVERS = {
    "xnnpack": litert.OpResolverType.AUTO,
    "built-in": litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "reference": litert.OpResolverType.BUILTIN_REF,
}
"""Whose kernels run a file. XNNPACK leaves those that it does not have to the built-in ones."""


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
    """An interpreter of one file.

    An example's outputs depend on that example alone, whatever is evaluated before or beside it:
    a file that keeps state between calls is set back before each call and run in its own batch
    (of one, in nearly every file), and so is one whose rows turn out to depend on each other.

    scale, offset: the model's input is x / scale + offset; kernels: of RESOLVERS. Raises
    ValueError if blob is no whole TFLite file, RuntimeError if it cannot be run.
    """

    def __init__(
        self,
        blob: bytes,
        scale: float,
        offset: float = 0.0,
        kernels: str = "xnnpack",
        threads: int = 1,
    ) -> None:
        self._how = {
            "num_threads": threads,
            "experimental_op_resolver_type": RESOLVERS[kernels],
        }
        self._blob, self._scale, self._offset = blob, scale, offset
        self.state = audit.state(blob)
        """What the file keeps between calls: "none", "tensors" or "resources"."""
        self._chunks: bool | None = False if self.state != "none" else None  # None: not tried yet
        self._open()

    def _open(self) -> None:
        self._interpreter = litert.Interpreter(model_content=self._blob, **self._how)
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self._allocated = False

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The file's outputs as it gives them, float32, int8 or uint8 (n, classes).

        x: uint8 or float32 (n, height, width, channels), or whatever shape the file takes. A file
        that runs in no batch but its own (a reshape can fix that) is run in its own. Raises
        RuntimeError if even there an example's outputs depend on those beside it.
        """
        if self._chunks is None:
            sample = np.unique(np.linspace(0, len(x) - 1, SAMPLE).astype(int))
            alone = self._in_own_batch(x[sample])
            whole = self._in_chunks(x)
            self._chunks = whole is not None and _alike(whole[sample], alone)
            if self._chunks:
                return whole
        elif self._chunks and (whole := self._in_chunks(x)) is not None:
            return whole
        self._open()  # an interpreter that could not be resized stays unusable
        return self._in_own_batch(x)

    @property
    def blob(self) -> bytes:
        return self._blob

    @property
    def scale(self) -> float:
        return self._scale

    def fed(self, x: np.ndarray) -> np.ndarray:
        """x as the file's input takes it."""
        return self._feed(x)

    def at_limit(self, outputs: np.ndarray) -> int:
        """Examples with an output at the least or greatest number that the file's type holds."""
        if outputs.dtype == np.float32:
            return 0
        limits = np.iinfo(outputs.dtype)
        flat = outputs.reshape(len(outputs), -1)
        return int(((flat == limits.min) | (flat == limits.max)).any(axis=1).sum())

    def latency(self, x: np.ndarray) -> float | None:
        """Median microseconds of the interpreter for one example alone, on this CPU beside whatever
        else runs there, from up to CALLS calls in LATENCY_S; None where the file takes none alone.

        x: at least one example, as of `outputs`.
        """
        alone = litert.Interpreter(model_content=self._blob, **self._how)
        fed = self._feed(x[:1])
        index = alone.get_input_details()[0]["index"]
        try:
            alone.resize_tensor_input(index, fed.shape, strict=False)
            alone.allocate_tensors()
            alone.set_tensor(index, fed)
            for _ in range(WARM_UP):
                alone.invoke()
        except (RuntimeError, ValueError):
            return None
        taken: list[float] = []
        while len(taken) < CALLS and (len(taken) < 3 or sum(taken) < LATENCY_S):
            start = perf_counter()
            alone.invoke()
            taken.append(perf_counter() - start)
        return 1e6 * float(np.median(taken))

    def kernels(self) -> str:
        """Whose kernels run the file: XNNPACK's, or which operators are left to the built-in ones.

        Call after `outputs`. Raises nothing: an interpreter that does not tell gives "unknown".
        """
        try:
            nodes = self._interpreter._get_ops_details()
        except (AttributeError, UnicodeDecodeError):  # a version without; a name that is no text
            return "unknown"
        own = [node for node in nodes if node["op_name"] != "DELEGATE"]
        maker = {i: at for at, node in enumerate(own) for i in node["outputs"] if i >= 0}
        taken: set[int] = set()
        for node in nodes:
            if node["op_name"] == "DELEGATE":  # all that lies between its outputs and its inputs
                entered, pending = set(node["inputs"]), list(node["outputs"])
                while pending:
                    place = maker.get(pending.pop())
                    if place is not None and place not in taken:
                        taken.add(place)
                        pending += [i for i in own[place]["inputs"] if i not in entered]
        left = sorted({node["op_name"] for i, node in enumerate(own) if i not in taken})
        if not taken:
            return "built-in"
        return "XNNPACK" + (f", built-in for {', '.join(left)}" if left else "")

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
            weights = sum(
                np.bincount(x[i : i + CHUNK].ravel(), minlength=256)
                for i in range(0, len(x), CHUNK)
            )
            x = np.arange(256, dtype=np.uint8)
        stored = self._stored(x)
        limits = np.iinfo(self._input["dtype"])
        outside = (stored < limits.min - 0.5) | (stored > limits.max + 0.5)
        return float(np.average(outside, weights=weights))

    def _in_chunks(self, x: np.ndarray) -> np.ndarray | None:
        """None: the file takes no batch of that size."""
        try:
            parts = [self._invoke(x[i : i + CHUNK]) for i in range(0, len(x), CHUNK)]
        except RuntimeError:
            return None
        return np.concatenate(parts)

    def _in_own_batch(self, x: np.ndarray) -> np.ndarray:
        size = int(self._input["shape"][0])
        parts = []
        for i in range(0, len(x), size):
            part = x[i : i + size]
            filled = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
            parts.append(self._from_start(filled)[: len(part)])
            if i == 0 and size > 1:
                self._check_own_batch(filled, parts[0])
        return np.concatenate(parts)

    def _check_own_batch(self, x: np.ndarray, outputs: np.ndarray) -> None:
        """Whether an example gives the same among others, outputs, and among copies of itself."""
        for at in (0, len(outputs) - 1):
            copies = self._from_start(np.repeat(x[at : at + 1], len(x), axis=0))
            if not _alike(copies, np.repeat(outputs[at : at + 1], len(x), axis=0)):
                raise RuntimeError(
                    f"it takes {len(x)} examples at once, and an example's outputs depend on those "
                    "beside it"
                )

    def _from_start(self, x: np.ndarray) -> np.ndarray:
        """`_invoke`, with nothing left of earlier calls."""
        if self.state == "resources":
            self._open()
        elif self.state == "tensors" and self._allocated:
            self._interpreter.reset_all_variables()
        return self._invoke(x)

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


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal, or for floats equal up to the rounding that another size of batch may bring."""
    if a.dtype != np.float32:
        return np.array_equal(a, b)
    finite = np.abs(b[np.isfinite(b)])
    room = 1e-4 * float(finite.max(initial=0.0))
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-4, atol=room, equal_nan=True))


def ties(outputs: np.ndarray) -> np.ndarray:
    """bool (n,): whether an example's two highest outputs are equal; argmax then takes the lower
    class."""
    highest = np.partition(outputs, -2, axis=1)[:, -2:]
    equal: np.ndarray = highest[:, 0] == highest[:, 1]
    return equal


def apart(outputs: np.ndarray, others: np.ndarray) -> tuple[int, int | None]:
    """Examples that two kernels classify differently, and those whose largest output is more than
    one step away; None for outputs that have no steps.

    outputs, others: as files give them, (n, classes).
    """
    flips = int((outputs.argmax(axis=1) != others.argmax(axis=1)).sum())
    if outputs.dtype.kind == "f":
        return flips, None
    largest = outputs.max(axis=1).astype(np.int64) - others.max(axis=1)
    return flips, int((abs(largest) > 1).sum())
