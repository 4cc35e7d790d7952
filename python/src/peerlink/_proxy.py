"""Peers as objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._outcome import RPC_TIMEOUT
from ._peers import PeerInfo
from .errors import PeerLinkError

if TYPE_CHECKING:
    from .core import PeerLink


class PeerProxy:
    """A peer whose functions are called like methods: ``node.peer("Phone1").add(25, 17)``.

    Every attribute is a function that takes the arguments of the remote one
    and *timeout*, in seconds; it raises what :meth:`PeerLink.call` does. The
    attributes below are no functions of the peer; they raise PeerNotFound if
    it is not up. ``node.call(name, "loss")`` calls a function of such a name.
    """

    _uuid: str | None = None  # of the only instance it means

    def __init__(self, node: PeerLink, name: str) -> None:
        self._node = node
        self._name = name

    @classmethod
    def _of_uuid(cls, node: PeerLink, name: str, uuid: str) -> PeerProxy:
        proxy = cls(node, name)
        proxy._uuid = uuid
        return proxy

    @property
    def encrypted(self) -> bool:
        """There is an encrypted session with the peer: it is made when the peer is found, or at the first call."""
        return self._info().encrypted

    @property
    def authenticated(self) -> bool:
        """The peer has proved that it has our secret. Never in a node without one."""
        return self._info().authenticated

    @property
    def fingerprint(self) -> str:
        """Of the peer's key, 64 hexadecimal digits; empty while there is no session."""
        return self._info().fingerprint

    @property
    def rtt(self) -> float | None:
        """Round-trip time in seconds; None if it was not measured yet."""
        return self._info().rtt

    @property
    def loss(self) -> float:
        """Which share of the packets to the peer had to be sent again, 0 to 1."""
        return self._info().loss

    def _info(self) -> PeerInfo:
        return self._node._info(self._name, self._uuid)

    def is_alive(self, timeout: float = 2.0) -> bool:
        """True if the peer answers within *timeout* seconds."""
        try:
            answer = self._node._call_one(self._name, "__ping__", (), {}, timeout, self._uuid)
        except (PeerLinkError, OSError):
            return False
        return bool(answer.get("ok")) if isinstance(answer, dict) else bool(answer)

    def __getattr__(self, func_name: str) -> Callable[..., Any]:
        if func_name.startswith("__") and func_name.endswith("__") and func_name != "__ping__":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {func_name!r}")
        # A copy made without __init__ has neither; asking for them here would recur.
        if func_name in ("_node", "_name"):
            raise AttributeError(func_name)
        node, name, uuid = self._node, self._name, self._uuid

        def remote(*args: Any, timeout: float | None = RPC_TIMEOUT, **kwargs: Any) -> Any:
            return node._call_one(name, func_name, args, kwargs, timeout, uuid)

        remote.__name__ = func_name
        return remote

    def __repr__(self) -> str:
        return f"<PeerProxy name={self._name!r}>"
