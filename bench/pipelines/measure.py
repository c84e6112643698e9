"""Numbers of one file: what it is, what it answers, and whether Keras answers the same."""

from typing import Any

import numpy as np

from bench.datasets import Dataset
from bench.pipelines import evaluate, train
from bench.pipelines.audit import audit
from bench.pipelines.lean import tf

TRAIN_SEEN = 1000
"""Training examples at most that a model is evaluated on: all would double the evaluation."""


def measured(
    data: Dataset, trainer: train.Trainer, blob: bytes, against_keras: bool
) -> dict[str, Any]:
    """The columns of a row that say what a file is and what it answers on the data.

    against_keras: whether its answers are compared with those of the trainer's model. Raises
    ValueError if blob is no whole TFLite file, RuntimeError if it cannot be run.
    """
    evaluator = evaluate.Evaluator(blob, data.scale)
    outputs = evaluator.outputs(data.x_test)
    predictions = outputs.argmax(axis=1)
    tied = evaluate.ties(outputs)
    logits = evaluator.logits(outputs).astype(np.float64)
    n = len(data.x_test)
    correct = int((predictions == data.y_test).sum())
    loss = _cross_entropy(logits, data.y_test)
    seen = min(n, len(data.x_train), TRAIN_SEEN)
    train_predictions = evaluator.outputs(data.x_train[:seen]).argmax(axis=1)
    audited = audit(blob)
    # What always answering with the commonest class would score: no better is no model.
    constant = int(np.bincount(data.y_test).max())
    diverged = not np.isfinite(loss) or correct <= constant
    reason = f"loss {loss:.3g}, {correct} of {n} correct; one class for all gets {constant}"
    return {
        "status": "diverged" if diverged else "ok",
        "error": reason if diverged else None,
        "n": n,
        "correct": correct,
        "accuracy": correct / n,
        "metrics": {"accuracy": correct / n},
        "loss": loss,
        "train_accuracy": float((train_predictions == data.y_train[:seen]).mean()),
        "predictions": predictions.astype(
            np.uint8 if len(data.classes) <= 256 else np.uint16
        ).tobytes(),
        **{name: getattr(audited, name) for name in audited.__dataclass_fields__},
        "ties": int(tied.sum()),
        "not_finite": int((~np.isfinite(logits).all(axis=1)).sum()),
        "disagreements": disagreements(data, trainer, logits) if against_keras else None,
    }


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy in nats; logits: float64 (n, classes); labels: int32 (n,)."""
    with np.errstate(invalid="ignore", over="ignore"):
        shifted = logits - logits.max(axis=1, keepdims=True)
        chosen = np.take_along_axis(shifted, labels[:, None].astype(np.int64), axis=1)[:, 0]
        return float((np.log(np.exp(shifted).sum(axis=1)) - chosen).mean())


def disagreements(data: Dataset, trainer: train.Trainer, logits: np.ndarray) -> int:
    """Test examples that Keras and the float file classify differently, ties left out.

    A tie: Keras's two answers lie within 1e-5 of the largest logit of each other.
    """
    keras = keras_logits(trainer, data)
    ours, theirs = logits.argmax(axis=1)[:, None], keras.argmax(axis=1)[:, None]
    gap = np.take_along_axis(keras, theirs, 1) - np.take_along_axis(keras, ours, 1)
    return int((gap > 1e-5 * np.abs(keras).max(axis=1, keepdims=True)).sum())


def keras_logits(trainer: train.Trainer, data: Dataset) -> np.ndarray:
    """Keras's own logits on the test examples, float32 (n, classes)."""
    parts = range(0, len(data.x_test), evaluate.CHUNK)
    logits = [trainer.logits(tf.constant(data.x_test[i : i + evaluate.CHUNK])) for i in parts]
    return np.concatenate(logits)
