"""Cleans up after a run that ended in no orderly way: killed, or by Ray's own hand.

A file that is run, not imported, by the interpreter alone: `python janitor.py FOLDER`, with a pipe
from the driver as standard input. A byte there says that the driver has cleaned up itself. An end
without one means that it is no more: this process then says so, ends what uses the folder, and
removes it. Should it be killed too, the next run removes what is left (see `temporary`).
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SAID = (
    b"error: the run ended without a word: it was killed, or Ray's own processes were; the same "
    b"command goes on from there\n"
)

DONE = b"."

PATIENCE_S = 3.0
"""For Ray's processes to notice by themselves."""


@contextmanager
def watching(folder: Path) -> Iterator[None]:
    """Have a janitor for this folder while the block runs."""
    janitor = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert janitor.stdin is not None
    try:
        yield
    finally:
        with suppress(OSError):
            os.write(janitor.stdin.fileno(), DONE)
            janitor.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            janitor.wait(5)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    folder = Path(sys.argv[1])
    if os.read(0, 1) == DONE:
        return
    with suppress(OSError):
        os.write(2, SAID)
    sys.path.insert(0, str(Path(__file__).parent))
    # By their files: the package would bring NumPy and Arrow along.
    import processes
    import temporary

    processes.end(lambda: processes.using(folder), PATIENCE_S)
    temporary.remove(folder)


if __name__ == "__main__":
    main()
