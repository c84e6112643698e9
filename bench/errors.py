"""The one exception for bad input. Everything else is a bug and keeps its traceback."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST_NAMES = 24
"""That an error lists."""


class InputError(ValueError):
    """Bad input of a user's: the command prints the message alone and exits with code 2.

    where: the field, option or file; found: what stood there; allowed: what may stand there.
    """

    def __init__(self, where: str, found: str, allowed: str) -> None:
        self.where, self.found, self.allowed = where, found, allowed
        super().__init__(f"{where}: {found}; {allowed}")


class Unfinished(Exception):
    """A run that cannot go on, through no fault of its input: the command prints the message alone
    and exits with code 1. What is on disk stays, and the same command goes on from there."""


def nearest(name: str, known: Iterable[str]) -> str:
    """What is allowed instead of `name`, the nearest name first if one is near; of many names only
    the nearest."""
    known = sorted(known)
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    if len(known) <= MOST_NAMES:
        return f"{hint}allowed: {', '.join(known)}"
    near = get_close_matches(name, known, n=4, cutoff=0) or known[:4]
    return f"{hint}allowed: {', '.join(near)} and {len(known) - len(near):,} more"
