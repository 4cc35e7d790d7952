"""One end of the call benchmark in Python, for PeerLink and for PyPI peerlink 1.x.

    peer.py serve IP                      prints {"addr": "IP:port"}, ends with its input
    peer.py call IP:port SECS CALLERS     prints a result

The module that is imported decides which of the two is measured. 1.x cannot be
given an address: it finds the server by mDNS.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from typing import Any

from peerlink import PeerLink, PeerLinkError

PAYLOAD = "x" * 64
WARM_UP = 0.2  # s
TIMEOUT = 2.0  # s
FINDS_BY_ADDRESS = hasattr(PeerLink, "add_peer")


def make(name: str) -> Any:
    options = {"discovery": False} if FINDS_BY_ADDRESS else {}
    return PeerLink(name, False, **options)


def serve(ip: str) -> None:
    node = make("anchor")
    node.register("echo", lambda text: text)
    node.start()
    print(json.dumps({"addr": f"{ip}:{node.port}"}), flush=True)
    sys.stdin.read()
    node.stop()


def call(address: str, seconds: float, callers: int) -> None:
    ip, port = address.rsplit(":", 1)
    node = make("caller")
    node.start()
    if FINDS_BY_ADDRESS:
        node.add_peer("anchor", ip, int(port))
    if not node.wait_for_peers(1, timeout=20):
        sys.exit("the server was not found")
    measure(node, WARM_UP, callers)
    print(json.dumps(measure(node, seconds, callers)), flush=True)
    node.stop()


def measure(node: Any, seconds: float, callers: int) -> dict[str, float]:
    begin = time.perf_counter()
    logs = [Log() for _ in range(callers)]
    if callers == 1:
        logs[0].fill(node, begin + seconds)
    else:
        threads = [threading.Thread(target=log.fill, args=(node, begin + seconds)) for log in logs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    elapsed = time.perf_counter() - begin
    took = sorted(t for log in logs for t in log.took)
    return {
        "p50_us": quantile(took, 0.50),
        "p99_us": quantile(took, 0.99),
        "calls": len(took),
        "errors": sum(log.errors for log in logs),
        "seconds": elapsed,
    }


class Log:
    """What one caller saw."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self.errors = 0

    def fill(self, node: Any, end: float) -> None:
        """Call until the time is over, and note how long each call took."""
        clock = time.perf_counter
        begin = clock()
        while begin < end:
            try:
                good = node.call("anchor", "echo", PAYLOAD, timeout=TIMEOUT) == PAYLOAD
            except (OSError, PeerLinkError):  # a lost datagram is a time-out in 1.x
                good = False
            now = clock()
            if good:
                self.took.append(now - begin)
            else:
                self.errors += 1
            begin = now


def quantile(ordered: list[float], q: float) -> float:
    """In µs."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1e6


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # 1.x logs every call
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        call(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
