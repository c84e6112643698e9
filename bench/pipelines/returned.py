"""What an arm of somebody's own pipeline returned: read by its shape and type, and judged.

NumPy only, and the TFLite interpreter where it is a file; no TensorFlow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import metrics
from bench.datasets import Dataset
from bench.errors import InputError
from bench.metrics import own as own_metrics
from bench.pipelines.classified import judged
from bench.store import measures
from bench.study.objective import Objective

ALLOWED = (
    "allowed: integers (n,), classes; floats (n, classes), scores; floats (n,), a regression's "
    "outputs or scores; bytes or the path of a .tflite; a dict of metrics"
)

MOST_CLASSES = 65_536

LARGEST_FILE = 1 << 30
"""Bytes of a .tflite that is read."""


@dataclass(frozen=True, eq=False)
class Answer:
    """kind: `classes`, int (n,); `outputs`, float (n, ...); `file`, bytes of a .tflite; `metrics`,
    name -> float."""

    kind: str
    value: Any

    def differs(self, other: "Answer") -> str | None:
        """What is unequal in what the same arm returned again, bit by bit; None: nothing. Metrics
        that are times are never equal, and not compared."""
        if self.kind != other.kind:
            return f"{self.shown} and then {other.shown}"
        if self.kind == "metrics":
            for name in self.value.keys() | other.value.keys():
                a, b = self.value.get(name), other.value.get(name)
                if a != b and not is_time(name):
                    return f"{name} {a} and then {b}"
            return None
        if self.kind == "file":
            if self.value == other.value:
                return None
            return f"{self.shown} and then other {len(other.value):,} bytes"
        a, b = self.value, other.value
        if a.shape != b.shape:
            return f"{self.shown} and then {other.shown}"
        unequal = ~((a == b) | ((a != a) & (b != b)))
        if not unequal.any():
            return None
        of_it = unequal.reshape(len(a), -1).any(axis=1)
        at = int(np.argmax(of_it))
        place = tuple(int(i[0]) for i in np.nonzero(unequal))
        return (
            f"{int(of_it.sum()):,} of {len(a):,} test examples unlike, first example {at}: "
            f"{a[place]!s} and then {b[place]!s}"
        )

    @property
    def shown(self) -> str:
        """In a few words."""
        if self.kind == "metrics":
            return "metrics " + ", ".join(f"{n} {v:.4g}" for n, v in self.value.items())
        if self.kind == "file":
            return f"a .tflite of {len(self.value):,} bytes"
        what = "classes" if self.kind == "classes" else "outputs"
        return f"{what} {self.value.shape}"


_TIMES = frozenset(
    {"ms", "us", "ns", "s", "seconds", "time", "latency", "duration", "fps", "throughput", "energy"}
)


def is_time(name: str) -> bool:
    """Is a metric of this name measured anew each time it is: `latency_ms`, `train_s`?"""
    return bool(_TIMES & set(name.lower().replace("-", "_").split("_")))


def read(value: Any, where: str, folder: Path, examples: int | None) -> Answer:
    """What a function returned. folder: where a relative path starts; examples: in the test set,
    None where that is not known. Raises InputError naming `where` and what was found."""
    if isinstance(value, bytes | bytearray | memoryview):
        return _file(bytes(value), where)
    if isinstance(value, str | Path):
        path = folder / value
        if not path.is_file():
            raise InputError(where, f"found {str(value)!r:.100}, which is no file", ALLOWED)
        if path.stat().st_size > LARGEST_FILE:
            raise InputError(where, f"a file of {path.stat().st_size:,} bytes", "allowed: 1 GiB")
        return _file(path.read_bytes(), where)
    if isinstance(value, Mapping):
        return _metrics(value, where)
    if value is None:
        raise InputError(where, "it returned None", ALLOWED)
    return _array(value, where, examples)


def _file(blob: bytes, where: str) -> Answer:
    if blob[4:8] != b"TFL3":
        raise InputError(where, f"{len(blob):,} bytes that are no TFLite file", ALLOWED)
    return Answer("file", blob)


def _metrics(value: Mapping[Any, Any], where: str) -> Answer:
    found = {}
    for name, number in value.items():
        if not isinstance(name, str) or not name:
            raise InputError(where, f"a metric called {name!r:.60}", "allowed: names")
        plain = np.asarray(number) if not isinstance(number, str) else np.asarray(None)
        if plain.ndim or plain.dtype.kind not in "iufb":
            raise InputError(where, f"{name} is {number!r:.60}", "allowed: one number for each")
        if not np.isfinite(plain):
            raise InputError(where, f"{name} is {float(plain)}", "allowed: finite numbers")
        found[name] = float(plain)
    if not found:
        raise InputError(where, "it returned an empty dict", ALLOWED)
    return Answer("metrics", found)


def _array(value: Any, where: str, examples: int | None) -> Answer:
    try:
        array = np.asarray(value)
    except Exception as error:  # whatever a foreign type's conversion raises
        raise InputError(
            where, f"it returned {type(value).__name__}, which is no array ({error})", ALLOWED
        ) from None
    if array.dtype == object or array.dtype.kind not in "iuf" or array.ndim not in (1, 2):
        kind = type(value).__name__ if array.dtype == object else f"the type {array.dtype}"
        raise InputError(where, f"{kind} and shape {array.shape} returned", ALLOWED)
    if examples is None:
        raise InputError(
            where,
            f"an array of shape {array.shape} returned, but no labels are known",
            "allowed: metrics by name, or labels() or data() beside it",
        )
    if len(array) != examples:
        raise InputError(
            where,
            f"{len(array):,} predictions for {examples:,} test examples (shape {array.shape})",
            "allowed: one for each, in their order",
        )
    if array.dtype.kind in "iu":
        if array.ndim != 1:
            raise InputError(
                where, f"integers of shape {array.shape}", "allowed: integers (n,), classes"
            )
        return Answer("classes", array)
    return Answer("outputs", array)


def row(
    answer: Answer, where: str, data: Dataset, objective: Objective, seed: int, budget: int
) -> dict[str, Any]:
    """The columns of a row that say what it answers on the data. Raises InputError."""
    if answer.kind == "metrics":
        return {"status": "ok", "error": None, "metrics": _wanted(answer.value, where, objective)}
    judge = Judge(where, data, objective, {"x": data.x_test, "seed": seed, "budget": budget})
    if answer.kind == "file":
        return judge.of_file(answer.value)
    return judge.of(answer.value)


def _wanted(found: Mapping[str, float], where: str, objective: Objective) -> dict[str, float]:
    primary = objective.metrics[0]
    if primary not in found:
        raise InputError(
            where,
            f"metrics {', '.join(found)}, and not {primary}, which the study is about",
            "allowed: with it, or `metrics = [...]` in the file, the primary one first",
        )
    return dict(found)


@dataclass(frozen=True, eq=False)
class Judge:
    """Outputs against the data. where: who gave them; given: what a metric of somebody's own may
    ask for. Its methods return columns of a row, and raise InputError."""

    where: str
    data: Dataset
    objective: Objective
    given: Mapping[str, Any]

    def of(self, outputs: np.ndarray) -> dict[str, Any]:
        """outputs: int (n,), or float (n, ...)."""
        self._check(outputs)
        n = len(self.data.y_test)
        is_float = outputs.dtype.kind == "f"
        bad = int((~np.isfinite(outputs.reshape(n, -1))).any(axis=1).sum()) if is_float else 0
        found: dict[str, Any] = {"status": "ok", "error": None, "n": n, "not_finite": bad}
        if self.objective.task == "classification" and (outputs.ndim == 2 or not is_float):
            found |= self._classified(outputs)
        if bad:
            found |= {"status": "diverged", "error": f"{bad} of {n} outputs are not finite"}
        measured = {name: self._measured(name, outputs) for name in self.objective.metrics}
        return found | {
            "metrics": {name: each.value for name, each in measured.items()},
            "values": {
                name: measures.stored(each.values)
                for name, each in measured.items()
                if each.values is not None
            },
        }

    def _check(self, outputs: np.ndarray) -> None:
        """Are they of the kind that the task has?"""
        task, primary = self.objective.task, self.objective.metrics[0]
        shape, is_float = outputs.shape, outputs.dtype.kind == "f"
        if outputs.ndim == 2 and shape[1] < 2:
            raise InputError(
                self.where, f"outputs of shape {shape}", "allowed: (n,), or (n, classes)"
            )
        if task != "classification":
            if outputs.ndim != 1 or not is_float:
                raise InputError(
                    self.where,
                    f"{outputs.dtype} of shape {shape}, but {primary} is a metric of a {task}",
                    "allowed: floats (n,)",
                )
        elif is_float and outputs.ndim == 1 and primary in metrics.names() and primary != "auc":
            whole = bool(np.isfinite(outputs).all() and (outputs == np.round(outputs)).all())
            raise InputError(
                self.where,
                f"floats of shape {shape}, but {primary} needs a class for each example",
                f"allowed: integers (n,), classes{': .astype(int)' if whole else ''}; floats "
                "(n, classes), scores; or another metric first, such as auc or mae",
            )

    def _measured(self, name: str, outputs: np.ndarray) -> metrics.Measured:
        y = self.data.y_test
        if own_metrics.metric(name) is not None and not own_metrics.is_returned(name):
            return own_metrics.measure(name, y, outputs, **self.given)
        if name not in metrics.names():
            raise InputError(
                self.where,
                f"predictions, from which {name} does not follow",
                "allowed: a dict of metrics, or a function of that name in the file",
            )
        if outputs.dtype.kind in "iu" and name != "accuracy":
            raise InputError(
                self.where,
                f"classes, from which {name} does not follow",
                "allowed: floats (n, classes), scores",
            )
        return metrics.measure(name, y, outputs)

    def _classified(self, outputs: np.ndarray) -> dict[str, Any]:
        """n, correct, accuracy and predictions."""
        y, classes = self.data.y_test, len(self.data.classes)
        highest = int(y.max())
        if outputs.ndim == 2:
            if outputs.shape[1] <= highest:
                raise InputError(
                    self.where,
                    f"scores of shape {outputs.shape}, but there is the label {highest}",
                    f"allowed: (n, classes), at least {highest + 1} classes",
                )
            predictions = outputs.argmax(axis=1)
        else:
            predictions = outputs
            known = classes if len(self.data.x_train) else MOST_CLASSES
            low, high = int(predictions.min()), int(predictions.max())
            if low < 0 or high >= known:
                wrong = low if low < 0 else high
                raise InputError(self.where, f"the class {wrong}", f"allowed: 0 to {known - 1:,}")
        return judged(predictions, y, classes)

    def of_file(self, blob: bytes) -> dict[str, Any]:
        """A .tflite, audited and evaluated on the test inputs."""
        from bench.pipelines import evaluate
        from bench.pipelines.audit import audit

        x = self.data.x_test
        if not x.size:
            raise InputError(
                self.where,
                "a .tflite returned, but no inputs are known",
                "allowed: with data() beside it",
            )
        try:
            audited = audit(blob)
            taken, given = evaluate.ports(blob)
        except ValueError as error:
            raise self._unfit(f"cannot be read ({_line(error)})") from None
        if len(taken) != 1 or len(given) != 1:
            raise self._unfit(f"has {len(taken)} inputs and {len(given)} outputs")
        if given[0].dtype not in ("float32", "int8", "uint8"):
            raise self._unfit(f"gives {given[0].dtype}")
        shape = self._fitting(taken[0].shape[1:], x.shape[1:])
        evaluator = evaluate.Evaluator(blob, self.data.scale)
        try:
            outputs = evaluator.outputs(x.reshape(-1, *shape))
        except RuntimeError as error:
            raise self._unfit(f"cannot be run ({_line(error)})") from None
        ties = None
        if outputs.ndim == 2 and outputs.shape[1] > 1:
            ties = int(evaluate.ties(outputs).sum())
        real = evaluator.logits(outputs).astype(np.float64)
        if real.ndim == 2 and real.shape[1] == 1:
            real = real[:, 0]
        audit_of = {name: getattr(audited, name) for name in audited.__dataclass_fields__}
        return {**self.of(real), **audit_of, "ties": ties}

    def _unfit(self, what: str) -> InputError:
        return InputError(
            self.where,
            f"a .tflite that {what}",
            "allowed: one input, an example as data() gives it, and one output",
        )

    def _fitting(self, wanted: tuple[int, ...], there: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of one example as the file takes it: whole, without a channel, or flat."""
        shapes = [there, (int(np.prod(there)),)]
        if there[-1:] == (1,):
            shapes.append(there[:-1])
        for shape in shapes:
            if len(shape) == len(wanted) and all(
                w in (-1, s) for w, s in zip(wanted, shape, strict=True)
            ):
                return shape
        raise self._unfit(f"takes examples of {wanted}, not of {there}")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
