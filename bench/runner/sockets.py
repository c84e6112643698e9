"""Who can reach the processes that this one has started: their listening sockets, from /proc."""

import socket
import struct
from pathlib import Path

_LISTEN = "0A"
_LOOPBACK = ("127.", "::1", "::ffff:127.")


def beyond_loopback() -> list[str]:
    """Addresses (host:port) other than loopback on which a descendant of this process listens.

    Empty where there is no /proc.
    """
    proc = Path("/proc")
    if not (proc / "net" / "tcp").is_file():
        return []
    owned = {inode for pid in _descendants(proc) for inode in _inodes(proc / str(pid))}
    found = []
    for table in ("tcp", "tcp6"):
        for line in (proc / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and fields[9] in owned:
                host, port = _address(fields[1])
                if not host.startswith(_LOOPBACK):
                    found.append(f"{host}:{port}")
    return sorted(found)


def _descendants(proc: Path) -> set[int]:
    parents: dict[int, int] = {}
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text()
            except OSError:  # it has ended meanwhile
                continue
            parents[int(entry.name)] = int(status.rpartition(")")[2].split()[1])
    found = {int((proc / "self").readlink().name)}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


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
