"""Lines for people, on streams that may not know every character."""

from __future__ import annotations

import sys
import time
from typing import TextIO


def emit(text: str, stream: TextIO | None = None) -> None:
    """Write *text* and a newline; never raise because of the stream.

    Characters the stream cannot encode become ``?``. The stream is sys.stdout
    by default; one that is missing, closed or broken swallows the line.
    """
    out = sys.stdout if stream is None else stream
    if out is None:  # no console: pythonw, some services
        return
    try:
        out.write(_encodable(text, out) + "\n")
        out.flush()
    except (OSError, ValueError):
        pass


def say(node_name: str, text: str) -> None:
    """Write one line of a verbose node to standard output."""
    emit(f"[{time.strftime('%H:%M:%S')}][PeerLink:{node_name}] {text}")


def _encodable(text: str, stream: TextIO) -> str:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        return text.encode(encoding, "replace").decode(encoding)
    except LookupError:
        return text.encode("ascii", "replace").decode("ascii")
