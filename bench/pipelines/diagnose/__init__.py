"""What a quantized model is like inside: numbers per layer, for the first seeds of a setting.

Each measurement is a file here. None of them changes the model or its file: a trainer's state is
put back, and a file is looked into by an interpreter of its own.
"""

from collections.abc import Collection

_asked: frozenset[int] | None = frozenset()


def use(seeds: Collection[int] | None) -> None:
    """Look into the models of these seeds in this process; None: of all."""
    global _asked
    _asked = None if seeds is None else frozenset(seeds)


def asked(seed: int) -> bool:
    return _asked is None or seed in _asked
