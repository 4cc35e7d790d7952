"""What the functions of PeerLink raise."""

from __future__ import annotations


class PeerLinkError(Exception):
    """Base class of all errors of PeerLink."""


class PeerNotFound(PeerLinkError):
    """Nobody of that name is up."""


PeerNotFoundError = PeerNotFound


class Ambiguous(PeerNotFound):
    """Several peers that are up answer to the name."""


class Overloaded(PeerLinkError):
    """Too many calls at once, here or at the peer."""


class PeerTimeoutError(TimeoutError, PeerLinkError):
    """No answer in time."""


class RemoteError(PeerLinkError):
    """The function failed at the peer; the text is ``Type: message``."""
