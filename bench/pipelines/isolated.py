"""Files evaluated in processes of their own: a file that crashes the interpreter ends no command.

A TFLite file is native code's input: damaged or hostile bytes can end the process that runs them
(segmentation fault, division by zero, abort), and no exception says so. Each file gets a process,
all of which start at once, before the test set is read: they import the interpreter meanwhile.

The child is this module run by name (0.2 s beside the parent's own start; no TensorFlow). It gets
one pickled job on its standard input, the images as a file that it maps, and writes one reply.
"""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np

from bench.errors import InputError
from bench.pipelines.one_file import FileResult, evaluated
from bench.pipelines.testset import TestSet


@dataclass(frozen=True)
class Job:
    """path names the file in messages; blob: its bytes; scale, offset: as in `evaluated`."""

    path: str
    blob: bytes
    scale: float | None
    offset: float | None


class Processes:
    """One process for each of `count` files. A context manager: leaving it ends what still runs."""

    def __init__(self, count: int) -> None:
        self._images = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._stderr = [tempfile.TemporaryFile() for _ in range(count)]  # noqa: SIM115 - likewise
        self._running = [_start(self._images, stderr) for stderr in self._stderr]

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.kill()  # does nothing to one that has ended
            for pipe in (process.stdin, process.stdout):
                with suppress(BrokenPipeError):
                    pipe.close()
            process.wait()
        for file in (self._images, *self._stderr):
            file.close()

    def evaluate(self, jobs: Sequence[Job], test: TestSet) -> list[tuple[FileResult, np.ndarray]]:
        """`evaluated` for each job, in order, all at once. Call once, with `count` jobs.

        Raises InputError as `evaluated` does, for the first file that has one, and where a file
        ended its process: then with the signal's name.
        """
        test.x.tofile(self._images)
        self._images.flush()
        without = replace(test, x=np.empty(0, test.x.dtype))
        for process, job in zip(self._running, jobs, strict=True):
            with suppress(BrokenPipeError):  # it is gone already: its exit status says why
                pickle.dump((job, without, test.x.shape), process.stdin)
                process.stdin.close()
        return [self._reply(at, job) for at, job in enumerate(jobs)]

    def _reply(self, at: int, job: Job) -> tuple[FileResult, np.ndarray]:
        process = self._running[at]
        reply = process.stdout.read()
        status = process.wait()
        if status < 0:
            raise InputError(
                job.path,
                f"ended the interpreter ({signal.Signals(-status).name})",
                "allowed: a whole TFLite file, as a converter writes it",
            )
        if status:
            self._stderr[at].seek(0)
            said = self._stderr[at].read().decode(errors="replace")
            raise RuntimeError(f"the evaluation of {job.path} failed:\n{said}")
        kind, content = pickle.loads(reply)
        if kind == "refused":
            raise InputError(*content)
        result: tuple[FileResult, np.ndarray] = content
        return result


def _start(images: IO[bytes], stderr: IO[bytes]) -> "subprocess.Popen[bytes]":
    where = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, str(images.fileno())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        pass_fds=[images.fileno()],
        env={**os.environ, "PYTHONPATH": where},
    )


def _serve(images: int) -> None:
    """The child: one job in, one reply out."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no reply
    _bound_memory()
    job, test, shape = pickle.load(sys.stdin.buffer)
    x = np.memmap(os.fdopen(images, "rb"), test.x.dtype, "r", shape=shape)
    reply: tuple[str, Any]
    try:
        test = replace(test, x=x)
        reply = "done", evaluated(job.path, job.blob, test, job.scale, job.offset)
    except InputError as error:
        reply = "refused", (error.where, error.found, error.allowed)
    except MemoryError:
        reply = "refused", (job.path, "needs more memory than there is", "allowed: a smaller file")
    with out:
        pickle.dump(reply, out)


def _bound_memory() -> None:
    """Limit this process's address space to the machine's memory, so that an enormous size which a
    hostile file claims ends here, with MemoryError, and harms no other process."""
    import resource

    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY or there < most:
        resource.setrlimit(resource.RLIMIT_AS, (there, most))


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
