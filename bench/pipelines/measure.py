"""Numbers of one file: what it is, what it answers, and whether Keras answers the same."""

from typing import Any

import numpy as np

from bench import metrics
from bench.datasets import Dataset
from bench.metrics import Measured, Task, own
from bench.pipelines import evaluate, tasks, train
from bench.pipelines.audit import audit
from bench.pipelines.classified import judged
from bench.pipelines.lean import tf
from bench.store import measures
from bench.study.objective import Objective

TRAIN_SEEN = 1000
"""Training examples at most that a model is evaluated on: all would double the evaluation."""

Columns = dict[str, Any]


def measured(
    data: Dataset,
    trainer: train.Trainer,
    blob: bytes,
    against_keras: bool,
    objective: Objective = Objective(),  # noqa: B008
    kernels: str = "xnnpack",
    threads: int = 1,
) -> Columns:
    """The columns of a row that say what a file is and what it answers on the data.

    kernels, threads: as of evaluate.Evaluator; against_keras: whether its answers are compared with
    those of the trainer's model. Raises ValueError if blob is no whole TFLite file, RuntimeError if
    it cannot be run.
    """
    task = objective.task
    evaluator = evaluate.Evaluator(blob, data.scale, kernels=kernels, threads=threads)
    outputs = evaluator.outputs(data.x_test)
    flips = off = None
    if (kernels, threads) != ("xnnpack", 1) and task == "classification":
        others = evaluate.Evaluator(blob, data.scale).outputs(data.x_test)
        flips, off = evaluate.apart(outputs, others)
    real = evaluator.logits(outputs)
    inputs = tasks.fed(data.x_test, data.scale) if task == "reconstruction" else data.x_test
    answers = tasks.answers(task, real, inputs)
    if task == "classification":
        found = _classified(data, evaluator, outputs, answers)
    else:
        found = _approximated(data, answers, objective, trainer.own_loss)
    audited = audit(blob)
    measured_by = {name: _measured(name, data, answers, real) for name in objective.metrics}
    flat = real.reshape(len(real), -1)
    return {
        "n": len(data.x_test),
        **found,
        "metrics": {name: each.value for name, each in measured_by.items()},
        "values": {
            name: measures.stored(each.values)
            for name, each in measured_by.items()
            if each.values is not None
        }
        or None,
        **{name: getattr(audited, name) for name in audited.__dataclass_fields__},
        "outputs_at_limit": evaluator.at_limit(outputs),
        "clipped_inputs": evaluator.clipped(data.x_test),
        "kernel_flips": flips,
        "kernel_outputs": off,
        "latency_us": evaluator.latency(data.x_test),
        "not_finite": int((~np.isfinite(flat).all(axis=1)).sum()),
        "disagreements": disagreements(data, trainer, real, task) if against_keras else None,
    }


def _measured(name: str, data: Dataset, answers: np.ndarray, real: np.ndarray) -> Measured:
    if own.metric(name) is None:
        return metrics.measure(name, data.y_test, answers)
    return own.measure(name, data.y_test, real, x=tasks.fed(data.x_test, data.scale))


def _classified(
    data: Dataset, evaluator: evaluate.Evaluator, outputs: np.ndarray, logits: np.ndarray
) -> Columns:
    """outputs: as the file gives them; logits: float64 (n, classes)."""

    def predicted(outputs: np.ndarray) -> np.ndarray:
        if outputs.shape[1] > 1:
            named: np.ndarray = outputs.argmax(axis=1)
            return named
        positive: np.ndarray = (evaluator.logits(outputs)[:, 0] > 0).astype(np.int64)
        return positive

    predictions, n = predicted(outputs), len(data.x_test)
    loss = _cross_entropy(logits, data.y_test)
    seen = min(n, len(data.x_train), TRAIN_SEEN)
    train_predictions = predicted(evaluator.outputs(data.x_train[:seen]))
    tied = evaluate.ties(outputs if outputs.shape[1] > 1 else logits)
    return {
        **judged(predictions, data.y_test, len(data.classes), loss),
        "loss": loss,
        "train_accuracy": float((train_predictions == data.y_train[:seen]).mean()),
        "ties": int(tied.sum()),
    }


def _approximated(
    data: Dataset, answers: np.ndarray, objective: Objective, own_loss: bool
) -> Columns:
    """answers: float64 (n,), the numbers of a regression, or reconstruction errors."""
    if objective.task == "regression":
        name = objective.loss
        loss = metrics.measure(name, data.y_test, answers).value
    else:
        name, normal = "mse", answers[data.y_test == 0]
        with np.errstate(over="ignore", invalid="ignore"):
            loss = float(normal.mean())
    constant = tasks.constant(objective.task, name, data)
    # A loss of somebody's own may be after something else than the mean: only what is no number
    # tells then.
    diverged = not np.isfinite(loss) or (loss >= constant and not own_loss)
    reason = f"{name} {loss:.3g}; one answer for all gets {constant:.3g}"
    return {
        "status": "diverged" if diverged else "ok",
        "error": reason if diverged else None,
        "loss": loss,
    }


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy in nats; logits: float64 (n, classes); labels: int32 (n,)."""
    with np.errstate(invalid="ignore", over="ignore"):
        shifted = logits - logits.max(axis=1, keepdims=True)
        chosen = np.take_along_axis(shifted, labels[:, None].astype(np.int64), axis=1)[:, 0]
        return float((np.log(np.exp(shifted).sum(axis=1)) - chosen).mean())


def disagreements(
    data: Dataset, trainer: train.Trainer, outputs: np.ndarray, task: Task = "classification"
) -> int:
    """Test examples for which Keras and the float file answer differently, beyond float rounding.

    Classes that are tied are left out: Keras's two answers lie within 1e-5 of the largest logit of
    each other (of the largest of all examples where there is one logit). Numbers may differ by
    1e-4 of the largest. outputs: float32 (n, ...), the file's.
    """
    keras = keras_outputs(trainer, data)
    if task != "classification":
        return int(differing(outputs, keras).sum())
    largest = np.abs(keras).max(axis=1, keepdims=True)
    if keras.shape[1] == 1:
        largest = largest.max(keepdims=True)
        outputs, keras = (np.concatenate([np.zeros_like(z), z], axis=1) for z in (outputs, keras))
    ours, theirs = outputs.argmax(axis=1)[:, None], keras.argmax(axis=1)[:, None]
    gap = np.take_along_axis(keras, theirs, 1) - np.take_along_axis(keras, ours, 1)
    return int((gap > 1e-5 * largest).sum())


def differing(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """bool (n,): which examples of two arrays (n, ...) differ anywhere by more than float rounding
    brings, 1e-4 of the largest."""
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    finite = np.abs(b[np.isfinite(b)])
    room = 1e-4 * float(finite.max(initial=0.0))
    with np.errstate(invalid="ignore"):
        near = np.isclose(a, b, rtol=0.0, atol=room, equal_nan=True)
    unlike: np.ndarray = ~near.all(axis=1)
    return unlike


def keras_outputs(trainer: train.Trainer, data: Dataset) -> np.ndarray:
    """Keras's own outputs on the test examples, float32 (n, ...)."""
    parts = range(0, len(data.x_test), evaluate.CHUNK)
    outputs = [trainer.logits(tf.constant(data.x_test[i : i + evaluate.CHUNK])) for i in parts]
    return np.concatenate(outputs)
