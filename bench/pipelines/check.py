"""Checks of a model on some of its data before hours are spent: what needs TensorFlow.

Each function of CHECKS is asked by name, so that one that ends its process names itself.
"""

import re
import resource
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from bench import models
from bench.datasets import Dataset
from bench.pipelines import (
    cell,
    evaluate,
    hooks,
    measure,
    modes,
    probes,
    streams,
    tasks,
    train,
    trainers,
    usable,
)
from bench.pipelines.audit import audit
from bench.pipelines.blame import explained
from bench.pipelines.data_checks import ALIKE, FILE, LOSS, MODEL, SAME, Check
from bench.pipelines.lean import QuantizeLayer, tf_keras, tfmot
from bench.plan.trajectories import Fork, Segment
from bench.study.effective import effective

Pieces = Sequence[tuple[Segment, Fork]]

REPEATED = 256
"""Training examples of the epoch that is run twice."""

TIMED_S = 2.0
"""Seconds that a step's time is measured for at most, of more than one step."""

FAR = 20
"""Times the loss of guessing that untrained weights may have."""

FIT = "labels and outputs must be what the loss takes: look at data(), model() and loss()"
LEAVE = "leave it out of `arms`; a run would give its cells as unsupported"
DRAW = "draw numbers by tf.random or by Keras's layers only, and keep no state elsewhere"
WITHOUT_QAT = 'study = dict(arms=["float", "ptq", "float+k", "ptq+k"]), which does no QAT'

keras = tfmot.quantization.keras

_REFUSED = re.compile(r"Layer (?P<name>[^:]+):.* is not supported")


def prepare() -> None:
    cell.prepare()


def check(name: str, data: Dataset, pieces: Pieces) -> Check:
    """One of CHECKS, or `arm NAME`. data: some examples; pieces: a fork of one cell per arm."""
    segment = pieces[0][0]
    if reason := hooks.wrong(_first(data, 8), segment.model, segment.recipe["learning_rate"]):
        return Check(name, False, reason, "mend it")
    data = hooks.prepared(data, segment.model)
    if name.startswith("arm "):
        return _arm(name.removeprefix("arm "), data, pieces)
    return CHECKS[name](data, pieces)


def _model(data: Dataset, pieces: Pieces) -> Check:
    segment = pieces[0][0]
    if reason := probes.unusable(segment, _first(data, 8)):
        return Check(MODEL, False, reason["unusable"], _remedy_for_model(reason["unusable"]))
    model = trainers.trainer_of(data, segment, False).model
    norms = usable.batch_norms(model)
    found = (
        f"inputs {data.x_train.shape[1:]}, outputs {tuple(model.output_shape[1:])}, "
        f"{model.count_params():,} parameters, {norms} BatchNormalization layers"
    )
    if norms and not models.normalizes(segment.model):
        remedy = (
            "import them as tf_keras.layers.BatchNormalization in your file, not by other names"
        )
        return Check(MODEL, False, f"{found}, which its source does not name", remedy)
    momentum = dict(segment.recipe.levels).get("batch_norm_momentum")
    if not norms and momentum is not None:
        return Check(MODEL, False, found, "leave batch_norm_momentum out of the study")
    return Check(MODEL, True, found)


def _remedy_for_model(why: str) -> str:
    if "softmax" in why or "sigmoid" in why or "probabilities" in why:
        return "leave the last activation away: Dense(classes)"
    if "inputs of shape" in why or "input of a known shape" in why:
        return "build it for its parameters: layers.Input(shape)"
    if "output of shape" in why:
        return "end in layers.Dense(classes)"
    if "Keras 3" in why:
        return "import tf_keras"
    if "package" in why:
        return "install it in the environment of every node"
    return "mend model()"


def _loss(data: Dataset, pieces: Pieces) -> Check:
    """One step with untrained weights: the loss is a number, near guessing's, and moves them."""
    segment = pieces[0][0]
    few = hooks.prepared(_first(data, REPEATED), segment.model)
    trainer = trainers.trainer_of(few, segment, False)
    trainer.load(trainer.start)
    x, y = trainers.tensors(few)
    n, noise = len(few.x_train), [streams.noise(0, segment.seed, {})]
    rate = segment.recipe["learning_rate"]
    try:
        loss = trainer.run(x, y, [np.arange(n, dtype=np.int32)], n, rate, noise)
    except Exception as error:  # whatever a loss of somebody's own raises
        return Check(LOSS, False, explained(error), FIT)
    found = f"{loss:.3g} over {n} examples with untrained weights"
    if not np.isfinite(loss):
        return Check(LOSS, False, found, "look for labels or inputs that the loss cannot take")
    after = trainer.state.weights
    pairs = zip(trainer.start.weights, after, strict=True)
    if all(one.tobytes() == other.tobytes() for one, other in pairs):
        return Check(LOSS, False, f"{found}, and a step moves no weight", FIT)
    if not trainer.own_loss and data.classes and segment.recipe.objective.task == "classification":
        guessing = float(np.log(max(2, len(data.classes))))
        found += f"; guessing gives {guessing:.3g}"
        if loss > FAR * guessing:
            return Check(LOSS, False, found, "scale the inputs, or the network's last layer, down")
    return Check(LOSS, True, found)


def _same_bits(data: Dataset, pieces: Pieces) -> Check:
    segment = pieces[0][0]
    few = _first(data, REPEATED)
    pin = dict(segment.recipe.pin)
    states: list[Any] = []
    for again in (False, True):
        # The second is built and traced anew.
        trainer = trainers.trainer_of(few, segment, False, again)
        try:
            start = trainer.initial(segment.seed, pin)
        except train.Uncontrolled as error:
            return Check(SAME, False, str(error), DRAW)
        course = modes.of_float(segment.recipe, len(few.x_train), 1)
        after = trainers.trained(trainer, few, segment, start, course, 0, course.total)
        states.append(after.weights)
    wrong = [
        variable.name
        for variable, one, other in zip(trainer.model.weights, *states, strict=True)
        if one.tobytes() != other.tobytes()
    ]
    if wrong:
        return Check(SAME, False, f"{len(wrong)} weights differ, such as {wrong[0]}", DRAW)
    return Check(
        SAME, True, f"{len(states[0])} weights after an epoch over {len(few.x_train)} examples"
    )


def _quantized_alike(data: Dataset, pieces: Pieces) -> Check:
    segment = pieces[0][0]
    try:
        trainer = trainers.trainer_of(data, segment, True)
    except train.Unsupported as error:
        tf_keras.backend.reset_uids()  # layers without a name get those that they have in a run
        build = models.get(segment.model).build
        given = dict(trainers.given(segment))
        classes = tasks.classes(data, segment.recipe.objective.task)
        model = build(data.x_train.shape[1:], classes, **given)
        unknown, refused = _refused_layers(model)
        found = f"TFMOT refuses {_named((*unknown, *refused)) or f'it: {explained(error)}'}"
        if left := [(x.name, "Lambda") for x in model.layers if _is_lambda(x)]:
            found += f", and leaves {_named(left)} in float"
        return Check(ALIKE, False, found, _remedy(unknown, refused, str(error)))
    except train.Refused as error:
        return Check(ALIKE, False, explained(error), WITHOUT_QAT)
    layers = trainer.model.layers
    found = f"all weights found in {len(layers)} layers, same outputs to 0.1%"
    left = [(x.name, type(x).__name__) for x in layers if not isinstance(x, _QUANTIZED)]
    if left:
        remedy = _remedy(left, [], "")
        return Check(ALIKE, False, f"{found}; TFMOT leaves {_named(left)} in float", remedy)
    return Check(ALIKE, True, found)


Layers = list[tuple[str, str]]  # name, class

_QUANTIZED = (keras.QuantizeWrapper, QuantizeLayer, tf_keras.layers.InputLayer)


def _named(layers: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in layers)


def _is_lambda(layer: Any) -> bool:
    """quantize_model leaves a Lambda as it is."""
    return isinstance(layer, tf_keras.layers.Lambda)


def _refused_layers(model: Any) -> tuple[Layers, Layers]:
    """Layers that cannot be cloned, and layers that TFMOT has no way to quantize, all of them: it
    names only the first itself."""
    unknown, refused = [(x.name, type(x).__name__) for x in model.layers if not _clones(x)], []

    def annotated(layer: Any) -> Any:
        left = layer.name in dict(unknown + refused)
        left = left or isinstance(layer, tf_keras.layers.InputLayer) or _is_lambda(layer)
        return layer if left else keras.quantize_annotate_layer(layer)

    while True:
        try:
            keras.quantize_apply(tf_keras.models.clone_model(model, clone_function=annotated))
            return unknown, refused
        except (RuntimeError, ValueError, TypeError) as error:
            found = _REFUSED.match(str(error))
            if found is None or found["name"] in dict(refused):
                return unknown, refused
            name = found["name"]
            kinds = [type(layer).__name__ for layer in model.layers if layer.name == name]
            refused.append((name, kinds[0] if kinds else "a layer that TFMOT makes of others"))


def _clones(layer: Any) -> bool:
    """Can TFMOT make such a layer anew, from what it says of itself?"""
    if _is_lambda(layer):
        return True
    try:
        annotated = keras.quantize_annotate_layer(layer)
        with keras.quantize_scope():
            type(annotated).from_config(annotated.get_config())
    except Exception:  # whatever a layer of somebody's own raises, TFMOT meets it too
        return False
    return True


def _remedy(unknown: Layers, refused: Layers, said: str) -> str:
    kinds = {kind for _, kind in (*unknown, *refused)}
    if "inside another" in said:
        does = "put its layers into one flat model"
    elif "Lambda" in kinds:
        does = "write a Lambda as a layer of a class or as plain operators (x * 2)"
    elif unknown:
        does = (
            "put @tf_keras.utils.register_keras_serializable() above its class, with get_config()"
        )
    elif "BatchNormalization" in kinds:
        does = "put BatchNormalization directly behind a convolution"
    elif "LayerNormalization" in kinds:
        does = "use BatchNormalization behind convolutions in its place"
    else:
        does = "use layers that TFMOT knows in their place"
    return f"{does}, or {WITHOUT_QAT}"


def _float_file(data: Dataset, pieces: Pieces) -> Check:
    few = _first(data, REPEATED)
    trainer = trainers.trainer_of(few, pieces[0][0], False)
    trainer.load(trainer.start)
    evaluator = evaluate.Evaluator(trainers.converter_of(trainer).float32(), few.scale)
    outputs = evaluator.outputs(few.x_test)
    real = evaluator.logits(outputs).astype(np.float64)
    largest = float(np.abs(real - measure.keras_outputs(trainer, few)).max())
    task = pieces[0][0].recipe.objective.task
    different = measure.disagreements(few, trainer, real, task)
    what = "classes" if task == "classification" else "answers"
    found = f"outputs differ by {largest:.1g} at most, {different} of {len(real)} {what} do"
    alike = not different
    return Check(FILE, alike, found, "" if alike else "file an issue with the network")


def _arm(arm: str, data: Dataset, pieces: Pieces) -> Check:
    """Build, quantize, convert and run what the arm evaluates, with untrained weights."""
    what = f"arm {arm}"
    segment, fork = next((s, f) for s, f in pieces if f.cells[0].arm == arm)
    try:
        blob = probes.untrained_file(data, segment, fork)
        evaluate.Evaluator(blob, data.scale).outputs(data.x_test[:8])
    except Exception as error:  # whatever the libraries raise is why this arm cannot be
        return Check(what, False, explained(error), LEAVE)
    audited = audit(blob)
    wanted = effective(arm, fork.cells[0].recipe.levels).number_format
    found = f"{audited.number_format}, {audited.bytes:,} bytes"
    if audited.number_format == wanted:
        return Check(what, True, found)
    return Check(
        what,
        False,
        f"{found}, not {wanted}: {audited.float_ops} of "
        f"{audited.float_ops + audited.int8_ops} operators stay in float",
        "use layers that have int8 kernels, or leave the arm out: its verdicts would be withheld",
    )


CHECKS: dict[str, Callable[[Dataset, Pieces], Check]] = {
    MODEL: _model,
    LOSS: _loss,
    SAME: _same_bits,
    ALIKE: _quantized_alike,
    FILE: _float_file,
}
"""In the order in which they are asked; the first has to hold for the others."""


def measured(data: Dataset, pieces: Pieces, quantized: bool) -> tuple[list[float], int]:
    """Seconds of a training step of the study's batch size, float and, if asked for and possible,
    QAT; and the largest memory of this process so far, in bytes."""
    data = hooks.prepared(data, pieces[0][0].model)
    seconds = [_step_s(data, pieces[0][0], False)]
    if quantized:
        with suppress(train.Refused):
            seconds.append(_step_s(data, pieces[0][0], True))
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _step_s(data: Dataset, segment: Segment, quantized: bool) -> float:
    trainer = trainers.trainer_of(data, segment, quantized)
    trainer.load(trainer.start)
    x, y = trainers.tensors(data)
    batch, rate = segment.recipe["batch_size"], segment.recipe["learning_rate"]
    n = len(data.x_train)
    noise = [streams.noise(0, segment.seed, {})]
    trainer.run(x, y, [np.arange(min(n, batch), dtype=np.int32)], batch, rate, noise)  # traces

    def timed(examples: int) -> float:
        started = time.perf_counter()
        trainer.run(x, y, [np.arange(examples, dtype=np.int32)], batch, rate, noise)
        return (time.perf_counter() - started) / -(-examples // batch)

    one = timed(min(n, batch))
    return timed(min(n, batch * max(1, int(TIMED_S / one))))


def _first(data: Dataset, n: int) -> Dataset:
    return replace(
        data,
        key=f"{data.key}/first {n}",
        x_train=data.x_train[:n],
        y_train=data.y_train[:n],
        x_test=data.x_test[:n],
        y_test=data.y_test[:n],
        paths=data.paths[:n],
    )
