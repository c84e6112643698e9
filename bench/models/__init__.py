"""Models, one file each; the file's name is the model's name in a study.

A model file has a docstring whose first line describes it, `build(shape, classes)` which returns
a new tf_keras model that ends in logits, and `SECONDS_PER_MILLION_PIXELS` for time estimates.
"""

import importlib
import pkgutil
from types import ModuleType

from bench.errors import InputError, nearest


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
