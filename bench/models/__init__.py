"""Models, one file each; the file's name is the model's name in a study.

A model file has a docstring whose first line describes it, `build(shape, classes)` which returns
a new tf_keras model that ends in logits, and, if times are to be estimated, `COST`.
"""

import ast
import importlib
import pkgutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from bench.errors import InputError, nearest


@dataclass(frozen=True)
class Cost:
    """What training takes on one core, as docs/benchmarks/step_cost.py measures it.

    step_ms: milliseconds per optimizer step; pixel_us: microseconds per pixel of its examples on
    top of that; qat: how many times as long a step of quantization-aware training takes.
    """

    step_ms: float
    pixel_us: float
    qat: float


def names() -> list[str]:
    """The names of the shipped models, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def check(name: str, where: str) -> str:
    """`name` if it is a model's. Raises InputError naming `where` otherwise."""
    if name not in names():
        raise InputError(where, f"no model {name!r}", nearest(name, names()))
    return name


def get(name: str) -> ModuleType:
    """The model's module: import is cheap, TensorFlow comes with `build`."""
    return importlib.import_module(f"{__name__}.{name}")


def cost(name: str) -> Cost | None:
    """What a model's training takes; None where its file does not say."""
    return getattr(get(name), "COST", None)


@lru_cache
def normalizes(name: str) -> bool:
    """Has the model BatchNormalization layers? Read from its source, without TensorFlow; a contract
    test builds every model and counts. Of a model that is not here nothing is known: it may."""
    if name not in names():
        return True
    nodes = ast.walk(ast.parse(source(name)))
    return any(
        "BatchNormalization" in (getattr(n, "attr", ""), getattr(n, "id", "")) for n in nodes
    )


def source(name: str) -> str:
    """The text of a model's file."""
    return (Path(__path__[0]) / f"{name}.py").read_text("utf-8")
