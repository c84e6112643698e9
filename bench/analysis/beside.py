"""The tests beside the t-test for many contrasts: several at once, on all cores.

NumPy lets go of Python's lock where arrays are long; with few seeds there is nothing to gain.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import numpy as np

from bench.analysis.records import DETAILED_SEEDS, Pairs
from bench.statistics import bootstrap, sign_flip
from bench.statistics.checks import FloatArray, Interval

In = TypeVar("In")
Out = TypeVar("Out")

_FEW_SEEDS = 150
_TOGETHER = 64  # contrasts whose resamples are multiplied at once


def on_all_cores(function: Callable[[In], Out], of: Iterable[In], seeds: int) -> list[Out]:
    """`[function(one) for one in of]`."""
    if seeds < _FEW_SEEDS:
        return [function(one) for one in of]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, of))


def exact_tests(pairs: Iterable[Pairs]) -> None:
    """Makes p_signflip and p_wilcoxon of these, which keep them."""
    large = [one for one in pairs if _FEW_SEEDS <= len(one.seeds) <= DETAILED_SEEDS]
    work = [
        (one, name)
        for one in large
        if not one.unmoved
        for name in ("p_signflip", "p_wilcoxon")
        if name not in vars(one)
    ]

    def make(what: tuple[Pairs, str]) -> float:
        one, name = what
        test = sign_flip.sign_flip_p if name == "p_signflip" else sign_flip.wilcoxon_p
        return test(one.d if one.whole is None else one.whole)

    for (one, name), p in zip(work, on_all_cores(make, work, _FEW_SEEDS), strict=True):
        vars(one)[name] = p  # where its cached_property keeps it


def sign_flip_intervals(pairs: Sequence[Pairs], alpha: float) -> list[Interval | None]:
    """Of each, in its unit; on whole numbers where there are any, so that it is exact. None where
    there are too many seeds."""

    def make(one: Pairs) -> Interval | None:
        if len(one.seeds) > DETAILED_SEEDS:
            return None
        if one.whole is None:
            return sign_flip.sign_flip_interval(one.d, alpha)
        ends = sign_flip.sign_flip_interval(one.whole, alpha)
        return None if ends is None else Interval(ends.low * one.step, ends.high * one.step)

    return on_all_cores(make, pairs, max((len(one.seeds) for one in pairs), default=0))


@lru_cache(maxsize=4)
def _resamples(n_seeds: int) -> FloatArray:
    """Of the bootstrap, from a fixed stream."""
    return bootstrap.resample_counts(n_seeds, 1999, np.random.default_rng(0))


def bootstrap_intervals(pairs: Sequence[Pairs], alpha: float) -> list[Interval | None]:
    """Studentized bootstrap interval of each mean over seeds; None without seeds, or too many."""
    found: dict[int, Interval | None] = {}
    by_seeds: dict[int, list[int]] = {}
    for at, one in enumerate(pairs):
        if 0 < len(one.seeds) <= DETAILED_SEEDS:
            by_seeds.setdefault(len(one.seeds), []).append(at)
    for n, where in by_seeds.items():
        for start in range(0, len(where), _TOGETHER):
            some = where[start : start + _TOGETHER]
            made = bootstrap.studentized_intervals(
                [pairs[at].d for at in some], alpha, _resamples(n)
            )
            found |= dict(zip(some, made, strict=True))
    return [found.get(at) for at in range(len(pairs))]
