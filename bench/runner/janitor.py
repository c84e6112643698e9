"""Cleans up after a run that ended in no orderly way: killed, or by Ray's own hand.

A file that the bare interpreter runs: `python janitor.py [FOLDER]`, with a pipe from the driver as
standard input. A byte there says that the driver has cleaned up itself. An end
without one means that it is no more: this process then says so, ends what uses the folder, and
removes it. Should it be killed too, the next run removes what is left (see `temporary`).
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SAID = (
    b"error: the run ended without a word: it was killed, or Ray's own processes were; the same "
    b"command goes on from there\n"
)

DONE, TAKE_OVER = b".", b"!"

PATIENCE_S = 3.0
"""For Ray's processes to notice by themselves."""


@contextmanager
def watching(folder: Path | None = None) -> Iterator[Callable[[], None]]:
    """Have a janitor while the block runs: for this folder, or for a word alone. Yields
    what leaves the cleaning to it, where the reason has been said."""
    janitor = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, *([str(folder)] if folder else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert janitor.stdin is not None
    pipe = janitor.stdin.fileno()
    try:
        yield lambda: _tell(pipe, TAKE_OVER)
    finally:
        _tell(pipe, DONE)
        with suppress(OSError):
            janitor.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            janitor.wait(5)


def _tell(descriptor: int, what: bytes) -> None:
    with suppress(OSError):
        os.write(descriptor, what)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    told = os.read(0, 1)
    if told == DONE:
        return
    if told != TAKE_OVER:
        _tell(2, SAID)
    if not sys.argv[1:]:
        return
    folder = Path(sys.argv[1])
    sys.path.insert(0, str(Path(__file__).parent))
    # By their files: the package would bring NumPy and Arrow along.
    import processes
    import temporary

    processes.end(lambda: processes.using(folder), PATIENCE_S)
    temporary.remove(folder)


if __name__ == "__main__":
    main()
