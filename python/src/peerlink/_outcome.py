"""What comes out of a call: results, exceptions that stand for them, and when to give up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from . import _codec, _lib
from ._events import Record
from ._failures import call_failure
from ._lib import StatusError
from .errors import PeerLinkError

RPC_TIMEOUT: Final = 5.0  # s

T = TypeVar("T")


@dataclass
class CallResult(Generic[T]):
    """The outcome of a call at one peer: *value* if *success*, else *error*."""

    value: T | None
    error: BaseException | None
    success: bool

    @staticmethod
    def from_value_or_exc(val: Any) -> CallResult[Any]:
        """Wrap an entry of the dict that ``call("ALL", …)`` returns."""
        if isinstance(val, BaseException):
            return CallResult(None, val, False)
        return CallResult(val, None, True)


def milliseconds(timeout: float | None) -> int:
    """Seconds to milliseconds; 0 only for a timeout that is over at once."""
    if timeout is None:
        return _lib.FOREVER
    if math.isnan(timeout):
        raise ValueError("timeout must not be NaN")
    return max(0, math.ceil(min(timeout * 1000, _lib.FOREVER - 1)))


def decode(payload: bytes, target: str, function: str) -> Any:
    try:
        return _codec.decode_result(payload)
    except (ValueError, RecursionError) as e:
        raise PeerLinkError(f"RPC '{function}' → '{target}': the result cannot be decoded: {e}") from e


def outcome(reply: Record, name: str, function: str, timeout: float | None) -> Any:
    """The value of a reply, or the exception that stands for it."""
    if reply.status >= 0:
        try:
            return decode(reply.data, name, function)
        except PeerLinkError as e:
            return e
    text = f"{reply.label}: {reply.text}" if reply.status == _lib.E_REMOTE and reply.label else reply.text
    return call_failure(StatusError(reply.status, text), name, function, timeout)
