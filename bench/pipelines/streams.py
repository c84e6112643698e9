"""The random streams of a replicate: one seed, a child for each thing that draws."""

from collections.abc import Mapping

import numpy as np

STREAMS = ("initialization", "order", "calibration", "augmentation", "dropout")
"""A stream's place is part of its key: new ones come last."""


def stream(name: str, seed: int, pin: Mapping[str, int], *key: int) -> np.random.SeedSequence:
    """The stream `name` of a replicate: the child that SeedSequence(seed).spawn gives it.

    pin: streams whose seed is another's, for studies of one source of variance; key: children
    of the stream, such as an epoch.
    """
    return np.random.SeedSequence(pin.get(name, seed), spawn_key=(STREAMS.index(name), *key))


def data_order(n: int, epoch: int, seed: int, pin: Mapping[str, int]) -> np.ndarray:
    """int32 (n,): the order of the training examples in an epoch, counted from 0 at budget 0.

    Control and QAT go on counting from their checkpoint, so that they see the same order.
    """
    rng = np.random.default_rng(stream("order", seed, pin, epoch))
    return rng.permutation(n).astype(np.int32)


def calibration(seed: int, pin: Mapping[str, int], draw: int) -> np.random.SeedSequence:
    """What the examples of a calibration are drawn from. draw: its number; 0 is the stream itself,
    the others are children of it."""
    return stream("calibration", seed, pin, *([draw] if draw else []))


def noise(
    epoch: int, seed: int, pin: Mapping[str, int], of: str = "dropout"
) -> np.random.SeedSequence:
    """What layers draw from in an epoch, counted as in `data_order`: so all arms see one mask.

    of: layers of "dropout", or of "augmentation", which are pinned apart. Both draw from children
    of one stream, in which each layer has its number.
    """
    return stream("dropout", pin.get(of, seed), {}, epoch)
