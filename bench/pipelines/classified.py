"""Predicted classes -> what a row keeps of them, whoever has made them."""

from typing import Any

import numpy as np


def judged(
    predictions: np.ndarray, labels: np.ndarray, classes: int, loss: float | None = None
) -> dict[str, Any]:
    """status, error, correct, accuracy (a fraction) and predictions of a classifier.

    predictions, labels: integers (n,); classes: how many have a name; loss: None where it is not
    known. A model has diverged where its loss is not finite, or where it is no more right than
    always naming the commonest class.
    """
    correct, constant = int((predictions == labels).sum()), int(np.bincount(labels).max())
    diverged = correct <= constant or (loss is not None and not np.isfinite(loss))
    reason = f"{correct} of {len(labels)} correct; one class for all gets {constant}"
    if loss is not None:
        reason = f"loss {loss:.3g}, {reason}"
    narrow = max(classes, int(predictions.max()) + 1) <= 256
    return {
        "status": "diverged" if diverged else "ok",
        "error": reason if diverged else None,
        "correct": correct,
        "accuracy": correct / len(labels),
        "predictions": predictions.astype(np.uint8 if narrow else np.dtype("<u2")).tobytes(),
    }
