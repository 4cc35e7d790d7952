"""Who is calling: the context variable that handlers read."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

current_peer: ContextVar[str | None] = ContextVar("current_peer", default=None)
"""The name the caller gave itself, inside a handler; None elsewhere. A claim, not proof."""


def run_with_current_peer(peer: str | None, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return ``fn(*args, **kwargs)``, run with :data:`current_peer` set to *peer*."""
    token = current_peer.set(peer)
    try:
        return fn(*args, **kwargs)
    finally:
        current_peer.reset(token)
