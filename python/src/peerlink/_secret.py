"""Secrets: what the nodes of a realm share. None of this shows one."""

from __future__ import annotations

import ctypes
from typing import Final

from . import _lib

_ROOM: Final = 64  # bytes, more than pl_secret_new writes


class Secret:
    """A text that is neither printed nor pickled."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Raises TypeError or ValueError if it cannot be a secret."""
        if not isinstance(text, str):
            raise TypeError(f"secret must be str, not {type(text).__name__}")
        encoded = _encoded(text)
        if encoded is None or b"\0" in encoded:
            raise ValueError("a secret must not contain NUL characters or surrogates")
        if not 1 <= len(encoded) <= _lib.SECRET_MAX:
            raise ValueError(f"a secret has 1 to {_lib.SECRET_MAX} bytes of UTF-8")
        self._text = encoded

    def reveal(self) -> bytes:
        """For the C library alone."""
        return self._text

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> str:
        raise TypeError("a secret cannot be pickled")


def _encoded(text: str) -> bytes | None:
    """Not by raising: UnicodeEncodeError carries the text."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return None


def new_secret() -> str:
    """Make a secret that cannot be guessed, for ``PeerLink(name, secret=...)``: ``plk1_`` and 43 characters.

    Raises ImportError if the library cannot be loaded.
    """
    lib = _lib.load()
    room = ctypes.create_string_buffer(_ROOM)
    _lib.check(lib, lib.pl_secret_new(room, len(room)))
    return room.value.decode("ascii")
