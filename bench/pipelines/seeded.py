"""The global random generators of somebody's own code: seeded by the cell, and alike for each arm.

What a file seeds by itself it seeds later, and so it holds. Only packages that have been imported
are touched; none is imported here.
"""

import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

MOST_NUMPY = 2**32


def seed(number: int) -> None:
    """Seed every global generator."""
    random.seed(number)
    np.random.seed(number % MOST_NUMPY)  # noqa: NPY002 - it is theirs that is seeded
    if torch := _there("torch", "manual_seed"):
        torch.manual_seed(number)
    if tf := _there("tensorflow", "random"):
        tf.random.set_seed(number % MOST_NUMPY)


def kept(number: int) -> Callable[[], None]:
    """A function that sets every generator back to where it is now. TensorFlow's cannot be read,
    and is seeded by the number again."""
    state = random.getstate()
    of_numpy: Any = np.random.get_state()  # noqa: NPY002
    torch = _there("torch", "manual_seed")
    of_torch = torch.get_rng_state() if torch else None
    of_gpus = torch.cuda.get_rng_state_all() if torch and torch.cuda.is_initialized() else None

    def back() -> None:
        random.setstate(state)
        np.random.set_state(of_numpy)  # noqa: NPY002
        if torch:
            torch.set_rng_state(of_torch)
            if of_gpus is not None:
                torch.cuda.set_rng_state_all(of_gpus)
        elif later := _there("torch", "manual_seed"):  # imported by an arm
            later.manual_seed(number)
        if tf := _there("tensorflow", "random"):
            tf.random.set_seed(number % MOST_NUMPY)

    return back


def _there(package: str, needed: str) -> Any:
    """A package that has been imported whole, else None."""
    found = sys.modules.get(package)
    return found if hasattr(found, needed) else None
