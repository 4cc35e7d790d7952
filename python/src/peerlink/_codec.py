"""Payloads: arguments and results as JSON, the way PeerLink 1.x wrote them.

Arguments are a JSON array, followed by an object if there are keyword
arguments: ``[25, 17]{"scale": 2}``. A result is one value. NaN, Infinity and
-Infinity are written bare, integers are unbounded, and everything outside
ASCII is escaped, so that lone surrogates survive too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_encode = json.JSONEncoder().encode
_raw_decode = json.JSONDecoder().raw_decode
_BLANKS = " \t\r\n"


def encode_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
    """Encode the arguments of a call. Raises what json.dumps raises, TypeError above all."""
    text = _encode(args)
    if kwargs:
        text += _encode(kwargs)
    return text.encode("ascii")


def decode_arguments(payload: bytes) -> tuple[Any, Any]:
    """Return the positional and the keyword arguments; raises ValueError or RecursionError.

    Of what kind they are is not checked: calling the function with them is the check.
    """
    text = _text(payload)
    args, end = _raw_decode(text, _skip(text, 0))
    end = _skip(text, end)
    if end == len(text):
        return args, {}
    kwargs, end = _raw_decode(text, end)
    _expect_end(text, end)
    return args, kwargs


def encode_result(value: Any) -> bytes:
    """Encode what a handler returned. Raises what json.dumps raises, TypeError above all."""
    return _encode(value).encode("ascii")


def decode_result(payload: bytes) -> Any:
    """Decode a result; raises ValueError or RecursionError. No bytes at all are None."""
    text = _text(payload)
    start = _skip(text, 0)
    if start == len(text):
        return None
    value, end = _raw_decode(text, start)
    _expect_end(text, end)
    return value


def _text(payload: bytes) -> str:
    return payload.decode("utf-8", "surrogatepass")


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at


def _expect_end(text: str, at: int) -> None:
    if _skip(text, at) != len(text):
        raise ValueError(f"extra data at character {at} of a payload")
