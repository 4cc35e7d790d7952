"""Peers coming and going: callbacks on a thread of their own, one after the other."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable

from . import _lib
from ._console import say
from ._context import current_peer
from ._events import Record
from ._pool import WorkerPool

logger = logging.getLogger("peerlink")

OnUp = Callable[[str, str, int], object]
OnDown = Callable[[str, str], object]

_BACKLOG = 4096


class Lifecycle:
    """The callbacks of one node. They outlive stop and start."""

    def __init__(self) -> None:
        self._up: tuple[OnUp, contextvars.Context] | None = None
        self._down: tuple[OnDown, contextvars.Context] | None = None

    def set(self, on_up: OnUp | None, on_down: OnDown | None) -> None:
        """Replace the callbacks that are not None."""
        if on_up is not None:
            self._up = (on_up, contextvars.copy_context())
        if on_down is not None:
            self._down = (on_down, contextvars.copy_context())

    def __bool__(self) -> bool:
        return self._up is not None or self._down is not None

    def up(self, name: str, addr: str, port: int) -> None:
        """Call on_up, if there is one. What it raises is logged."""
        if self._up is not None:
            callback, context = self._up
            _guarded(context, lambda: callback(name, addr, port))

    def down(self, name: str, reason: str) -> None:
        """Call on_down, if there is one. What it raises is logged."""
        if self._down is not None:
            callback, context = self._down
            _guarded(context, lambda: callback(name, reason))


class Announcer:
    """Turns the peer events of a running node into callbacks and verbose lines. Never blocks."""

    def __init__(self, node_name: str, verbose: bool, lifecycle: Lifecycle) -> None:
        self._node_name, self._verbose, self._lifecycle = node_name, verbose, lifecycle
        self._thread = WorkerPool(f"peerlink-{node_name}-peers", 1, _BACKLOG)

    def deliver(self, record: Record) -> None:
        """Have a peer event told. Called by the pump."""
        if not self._verbose and not self._lifecycle:
            return
        if not self._thread.submit(lambda: self._tell(record)):
            logger.warning("PeerLink: a peer callback hangs; events of peers are lost")

    def renamed(self, name: str) -> None:
        """Tell that another node has our name."""
        logger.warning("PeerLink: the name %s is taken; this node is found as %s", self._node_name, name)
        if self._verbose:
            self._thread.submit(lambda: say(self._node_name, f"📛 The name is taken; others find this node as {name}"))

    def close(self) -> None:
        """Drop what has not been told. A callback that runs may end."""
        self._thread.close()

    def join(self, timeout: float) -> None:
        """Wait up to *timeout* seconds for a callback that runs."""
        self._thread.join(timeout)

    def _tell(self, record: Record) -> None:
        if record.type == _lib.EV_PEER_DOWN:
            self._tell_down(record.label, _lib.REASONS.get(record.aux, "removed"))
            return
        if record.type != _lib.EV_PEER_UP:
            self._lifecycle.down(record.label, "replaced")
        self._tell_up(record.label, *record.address)

    def _tell_up(self, name: str, addr: str, port: int) -> None:
        if self._verbose:
            say(self._node_name, f"👥 Found peer: {name} @ {addr}:{port}")
        self._lifecycle.up(name, addr, port)

    def _tell_down(self, name: str, reason: str) -> None:
        if self._verbose:
            say(self._node_name, f"⌛ Peer expired: {name}" if reason == "expired" else f"💀 Lost peer: {name}")
        self._lifecycle.down(name, reason)


def _guarded(context: contextvars.Context, callback: Callable[[], object]) -> None:
    def run() -> None:
        current_peer.set(None)
        callback()

    try:
        context.copy().run(run)
    except Exception:  # user code
        logger.exception("PeerLink: a peer callback failed")
