"""From the status codes of the C library to exceptions, with the texts of PeerLink 1.x."""

from __future__ import annotations

from . import _lib
from ._lib import StatusError
from .errors import (
    Ambiguous,
    NoHandler,
    Overloaded,
    PayloadTooLarge,
    PeerGone,
    PeerLinkError,
    PeerNotFound,
    PeerTimeoutError,
    RemoteError,
    Unauthenticated,
)

NOT_STARTED = "Node is not started"


def call_failure(error: StatusError, target: str, function: str, timeout: float | None) -> PeerLinkError:
    """What a failed call of *function* at *target* raises."""
    match error.status:
        case _lib.E_TIMEOUT:
            return PeerTimeoutError(f"RPC '{function}' → '{target}' timed out after {timeout}s")
        case _lib.E_GONE:
            return PeerGone(f"RPC '{function}' → '{target}': the peer left before it answered")
        case _lib.E_REMOTE:
            return RemoteError(error.text)
        case _lib.E_NO_HANDLER:
            return NoHandler(f"RemoteError: No function '{function}' registered")
        case _lib.E_TOO_LARGE:
            return PayloadTooLarge(error.text)
        case _lib.E_UNAUTHENTICATED:
            return Unauthenticated(f"RPC '{function}' → '{target}': {error.text}")
        case _lib.E_PEER_NOT_FOUND:
            return PeerNotFound(f"Peer '{target}' not found")
        case _lib.E_INVALID:
            return PeerLinkError(f"RPC '{function}' → '{target}': {error.text}")
    return failure(error)


def find_failure(error: StatusError, target: str, not_found: str) -> PeerLinkError:
    """What looking for *target* raises; *not_found* is the text if nobody holds the name."""
    match error.status:
        case _lib.E_PEER_NOT_FOUND | _lib.E_INVALID:
            return PeerNotFound(not_found)
        case _lib.E_AMBIGUOUS:
            return Ambiguous(f"Peer '{target}' is not unique: {error.text}")
    return failure(error)


def failure(error: StatusError) -> PeerLinkError:
    """What any other operation raises."""
    match error.status:
        case _lib.E_CLOSED | _lib.E_HANDLE | _lib.E_STATE:
            return PeerLinkError(NOT_STARTED)
        case _lib.E_FORKED:
            return PeerLinkError(_lib.FORK_TEXT)
        case _lib.E_OVERLOADED:
            return Overloaded(error.text)
    return PeerLinkError(error.text)
