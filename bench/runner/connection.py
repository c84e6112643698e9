"""A connected Ray: a cluster's, or one of this run's own on loopback that leaves nothing."""

import json
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from bench.errors import InputError, Unfinished
from bench.runner import janitor, processes, sockets, temporary
from bench.runner.worker import WORKER_ENVIRONMENT

_FOR_EVERY_RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # A task that fails is in its cells' rows, not on the terminal too.
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    # A metric per task would grow the driver with every cell.
    "RAY_enable_metrics_collection": "0",
    # Else Ray asks the node that has a task's data for a process, which a frozen one never answers,
    # whatever node the task is kept from.
    "RAY_locality_aware_leasing_enabled": "0",
}

_TO_JOIN = {"RAY_gcs_server_port_wait_time_s": "1"}
"""A cluster that has gone away is tried once, which takes 40 s; by default Ray tries 20 times."""

_ON_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""At 0 all of Ray is on 127.0.0.1, which is what Ray calls no cluster."""

_ALLOWED = "allowed: `auto`, or host:port of a running cluster"

_NO_CLUSTER = {
    "local": "a Ray of this run's own is what runs without --address",
    "ray://": "the driver is a process of the cluster: `ray submit` or a job starts it there",
    "http": "jobs are sent there (`ray job submit`)",
}
"""How addresses begin that Ray takes, or its commands, and a run does not."""

_LATE = "timed out during startup"

_SHUT_DOWN_S = 10.0
"""For ray.shutdown(), which may wait for a process that has died."""

_GCS_S = 30.0
"""For a GCS to come again, as one does that keeps its state elsewhere."""

_ASK_S = 3.0
"""Between two connections to a cluster's GCS."""

_LOOK_S = 0.3
"""Between two looks at Ray's processes."""

_END_S = 1.5
"""Seconds that Ray's processes get to end by themselves."""


@contextmanager
def connected(address: str | None, workers: int | None, pipeline: str) -> Iterator[None]:
    """A connected Ray.

    address: of a cluster, None for a Ray of this process's own; workers: its CPUs, None: all;
    pipeline: the module that its workers import while they register. Raises InputError if nothing
    answers at `address`, or if the own Ray listens beyond loopback.
    """
    with ExitStack() as stack:
        if address is None:
            take_over, settings = _own(stack, workers, pipeline)
        else:
            stack.enter_context(_set(_FOR_EVERY_RAY | _TO_JOIN, unless_set=True))
            take_over = stack.enter_context(janitor.watching())
            settings = {"address": address, "runtime_env": {"env_vars": WORKER_ENVIRONMENT}}
        import ray

        _silence_raylets()
        _leave_sigterm()
        on_term = signal.getsignal(signal.SIGTERM)
        stack.callback(_shut_down, on_term)
        # Ray's processes inherit this: a terminal that is closed sends SIGHUP to all of them, and
        # this one then ends them.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        try:
            ray.init(log_to_driver=False, logging_level="error", **settings)
        except (
            ConnectionError,
            RuntimeError,
            ValueError,  # no address at all
            ray.exceptions.AuthenticationError,
        ) as error:
            if address is None:
                raise
            reason = str(error).strip().splitlines()[-1]
            raise InputError(
                "--address",
                f"no Ray answers at {address!r} ({reason})",
                _ALLOWED,
            ) from None
        except Exception as error:  # Ray's own class, and no narrower one
            if _LATE not in str(error):
                raise
            raise Unfinished(
                "Ray did not start in time: is this machine very busy? The same command tries again"
            ) from None
        finally:
            # Ray's own handler aborts the process: no clean-up, exit code 134.
            signal.signal(signal.SIGTERM, on_term)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if address is None:
            _check_loopback()
        gone = _died if address is None else _Gcs(ray.get_runtime_context().gcs_address).gone
        stack.enter_context(_ending_with_ray(gone, take_over))
        yield


@contextmanager
def _ending_with_ray(
    gone: Callable[[], str | None], take_over: Callable[[], None]
) -> Iterator[None]:
    """End this process with one message where this run's Ray dies: every call of Ray's would hang
    for a minute, and then end the process with a page of its own. gone: what has happened to it."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_LOOK_S):
            if what := gone():
                said = f"error: {what}; the same command goes on from here\n"
                with suppress(OSError):
                    os.write(2, said.encode())
                take_over()
                os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        stop.set()


def _died() -> str | None:
    """What process of this run's own Ray is no more though it should be, or None."""
    import ray._private.worker as connection

    node = connection._global_node
    for name in ("gcs_server", "raylet") if node is not None else ():
        for each in node.all_processes.get(name, ()):
            if each.process.poll() is not None:
                return f"Ray's {name} has died"
    return None


class _Gcs:
    """A cluster's GCS, without which none of its nodes does anything new."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = host.strip("[]"), int(port)
        self._asked = self._answered = time.monotonic()

    def gone(self) -> str | None:
        """That nothing listens there any more; one that starts anew has a while for it."""
        now = time.monotonic()
        if now - self._asked < _ASK_S:
            return None
        self._asked = now
        try:
            socket.create_connection(self._address, timeout=5).close()
        except ConnectionRefusedError:
            if now - self._answered > _GCS_S:
                return f"the cluster's GCS has been away for {_GCS_S:.0f} s"
        except OSError:  # of a network that fails, Ray itself knows more
            pass
        else:
            self._answered = now
        return None


def check_answers(address: str) -> None:
    """Raises InputError if nothing listens at a host:port, where Ray itself tries for 14 minutes,
    or if it is the address of something else than a cluster."""
    for start, what in _NO_CLUSTER.items():
        if address.startswith(start):
            raise InputError("--address", f"{address!r}: {what}", _ALLOWED)
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():  # `auto`, or something that Ray explains
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            "--address", f"no Ray answers at {address!r} ({error})", _ALLOWED
        ) from None


def _own(
    stack: ExitStack, workers: int | None, pipeline: str
) -> tuple[Callable[[], None], dict[str, Any]]:
    """What leaves cleaning up to others, and the settings of a Ray of this process's own, whose
    folder goes when the stack unwinds."""
    folder = stack.enter_context(temporary.folder())
    take_over = stack.enter_context(janitor.watching(folder))
    stack.enter_context(_set(_FOR_EVERY_RAY, unless_set=True))
    stack.enter_context(
        # All on 127.0.0.1. With a token of this run: Ray would write one that all can read.
        _set({_ON_LOOPBACK: "0", "RAY_AUTH_MODE": "token"}, unless_set=True)
    )
    # Workers start with Ray, and a runtime_env would make it start others; they import TensorFlow
    # while they register.
    stack.callback(processes.end, lambda: processes.using(folder), _END_S)
    own = {"RAY_AUTH_TOKEN_PATH": str(temporary.token(folder))}
    own |= {"RAY_preload_python_modules": pipeline}
    stack.enter_context(_set(WORKER_ENVIRONMENT | own))
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))  # a crash leaves no file of a gigabyte
    _read_token_again()
    return take_over, {
        "address": "local",
        "num_cpus": workers,
        "include_dashboard": False,
        "_temp_dir": str(folder / "r"),
    }


@contextmanager
def _set(variables: Mapping[str, str], unless_set: bool = False) -> Iterator[None]:
    """Environment variables while the block runs."""
    chosen = {k: v for k, v in variables.items() if not (unless_set and k in os.environ)}
    before = {name: os.environ.get(name) for name in chosen}
    os.environ.update(chosen)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _read_token_again() -> None:
    """Make Ray read mode and token again: it keeps those that this process had before, of an
    earlier run or since some module of Ray's was imported."""
    from ray._raylet import AuthenticationTokenLoader, Config

    Config.initialize(json.dumps({"AUTH_MODE": os.environ["RAY_AUTH_MODE"]}))
    AuthenticationTokenLoader.instance().reset_cache()


def _silence_raylets() -> None:
    """Keep raylets from writing a page to standard output for every worker that dies: the row of
    the cell says it in a line.

    No setting of Ray's turns that off.
    """
    import ray._private.worker as connection

    connection.print_to_stdstream = lambda *_, **__: None


def _leave_sigterm() -> None:
    """Ray's handler raises SystemExit, which gets lost where Python can raise nothing, as beside a
    fork; the one that stands makes good for that."""
    import ray._private.utils

    ray._private.utils.set_sigterm_handler = lambda handler: None


def _shut_down(on_term: Any) -> None:
    """ray.shutdown(); somewhere in it Ray makes SIGTERM end the process at once, behind Python's
    back, so the handler is set again and again meanwhile."""
    import ray

    ending = threading.Thread(target=ray.shutdown, daemon=True)
    ending.start()
    deadline = time.monotonic() + _SHUT_DOWN_S
    while ending.is_alive() and time.monotonic() < deadline:
        ending.join(0.01)
        signal.signal(signal.SIGTERM, on_term)


def _check_loopback() -> None:
    """Raises InputError if a process of this Ray listens beyond this machine."""
    open_ones = sockets.beyond_loopback()
    if open_ones:
        raise InputError(
            _ON_LOOPBACK,
            f"Ray listens on {', '.join(open_ones)}, not on loopback alone, and was stopped",
            "allowed: 0, or unset, before Ray is imported",
        )
