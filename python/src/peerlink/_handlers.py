"""The functions a node offers, and what happens when a peer calls one."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from . import _codec
from ._context import Waits, current_peer, current_waits

logger = logging.getLogger("peerlink")

Function = Callable[..., Any]


def _always() -> bool:
    return True


class Failure(NamedTuple):
    """What the caller of a failed function is told."""

    type: str
    message: str


class Handlers:
    """Functions by name. Each keeps the context variables it was registered with. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[Function, contextvars.Context]] = {}

    def add(self, name: str, function: Function) -> None:
        """Offer *function* as *name*, in place of an earlier one."""
        with self._lock:
            self._entries[name] = (function, contextvars.copy_context())

    def names(self) -> list[str]:
        """The names of all functions."""
        with self._lock:
            return list(self._entries)

    def run(self, name: str, caller: str | None, payload: bytes, waits: Waits = _always) -> bytes | Failure:
        """Call the function *name* for *caller*; return its encoded result. Never raises.

        *waits* says whether the caller still waits.
        """
        entry = self._entries.get(name)
        if entry is None:
            return Failure("RemoteError", f"No function '{name}' registered")
        function, context = entry
        try:
            return context.copy().run(_call, function, caller, payload, waits)
        except BaseException as e:  # SystemExit too: the caller must hear of it, the node must not end
            logger.debug("PeerLink: %s failed for %s", name, caller, exc_info=True)
            return Failure(type(e).__name__, _message(e))


def _call(function: Function, caller: str | None, payload: bytes, waits: Waits) -> bytes:
    current_peer.set(caller)  # the context is a copy for this call alone
    current_waits.set(waits)
    args, kwargs = _codec.decode_arguments(payload)
    return _codec.encode_result(function(*args, **kwargs))


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ of the user's class
        return ""
