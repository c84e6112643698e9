"""A cache whose memory is bounded: what falls out of it is freed at once."""

import gc
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from typing import TypeVar

Made = TypeVar("Made")


def recent(
    size: int, freeing: Callable[[], None] = lambda: None
) -> Callable[[Callable[..., Made]], Callable[..., Made]]:
    """Keep the `size` results of a function that were asked for last, by its arguments.

    Unlike functools.lru_cache it collects what falls out, after a call of `freeing`: a trainer and
    its graphs hold one another, and Python's collector, which counts objects and not their
    megabytes, comes late.
    """

    def cached(make: Callable[..., Made]) -> Callable[..., Made]:
        kept: OrderedDict[Hashable, Made] = OrderedDict()

        def shrink(to: int) -> None:
            if len(kept) > to:
                while len(kept) > to:
                    kept.popitem(last=False)
                freeing()
                gc.collect()

        @wraps(make)
        def get(*key: Hashable) -> Made:
            if key not in kept:
                shrink(size - 1)
                kept[key] = make(*key)
                shrink(size)  # `make` may have asked for others
            kept.move_to_end(key)
            return kept[key]

        return get

    return cached
