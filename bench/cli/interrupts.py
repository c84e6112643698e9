"""Ctrl-C, SIGTERM and SIGHUP end the command with exit code 130: at once, or after cleaning up.

Nothing here imports anything that takes time: it is in force before the rest is imported.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

EXIT_CODE = 130

PATIENCE_S = 20.0
"""For a clean end; then the process ends without one."""

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
    interrupted = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            return
        interrupted = True
        # Code in C may swallow the exception, or a clean-up may hang.
        timer = threading.Timer(PATIENCE_S, end, (SLOW,))
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt(signal.Signals(number).name)

    _handle_with(handle)
    yield


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
