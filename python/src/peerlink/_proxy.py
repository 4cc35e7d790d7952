"""Peers as objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._outcome import RPC_TIMEOUT
from .errors import PeerLinkError

if TYPE_CHECKING:
    from .core import PeerLink


class PeerProxy:
    """A peer whose functions are called like methods: ``node.peer("Phone1").add(25, 17)``.

    Every attribute is a function that takes the arguments of the remote one
    and *timeout*, in seconds; it raises what :meth:`PeerLink.call` does.
    """

    def __init__(self, node: PeerLink, name: str) -> None:
        self._node = node
        self._name = name

    def is_alive(self, timeout: float = 2.0) -> bool:
        """True if the peer answers within *timeout* seconds."""
        try:
            answer = self._node._call_one(self._name, "__ping__", (), {}, timeout)
        except (PeerLinkError, OSError):
            return False
        return bool(answer.get("ok")) if isinstance(answer, dict) else bool(answer)

    def __getattr__(self, func_name: str) -> Callable[..., Any]:
        if func_name.startswith("__") and func_name.endswith("__") and func_name != "__ping__":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {func_name!r}")
        # A copy made without __init__ has neither; asking for them here would recur.
        if func_name in ("_node", "_name"):
            raise AttributeError(func_name)
        node, name = self._node, self._name

        def remote(*args: Any, timeout: float | None = RPC_TIMEOUT, **kwargs: Any) -> Any:
            return node._call_one(name, func_name, args, kwargs, timeout)

        remote.__name__ = func_name
        return remote

    def __repr__(self) -> str:
        return f"<PeerProxy name={self._name!r}>"
