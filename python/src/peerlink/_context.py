"""Who is calling: the context variable that handlers read."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

Waits = Callable[[], bool]

P = ParamSpec("P")
R = TypeVar("R")

current_peer: ContextVar[str | None] = ContextVar("current_peer", default=None)
"""The name the caller gave itself, inside a handler; None elsewhere. A claim, not proof:
with a secret, that of somebody who has it."""

current_waits: ContextVar[Waits | None] = ContextVar("current_waits", default=None)


def caller_waits() -> bool:
    """False in a handler whose result nobody waits for any more; elsewhere True.

    The caller has canceled the call or is gone, or its timeout is over. For
    handlers that take long, to ask now and then. Of callers of 1.x nothing is
    known: True.
    """
    waits = current_waits.get()
    return waits is None or waits()


def run_with_current_peer(peer: str | None, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return ``fn(*args, **kwargs)``, run with :data:`current_peer` set to *peer*."""
    token = current_peer.set(peer)
    try:
        return fn(*args, **kwargs)
    finally:
        current_peer.reset(token)
