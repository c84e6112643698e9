"""Ctrl-C, SIGTERM and SIGHUP end the command with exit code 130: at once, or after cleaning up.

Nothing here imports anything that takes time: it is in force before the rest is imported.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

EXIT_CODE = 130

PATIENCE_S = 20.0
"""For a clean end; then the process ends without one."""

AGAIN_S = 0.05
"""Until an interrupt that got lost comes again."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""`ray job stop` sends SIGTERM, a lost connection SIGHUP."""

BEFORE = "interrupted before anything ran; the same command starts again\n"

SLOW = "interrupted, and ended after waiting in vain for a clean end; the same command goes on\n"


def end_at_once() -> None:
    """From now on these signals end the process: there is nothing to clean up yet."""
    _handle_with(lambda number, frame: end(BEFORE))


@contextmanager
def raised() -> Iterator[None]:
    """In this block the first of these signals raises KeyboardInterrupt; those that follow it
    change nothing, so that what cleans up is not interrupted itself."""
    received: signal.Signals | None = None

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal received
        if received is not None:
            return
        received = signal.Signals(number)
        _later(PATIENCE_S, end, SLOW)  # a clean-up may hang
        raise KeyboardInterrupt(received.name)

    def unraisable(lost: "sys.UnraisableHookArgs") -> None:
        """Where Python cannot raise it, as in a destructor, it comes once more."""
        nonlocal received
        if received is not None and issubclass(lost.exc_type, KeyboardInterrupt):
            number, received = received, None
            # Of the process, not of the timer's thread: the main one must wake up.
            _later(AGAIN_S, os.kill, os.getpid(), number)
        else:
            before(lost)

    _handle_with(handle)
    before, sys.unraisablehook = sys.unraisablehook, unraisable
    try:
        yield
    finally:
        sys.unraisablehook = before


def _later(seconds: float, function: Callable[..., None], *arguments: Any) -> None:
    timer = threading.Timer(seconds, function, arguments)
    timer.daemon = True
    timer.start()


def _handle_with(handler: "signal._HANDLER") -> None:
    for each in SIGNALS:
        if signal.getsignal(each) != signal.SIG_IGN:  # as nohup, or a shell's `&`, has set it
            signal.signal(each, handler)


def end(said: str) -> NoReturn:
    """Say this and end the process, without what else would run at its exit: that of Ray can crash
    where its start was interrupted."""
    with suppress(OSError):  # a lost connection takes the terminal with it
        os.write(2, said.encode())
    os._exit(EXIT_CODE)
