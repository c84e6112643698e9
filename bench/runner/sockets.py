"""Who can reach the processes that this one has started: their listening sockets, from /proc."""

import os
import socket
import struct
from pathlib import Path

from bench.runner import processes
from bench.runner.processes import PROC

_LISTEN = "0A"
_LOOPBACK = ("127.", "::1:", "::ffff:127.")


def beyond_loopback() -> list[str]:
    """Those of `listening` that other machines can reach."""
    return [address for address in listening() if not address.startswith(_LOOPBACK)]


def listening() -> list[str]:
    """Addresses (host:port) on which this process or a descendant of it listens, sorted.

    Empty where there is no /proc.
    """
    if not (PROC / "net" / "tcp").is_file():
        return []
    pids = {os.getpid()} | {pid for pid, _ in processes.descendants()}
    owned = {inode for pid in pids for inode in _inodes(PROC / str(pid))}
    found = []
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and fields[9] in owned:
                host, port = _address(fields[1])
                found.append(f"{host}:{port}")
    return sorted(found)


def _inodes(process: Path) -> set[str]:
    found = set()
    try:
        for entry in (process / "fd").iterdir():
            target = str(entry.readlink())
            if target.startswith("socket:["):
                found.add(target[8:-1])
    except OSError:
        pass
    return found


def _address(text: str) -> tuple[str, int]:
    """Of /proc/net/tcp: hexadecimal words in the machine's order, a colon, the port."""
    words, _, port = text.partition(":")
    packed = b"".join(
        struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8)
    )
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, packed), int(port, 16)
