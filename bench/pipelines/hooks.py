"""What the functions beside somebody's model do to data, training and calibration; all checked."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from bench import models
from bench.datasets import Dataset
from bench.pipelines.streams import stream
from bench.plugins import Part


class BadHook(Exception):
    """A function of somebody's file returned what it should not: names it and the value."""


def prepared(data: Dataset, model: str) -> Dataset:
    """The data as a model is fed with them: what `inputs` makes of each split, or as they are."""
    part = models.hook(model, "inputs")
    return data if part is None else _prepared(data, part)


@lru_cache(maxsize=4)
def _prepared(data: Dataset, part: Part) -> Dataset:
    x_train, x_test = (_inputs(part, x) for x in (data.x_train, data.x_test))
    if x_train.shape[1:] != x_test.shape[1:]:
        raise _bad(
            part, f"{x_train.shape[1:]} of train and {x_test.shape[1:]} of test", "one shape"
        )
    key = f"{data.key}/inputs {part.own.content[:16]}"
    return replace(data, key=key, x_train=x_train, x_test=x_test, scale=1.0)


def _inputs(part: Part, x: np.ndarray) -> np.ndarray:
    """float32 (n, ...): what `inputs` makes of these."""
    made = _called(part, x=x.copy())
    found = np.asarray(made)
    if found.dtype.kind not in "fiub" or len(found.shape) < 2 or len(found) != len(x):
        raise _bad(part, _described(made), f"numbers of shape ({len(x)}, ...), an input each")
    found = np.ascontiguousarray(found, np.float32)
    if not np.isfinite(found).all():
        raise _bad(part, "numbers that are not finite", "finite numbers, within float32")
    return found


def augmented(
    data: Dataset, model: str, epoch: int, seed: int, pin: Mapping[str, int]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Inputs and labels of an epoch, as `augment` makes them; None where there is no such function.

    Its stream belongs to seed and epoch, so that every arm sees the same. Raises BadHook.
    """
    part = models.hook(model, "augment")
    if part is None:
        return None
    x, y = data.x_train, data.y_train
    rng = np.random.default_rng(stream("augmentation", seed, pin, epoch))
    made = _called(part, x=x.copy(), y=y.copy(), rng=rng)
    made_x, made_y = made if isinstance(made, tuple) and len(made) == 2 else (made, y)
    made_x, made_y = np.asarray(made_x), np.asarray(made_y)
    kind = "u" if x.dtype == np.uint8 else "f"
    if made_x.shape != x.shape or made_x.dtype.kind != kind:
        raise _bad(part, _described(made_x), f"x of shape {x.shape} and type {x.dtype}, or (x, y)")
    numbers = y.dtype.kind == "f"
    if made_y.shape != y.shape or made_y.dtype.kind not in ("iuf" if numbers else "iu"):
        what = "numbers" if numbers else "integers"
        raise _bad(part, f"y as {_described(made_y)}", f"{what} of shape {y.shape}")
    if not numbers and not 0 <= made_y.min() <= made_y.max() < len(data.classes):
        raise _bad(part, f"labels {made_y.min()} to {made_y.max()}", f"below {len(data.classes)}")
    if not (np.isfinite(made_x).all() and np.isfinite(made_y).all()):
        raise _bad(part, "numbers that are not finite", "finite numbers")
    return made_x.astype(x.dtype), made_y.astype(y.dtype)


def representative(data: Dataset, model: str) -> np.ndarray | None:
    """The examples that `representative` gives to calibrate on, as a model is fed with them; None
    where there is no such function. Raises BadHook."""
    part = models.hook(model, "representative")
    return None if part is None else _representative(data, part, models.hook(model, "inputs"))


@lru_cache(maxsize=4)
def _representative(data: Dataset, part: Part, inputs: Part | None) -> np.ndarray:
    made = _called(part)
    x = np.asarray(made[0] if isinstance(made, tuple) else made)
    if x.dtype == object or not len(x):
        raise _bad(part, _described(made), "an array of examples, as data() gives them")
    if inputs is not None:
        x = _inputs(inputs, x)
    kind = "u" if data.x_train.dtype == np.uint8 else "f"
    if x.shape[1:] != data.x_train.shape[1:] or x.dtype.kind != kind:
        wanted = f"(n, {', '.join(map(str, data.x_train.shape[1:]))}) and type {data.x_train.dtype}"
        raise _bad(part, _described(x), f"examples as data() gives them: {wanted}")
    return x.astype(data.x_train.dtype)


def optimizer(model: str, learning_rate: float) -> Any:
    """What `optimizer` returns, or None where there is no such function. Raises BadHook."""
    part = models.hook(model, "optimizer")
    if part is None:
        return None
    from bench.pipelines.lean import tf_keras

    made = _called(part, learning_rate=learning_rate)
    if not isinstance(made, tf_keras.optimizers.Optimizer):
        kind = type(made)
        found = f"{kind.__module__}.{kind.__name__}"
        raise _bad(part, found, "an optimizer of tf_keras.optimizers (Keras 2), made anew")
    return made


def wrong(data: Dataset, model: str, learning_rate: float) -> str | None:
    """What is wrong with the functions beside a model, in a line; None where nothing is."""
    try:
        fed = prepared(data, model)
        once, again = (augmented(fed, model, 0, 0, {}) for _ in range(2))
        if once is not None and again is not None and any(map(_differ, once, again)):
            return "augment() draws numbers that `rng` does not determine; draw by rng alone"
        representative(fed, model)
        optimizer(model, learning_rate)
    except BadHook as error:
        return str(error)
    return None


def _differ(a: np.ndarray, b: np.ndarray) -> bool:
    return a.tobytes() != b.tobytes()


def _called(part: Part, **given: Any) -> Any:
    """Call a hook with those of these arguments that it asks for."""
    asked = part.own.parameters(part.function)
    try:
        return part(**{name: value for name, value in given.items() if name in asked})
    except Exception as error:
        from bench.pipelines.blame import explained

        raise BadHook(f"{part.function}() failed: {explained(error)}") from error


def _bad(part: Part, found: str, allowed: str) -> BadHook:
    return BadHook(f"{part.function}() of {part.own.name} returned {found}; allowed: {allowed}")


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    return f"{type(value).__name__}"
