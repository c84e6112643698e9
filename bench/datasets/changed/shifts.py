"""Shifted test inputs: noise, blur, contrast, brightness, each at three strengths.

The formulas of Hendrycks & Dietterich (2019), with the constants of severities 1, 3 and 5 of their
CIFAR-10-C, on inputs brought to 0 .. 1 and back: uint8 by what they are divided by, floats by the
smallest and largest training input. The same for every seed; the order of examples and their labels
stay.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np

from bench.datasets import Dataset

NONE = "none"
STRENGTHS = (1, 2, 3)
CALIBRATION = "contrast-3"
"""What is done to calibration examples that are shifted: their ranges become narrow."""
SEED = 3
CHUNK = 500
"""Examples at once; no result depends on it."""


def shifted(data: Dataset, shift: str | None) -> Dataset:
    """The data set with its test inputs shifted: `noise-2` is noise of the second strength. None
    and NONE leave it as it is. Raises ValueError if these inputs cannot be shifted so."""
    return data if shift in (None, NONE) else _shifted(data, shift)


def refusal(data: Dataset, shift: str | None) -> str | None:
    """Why these inputs cannot be shifted so; None where they can."""
    if shift in (None, NONE) or data.x_test.ndim == 4 or str(shift).startswith("noise"):
        return None
    return f"inputs of shape {data.x_test.shape[1:]} are no images"


@lru_cache(maxsize=2)
def _shifted(data: Dataset, shift: str) -> Dataset:
    if reason := refusal(data, shift):
        raise ValueError(reason)
    return replace(data, key=f"{data.key}/{shift}", x_test=moved(data.x_test, data, shift))


def moved(x: np.ndarray, of: Dataset, shift: str) -> np.ndarray:
    """Inputs of a data set, shifted. Float32, but of uint8 that is divided by 255 uint8 again."""
    kind, strength = shift.split("-")
    apply, constants = KINDS[kind]
    low, high = 0.0, of.scale
    if x.dtype != np.uint8:
        low, high = float(of.x_train.min()), float(of.x_train.max())
    width = (high - low) or 1.0
    draw = np.random.RandomState(SEED)
    parts = []
    for first in range(0, len(x), CHUNK):
        some = (x[first : first + CHUNK].astype(np.float64) - low) / width
        made = np.clip(apply(some, constants[int(strength) - 1], draw), 0, 1)
        parts.append((made * width + low).astype(np.float32))
    found = np.concatenate(parts)
    if x.dtype == np.uint8 and of.scale == 255:
        found = np.round(found).astype(np.uint8)
    return found


def noise(x: np.ndarray, sd: float, draw: np.random.RandomState) -> np.ndarray:
    """Gaussian noise on every number."""
    return x + sd * draw.standard_normal(x.shape)


def blur(x: np.ndarray, sigma: float, draw: np.random.RandomState) -> np.ndarray:
    """A Gaussian filter over height and width, sigma in pixels, the edge repeated."""
    from scipy.ndimage import gaussian_filter

    found: np.ndarray = gaussian_filter(x, (0, sigma, sigma, 0), mode="nearest")
    return found


def contrast(x: np.ndarray, left: float, draw: np.random.RandomState) -> np.ndarray:
    """Nearer to the mean of the image's channel: so much of the distance is left."""
    mean = x.mean(axis=(1, 2), keepdims=True)
    found: np.ndarray = (x - mean) * left + mean
    return found


def brightness(x: np.ndarray, added: float, draw: np.random.RandomState) -> np.ndarray:
    """The largest channel (the value of HSV) is raised, hue and saturation stay; of other than
    three channels each is raised."""
    brighter: np.ndarray = x + added
    if x.shape[-1] == 3:
        value = x.max(axis=-1, keepdims=True)
        raised = np.minimum(value + added, 1)
        brighter = np.where(value > 0, x * raised / np.where(value > 0, value, 1), raised)
    return brighter


Shift = Callable[[np.ndarray, float, np.random.RandomState], np.ndarray]

KINDS: dict[str, tuple[Shift, tuple[float, float, float]]] = {
    "noise": (noise, (0.04, 0.08, 0.10)),
    "blur": (blur, (0.4, 0.7, 1.0)),
    "contrast": (contrast, (0.75, 0.4, 0.15)),
    "brightness": (brightness, (0.05, 0.15, 0.3)),
}

LEVELS = (NONE, *(f"{kind}-{strength}" for kind in KINDS for strength in STRENGTHS))
