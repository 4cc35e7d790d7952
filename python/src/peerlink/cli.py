"""The command line: ``peerlink discover`` and ``peerlink ping NAME``."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Sequence

from ._console import emit
from .core import DISCOVERY_WAIT, RPC_TIMEOUT, PeerLink, PeerProxy
from .errors import PeerLinkError, PeerNotFound

_POLL = 0.05  # s


class _HiddenNode(PeerLink):
    """A node that does not show up at others."""

    _hidden = True


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 for a failure, 2 for wrong usage.

    Wrong usage in *argv* (default: that of the process) raises SystemExit.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        return _discover(options) if options.command == "discover" else _ping(options)
    except (PeerLinkError, ImportError) as e:
        emit(f"Error: {e}", sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _discover(options: argparse.Namespace) -> int:
    with _node(options) as node:
        time.sleep(max(0.0, options.wait))
        names = node.peer_names()
    emit("Discovered peers:" if names else "No peers discovered.")
    for name in names:
        emit(f"- {name}")
    return 0


def _ping(options: argparse.Namespace) -> int:
    name, timeout = options.name, options.timeout
    with _node(options) as node:
        try:
            peer = _find(node, name)
        except PeerNotFound as e:
            emit(f"Peer '{name}' not found: {e}", sys.stderr)
            return 1
        begun = time.perf_counter()
        if peer.is_alive(timeout=timeout):
            emit(f"Ping to '{name}' succeeded in {(time.perf_counter() - begun) * 1000:.1f} ms")
            return 0
    emit(f"Ping to '{name}' failed (no response within {timeout}s)", sys.stderr)
    return 1


def _find(node: PeerLink, name: str) -> PeerProxy:
    """Wait for the peer for a while; raises PeerNotFound."""
    deadline = time.monotonic() + DISCOVERY_WAIT
    while time.monotonic() < deadline:
        try:
            return node.peer(name)
        except PeerNotFound:
            time.sleep(_POLL)
    return node.peer(name)


def _node(options: argparse.Namespace) -> PeerLink:
    return _HiddenNode(f"peerlink-cli-{secrets.token_hex(3)}", verbose=False, interfaces=options.interfaces)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="peerlink", description="PeerLink command-line interface.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    discover = commands.add_parser("discover", help="list the nodes on the local network")
    discover.add_argument(
        "--wait", type=float, default=DISCOVERY_WAIT, help="seconds to look for nodes (default: %(default)s)"
    )
    ping = commands.add_parser("ping", help="see whether a node answers")
    ping.add_argument("name", metavar="NAME", help="name of the node")
    ping.add_argument(
        "--timeout", type=float, default=RPC_TIMEOUT, help="seconds to wait for the answer (default: %(default)s)"
    )
    for command in (discover, ping):
        command.add_argument("--interfaces", help="network interfaces to use, separated by commas (default: all)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
