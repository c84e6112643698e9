"""A sign of life while a user's code runs where the command does: nothing else ends it."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

EVERY_S = 60.0
"""Between two signs."""


@contextmanager
def said(what: str) -> Iterator[None]:
    """Say on standard error, again and again, that this still runs."""
    done = threading.Event()

    def say() -> None:
        seconds = 0.0
        while not done.wait(EVERY_S):
            seconds += EVERY_S
            with suppress(OSError, ValueError):  # a lost terminal
                text = f"{what} runs for {seconds:g} s so far; Ctrl-C ends it"
                print(text, file=sys.stderr, flush=True)

    threading.Thread(target=say, daemon=True).start()
    try:
        yield
    finally:
        done.set()
