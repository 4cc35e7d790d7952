"""Which ports a node asks for."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from typing import Final

BASE_PORT: Final = 49152
PORT_RANGE: Final = 16383
_ATTEMPTS: Final = 3


def derived_ports(node_name: str) -> tuple[int, int]:
    """The UDP and the TCP port that PeerLink derives from a name, in all versions."""
    return _derive(node_name), _derive(node_name + "|tcp")


def candidates(node_name: str) -> Iterator[tuple[int, int]]:
    """Yield pairs of a UDP and a TCP port to try: the derived ones, then some that were free just now."""
    yield derived_ports(node_name)
    for _ in range(_ATTEMPTS):
        yield _free(socket.SOCK_DGRAM), _free(socket.SOCK_STREAM)


def _derive(key: str) -> int:
    digest = hashlib.md5(key.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return BASE_PORT + int.from_bytes(digest, "big") % PORT_RANGE


def _free(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port
