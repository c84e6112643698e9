"""Data that come with this package or with scikit-learn."""

import importlib
from collections.abc import Callable
from functools import lru_cache

from bench.datasets import Dataset, Source, is_path
from bench.datasets.reading.arrays import Arrays
from bench.datasets.reading.options import DEFAULT, Options

EXAMPLE = "digits"


def recognize(name: str, where: str, options: Options = DEFAULT) -> Source | None:
    return None if is_path(name) else Arrays(name, lambda: _load(name))


@lru_cache
def _load(name: str) -> Dataset:
    loader: Callable[[], Dataset] = importlib.import_module(f"bench.datasets.{name}").load
    return loader()
