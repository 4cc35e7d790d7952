"""PeerLink joins the programs on one network without configuration.

Give a node a name, and call functions on other nodes by theirs::

    from peerlink import PeerLink

    with PeerLink("Phone1") as node:
        node.register("add", lambda a, b: a + b)
        ...
"""

from __future__ import annotations

from ._version import __version__
from .core import (
    DISCOVERY_WAIT,
    MAX_SAFE_UDP_PAYLOAD,
    Ambiguous,
    CallResult,
    NoHandler,
    Overloaded,
    PayloadTooLarge,
    PeerGone,
    PeerInfo,
    PeerLink,
    PeerLinkError,
    PeerNotFound,
    PeerNotFoundError,
    PeerProxy,
    PeerTimeoutError,
    RemoteError,
    SwarmNode,
    Unauthenticated,
    caller_waits,
    current_peer,
    new_secret,
    run_with_current_peer,
)

__all__ = [
    "DISCOVERY_WAIT",
    "MAX_SAFE_UDP_PAYLOAD",
    "Ambiguous",
    "CallResult",
    "NoHandler",
    "Overloaded",
    "PayloadTooLarge",
    "PeerGone",
    "PeerInfo",
    "PeerLink",
    "PeerLinkError",
    "PeerNotFound",
    "PeerNotFoundError",
    "PeerProxy",
    "PeerTimeoutError",
    "RemoteError",
    "SwarmNode",
    "Unauthenticated",
    "__version__",
    "caller_waits",
    "current_peer",
    "new_secret",
    "run_with_current_peer",
]
