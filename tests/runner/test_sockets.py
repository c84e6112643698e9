"""Real sockets of real processes: who listens beyond loopback is found."""

import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from bench.runner import sockets

LISTENS = """
import socket, subprocess, sys
family, host, below = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
if below:
    again = [sys.executable, "-c", sys.argv[4], sys.argv[1], host, str(below - 1), sys.argv[4]]
    child = subprocess.Popen(again, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    print(child.stdout.readline().decode(), end="", flush=True)
else:
    listening = socket.socket(family)
    listening.bind((host, 0))
    listening.listen()
    print(listening.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def listening(family: int, host: str, generations: int):
    """A child (a grandchild, ...) that listens. Yields its port."""
    command = [sys.executable, "-c", LISTENS, str(int(family)), host, str(generations), LISTENS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        yield int(child.stdout.readline())
        child.stdin.close()


@pytest.mark.parametrize("generations", [0, 2])
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")])
def test_a_descendant_that_listens_on_every_interface_is_found(family, host, generations):
    with listening(family, host, generations) as port:
        assert sockets.beyond_loopback() == [f"{host}:{port}"]
    assert sockets.beyond_loopback() == []


@pytest.mark.parametrize(
    ("family", "host"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.3.2.1"), (socket.AF_INET6, "::1")],
)
def test_loopback_is_none(family, host):
    with listening(family, host, 0):
        assert sockets.beyond_loopback() == []


def test_a_connection_that_only_talks_to_others_is_none():
    with (
        listening(socket.AF_INET, "127.0.0.1", 0) as port,
        socket.create_connection(("127.0.0.1", port)),
    ):
        assert sockets.beyond_loopback() == []
