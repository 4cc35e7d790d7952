"""A node that starts and stops when it is told to, for PeerLink and for PyPI peerlink 1.x.

Its input and its output are those of the Go program beside it: lines
``start NAME`` and ``stop`` in, one JSON object for each event out.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from typing import Any

from peerlink import PeerLink

OUTPUT = threading.Lock()


def say(what: str, peer: str = "") -> None:
    """Print an event. The time is taken first; monotonic is CLOCK_MONOTONIC."""
    now = time.monotonic_ns()
    with OUTPUT:
        print(json.dumps({"ns": now, "what": what, "peer": peer}), flush=True)


def start(name: str) -> Any:
    node = PeerLink(name, False)
    node.set_peer_lifecycle(
        on_up=lambda peer, *_: say("up", peer),
        on_down=lambda peer, *_: say("down", peer),
    )
    say("start")
    node.start()
    say("started")
    return node


def stop(node: Any) -> None:
    say("stop")
    node.stop()
    say("stopped")


def main() -> None:
    node = None
    say("ready")
    for line in sys.stdin:
        verb, _, name = line.strip().partition(" ")
        if verb == "start":
            node = start(name)
        elif node is not None:
            stop(node)
            node = None
    if node is not None:
        stop(node)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    main()
