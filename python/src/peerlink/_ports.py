"""Which ports a node takes if they are free."""

from __future__ import annotations

import hashlib
from typing import Final

BASE_PORT: Final = 49152
PORT_RANGE: Final = 16383


def derived_ports(node_name: str) -> tuple[int, int]:
    """The UDP and the TCP port that PeerLink derives from a name, in all versions."""
    return _derive(node_name), _derive(node_name + "|tcp")


def _derive(key: str) -> int:
    digest = hashlib.md5(key.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return BASE_PORT + int.from_bytes(digest, "big") % PORT_RANGE
