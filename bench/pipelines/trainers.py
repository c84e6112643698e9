"""Trainers, converters and tensors that a process makes once for an architecture and keeps."""

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any
from weakref import WeakKeyDictionary

from bench import models
from bench.datasets import Dataset
from bench.metrics import Task
from bench.pipelines import convert, hooks, modes, streams, tasks, train
from bench.pipelines.annotate import first_and_last_in_float
from bench.pipelines.cache import recent
from bench.pipelines.lean import forget_gradients, tf
from bench.plan.cells import Recipe
from bench.plan.trajectories import Segment

OWN_DEFAULT = frozenset({"width", "activation"})
"""Fields that a model's function is given where a study sets them, else its own default holds."""

Given = tuple[tuple[str, Any], ...]
"""Fields of the study that a model's function asks for, beside shape and classes: name, level."""

TRAINERS = 16
"""Trainers that a process keeps, about 20 MB each for a small model: two for each architecture and
optimizer. One more is traced again, in a second or two."""


@dataclass(frozen=True)
class Setup:
    """What one traced trainer is for. optimizer: its name; a number: the learning rate that
    optimizer() of the model's file is given; inner_layers, depthwise_per_channel: of QAT, does it
    leave the first and the last layer in float, has each channel of a depthwise kernel a range?"""

    model: str
    given: Given
    shape: tuple[int, ...]
    classes: int
    scale: float
    optimizer: str | float
    weight_decay: float
    momentum: float | None
    quantized: bool
    loss: tuple[Task, str]
    inner_layers: bool = False
    depthwise_per_channel: bool = False


def trainer_of(
    data: Dataset,
    segment: Segment,
    quantized: bool,
    anew: bool = False,
    more: Recipe | None = None,
) -> train.Trainer:
    """The trainer of a segment's model. more: the recipe of the epochs more, where it is for those;
    anew: one that was not there before, for a comparison."""
    recipe = segment.recipe
    # What optimizer() of somebody's file makes may depend on the rate in any way.
    setup = Setup(
        segment.model,
        given(segment),
        data.x_train.shape[1:],
        tasks.classes(data, recipe.objective.task),
        data.scale,
        recipe.get("optimizer") or recipe["learning_rate"],
        recipe.get("weight_decay") or 0.0,
        recipe.get("batch_norm_momentum"),
        quantized,
        (recipe.objective.task, recipe.objective.loss),
    )
    if more is not None:
        decay = more.get("extra_weight_decay")
        setup = replace(
            setup,
            optimizer=more.get("extra_optimizer") or setup.optimizer,
            weight_decay=setup.weight_decay if decay is None else decay,
        )
        if quantized:
            part = more.get("qat_layers") == "first-and-last-float"
            per_channel = more.get("qat_granularity") == "depthwise-per-channel"
            setup = replace(setup, inner_layers=part, depthwise_per_channel=per_channel)
    return _trainer.__wrapped__(setup) if anew else _trainer(setup)


@lru_cache(maxsize=64)
def _pretrained(trainer: train.Trainer) -> bool:
    trainer.initial(0, {})
    return trainer.pretrained


def pretrained(data: Dataset, segment: Segment) -> bool:
    """Has every seed the same weights to begin with, as a model that loads them has?"""
    return models.is_own(segment.model) and _pretrained(trainer_of(data, segment, False))


def given(segment: Segment) -> Given:
    asked = models.parameters(segment.model)
    return tuple(
        (name, level)
        for name, level in segment.recipe.levels
        if name in asked and not (level is None and name in OWN_DEFAULT)
    )


@recent(TRAINERS, forget_gradients)
def _trainer(setup: Setup) -> train.Trainer:
    build, base = partial(models.get(setup.model).build, **dict(setup.given)), None
    annotate: Any = models.hook(setup.model, "annotate")
    if setup.quantized:
        base = _trainer(
            replace(setup, quantized=False, inner_layers=False, depthwise_per_channel=False)
        ).model
    if setup.inner_layers:
        annotate = first_and_last_in_float
    optimizer: Any = setup.optimizer
    if not isinstance(optimizer, str):
        optimizer = hooks.optimizer(setup.model, optimizer)
    return train.Trainer(
        build,
        setup.shape,
        setup.classes,
        optimizer,
        setup.scale,
        base,
        setup.momentum,
        annotate,
        setup.weight_decay,
        tasks.loss(setup.model, *setup.loss),
        setup.depthwise_per_channel,
    )


def converter_of(trainer: train.Trainer) -> convert.Converter:
    if trainer not in _converters:
        _converters[trainer] = convert.Converter(trainer.model, trainer.scale)
    return _converters[trainer]


_converters: WeakKeyDictionary[train.Trainer, convert.Converter] = WeakKeyDictionary()
"""It goes with its trainer."""


@lru_cache(maxsize=4)
def tensors(data: Dataset) -> tuple[Any, Any]:
    return tf.constant(data.x_train), tf.constant(data.y_train)


def trained(
    trainer: train.Trainer,
    data: Dataset,
    segment: Segment,
    state: train.State,
    course: modes.Course,
    start: int,
    end: int,
    epoch: int = 0,
) -> train.State:
    """The state after the steps [start, end) of a course whose first epoch has the number `epoch`.

    data: of which the course takes the first course.extent.examples, as Dataset.first chooses.
    """
    rate, seed, pin = segment.recipe["learning_rate"], segment.seed, dict(segment.recipe.pin)
    n, batch = course.extent.examples, course.extent.batch
    data = data if n == len(data.x_train) else data.first(n)
    trainer.load(state)
    at = None
    for piece in course.pieces(start, end, epoch):
        if piece.epoch != at:
            order = streams.data_order(n, piece.epoch, seed, pin)
            # In the middle of an epoch layers go on drawing where they were.
            drawn = state.draws if piece.first and at is None else ()
            of_both = [streams.noise(piece.epoch, seed, pin, of) for of in AUGMENTING]
            trainer.randomness.begin(*of_both, drawn)
            made = None
            if course.augmentation:
                made = hooks.augmented(data, segment.model, piece.epoch, seed, pin)
            x, y = tensors(data) if made is None else map(tf.constant, made)
            at = piece.epoch
        rates = course.rates(rate, piece.step, piece.step + piece.last - piece.first)
        trainer.steps(x, y, order, batch, rates, piece.first, piece.last, piece.mode)
    return trainer.state


AUGMENTING = ("dropout", "augmentation")
"""Streams of layers that draw."""
