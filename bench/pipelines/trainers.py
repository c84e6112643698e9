"""Trainers, converters and tensors that a process makes once for an architecture and keeps."""

from functools import lru_cache, partial
from typing import Any
from weakref import WeakKeyDictionary

from bench import models
from bench.datasets import Dataset
from bench.pipelines import convert, hooks, streams, train
from bench.pipelines.cache import recent
from bench.pipelines.lean import forget_gradients, tf
from bench.plan.trajectories import Segment

Given = tuple[tuple[str, Any], ...]
"""Fields of the study that a model's function asks for, beside shape and classes: name, level."""

TRAINERS = 16
"""Trainers that a process keeps, about 20 MB each for a small model: two for each architecture and
optimizer. One more is traced again, in a second or two."""


def trainer_of(
    data: Dataset, segment: Segment, quantized: bool, anew: bool = False
) -> train.Trainer:
    """anew: one that was not there before, for a comparison."""
    shape, classes, recipe = data.x_train.shape[1:], len(data.classes), segment.recipe
    momentum, fields = recipe.get("batch_norm_momentum"), given(segment)
    # What optimizer() of somebody's file makes may depend on the rate in any way.
    optimizer = recipe.get("optimizer") or recipe["learning_rate"]
    make = _trainer.__wrapped__ if anew else _trainer
    return make(segment.model, fields, shape, classes, data.scale, optimizer, momentum, quantized)


@lru_cache(maxsize=64)
def _pretrained(trainer: train.Trainer) -> bool:
    trainer.initial(0, {})
    return trainer.pretrained


def pretrained(data: Dataset, segment: Segment) -> bool:
    """Has every seed the same weights to begin with, as a model that loads them has?"""
    return models.is_own(segment.model) and _pretrained(trainer_of(data, segment, False))


def given(segment: Segment) -> Given:
    asked = models.parameters(segment.model)
    return tuple((name, level) for name, level in segment.recipe.levels if name in asked)


@recent(TRAINERS, forget_gradients)
def _trainer(
    model: str,
    given: Given,
    shape: tuple[int, ...],
    classes: int,
    scale: float,
    optimizer: str | float,
    momentum: float | None,
    quantized: bool,
) -> train.Trainer:
    build, base = partial(models.get(model).build, **dict(given)), None
    if quantized:
        base = _trainer(model, given, shape, classes, scale, optimizer, momentum, False).model
    made = optimizer if isinstance(optimizer, str) else hooks.optimizer(model, optimizer)
    annotate = models.hook(model, "annotate")
    return train.Trainer(build, shape, classes, made, scale, base, momentum, annotate)


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
    start: int,
    end: int,
) -> train.State:
    recipe, seed = segment.recipe, segment.seed
    pin, n = dict(recipe.pin), len(data.x_train)
    trainer.load(state)
    for epoch in range(start, end):
        made = hooks.augmented(data, segment.model, epoch, seed, pin)
        x, y = tensors(data) if made is None else map(tf.constant, made)
        order = streams.data_order(n, epoch, seed, pin)
        noise = streams.noise(epoch, seed, pin)
        trainer.run(x, y, [order], recipe["batch_size"], recipe["learning_rate"], [noise])
    return trainer.state
