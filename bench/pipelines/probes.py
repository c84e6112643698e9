"""What untrained weights tell before anything trains: can this model, and this arm, be had?"""

from typing import Any

import numpy as np

from bench import models
from bench.datasets import Dataset
from bench.metrics import Task
from bench.pipelines import evaluate, hooks, tasks
from bench.pipelines import usable as checks
from bench.pipelines.blame import explained
from bench.pipelines.conversions import CONVERTS
from bench.pipelines.starts import STARTS, Checkpoint
from bench.pipelines.trainers import given, pretrained, trainer_of
from bench.plan.trajectories import Fork, Segment
from bench.study.arms import ARMS

Row = dict[str, Any]

UNTRAINED = (
    "`budgets` holds 0, and each seed draws other weights: nothing would be trained; budget 0 is "
    "for a model() that returns trained weights"
)


def probe(data: Dataset, segment: Segment, fork: Fork) -> Row:
    """Try with untrained weights what a fork of one cell does: build, quantize, convert, run.

    data: a few examples of each split. Returns `unusable`: why nothing can be done with the model,
    or None; `unsupported`: why this arm cannot be, or None; `batch_norms`: how many
    BatchNormalization layers there are.
    """
    found: Row = {"unusable": None, "unsupported": None, "batch_norms": 0}
    if reason := hooks.wrong(data, segment.model, segment.recipe["learning_rate"]):
        return found | {"unusable": reason}
    data = hooks.prepared(data, segment.model)
    try:
        base = trainer_of(data, segment, False)
    except (Exception, SystemExit) as error:
        return found | (unusable(segment, data) or {"unsupported": explained(error)})
    if reason := unusable(segment, data, base.model):
        return found | reason
    if segment.budget == 0 and not pretrained(data, segment):
        return found | {"unusable": UNTRAINED}
    found["batch_norms"] = checks.batch_norms(base.model)
    try:
        blob = untrained_file(data, segment, fork)
        kernels = fork.cells[0].recipe["kernels"]
        evaluate.Evaluator(blob, data.scale, kernels=kernels).outputs(data.x_test)
    except (MemoryError, OSError):  # this machine's, not this arm's
        raise
    except Exception as error:  # whatever the libraries raise is why this arm cannot be
        found["unsupported"] = explained(error)
    return found


def untrained_file(data: Dataset, segment: Segment, fork: Fork) -> bytes:
    """What a fork of one cell converts, of untrained weights."""
    (cell,) = fork.cells
    untrained = Checkpoint(0, trainer_of(data, segment, False).start, 0.0)
    trainer, state = STARTS[fork.training](data, segment, fork, untrained)
    trainer.load(state)
    return CONVERTS[ARMS[cell.arm].conversion](data, segment, cell, trainer)[0]


def unusable(segment: Segment, data: Dataset, model: Any = None) -> Row:
    """Why nothing can be done with a model of this name, or nothing.

    model: one that was built already; another one would count on in the names of its layers, which
    the files have in them.
    """
    task = segment.recipe.objective.task
    shape, classes = data.x_train.shape[1:], tasks.classes(data, task)
    x = data.x_train.astype(np.float32) / np.float32(data.scale)
    try:
        if model is None:
            model = models.get(segment.model).build(shape, classes, **dict(given(segment)))
        reason = checks.unusable(model, shape, classes, x, task)
    except ModuleNotFoundError as error:
        reason = f"needs the package {error.name!r}, which is not there"
        return {"unusable": _not_built(shape, classes, task, reason), "missing": True}
    except (Exception, SystemExit) as error:
        reason = f"cannot be built: {explained(error)}"
        if isinstance(error, FileNotFoundError):
            reason += "; a file that is read outside of data() has to stand in `files = [...]`"
        elif len(shape) == 1:
            reason += "; rows of a table need dense layers, as the built-in model mlp has them"
    if reason is None:
        return {}
    return {"unusable": _not_built(shape, classes, task, reason)}


def _not_built(shape: tuple[int, ...], classes: int, task: Task, reason: str) -> str:
    asked = f"{classes} classes" if task == "classification" else f"a {task}"
    return f"built for inputs of {shape} and {asked}, {reason}"
