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


class PayloadTooLarge(PeerLinkError):
    """Arguments or a result that are larger than may be; the text has their size and the limit, in bytes."""


class PeerTimeoutError(TimeoutError, PeerLinkError):
    """No answer in time."""


class PeerGone(PeerTimeoutError):
    """The peer left, or was restarted, before it answered.

    To wait for the answer would be in vain, which is all that 1.x does: hence a PeerTimeoutError.
    """


class RemoteError(PeerLinkError):
    """The function failed at the peer; the text is ``Type: message``."""


class NoHandler(RemoteError):
    """The peer has no function of that name. If it is a 1.x node, that is a plain RemoteError."""


class Unauthenticated(PeerLinkError):
    """The peer is not of our realm, or not the one that had the name before."""
