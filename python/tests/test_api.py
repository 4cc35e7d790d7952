"""The names, defaults and types of peerlink 1.1.1 that this version has."""

from __future__ import annotations

import inspect
import socket
from typing import Any

import pytest

import peerlink
import peerlink.core
from peerlink import PeerLink, PeerLinkError, PeerProxy, SwarmNode, _lib
from peerlink._failures import call_failure
from peerlink._ports import derived_ports

P = inspect.Parameter
REQUIRED = P.empty


def shape(function: Any) -> list[tuple[str, Any, Any]]:
    """Name, kind and default of each parameter but self."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    return [(p.name, p.kind, p.default) for p in parameters]


def plain(name: str, default: Any = REQUIRED) -> tuple[str, Any, Any]:
    return (name, P.POSITIONAL_OR_KEYWORD, default)


ARGS, KWARGS = ("args", P.VAR_POSITIONAL, REQUIRED), ("kwargs", P.VAR_KEYWORD, REQUIRED)
TIMEOUT = ("timeout", P.KEYWORD_ONLY, 5.0)

SIGNATURES = [
    (PeerLink.start, []),
    (PeerLink.stop, []),
    (PeerLink.call, [plain("target"), plain("func_name"), ARGS, TIMEOUT, KWARGS]),
    (PeerLink.call_all_results, [plain("func_name"), ARGS, TIMEOUT, KWARGS]),
    (PeerLink.peer, [plain("name")]),
    (PeerLink.peer_names, []),
    (PeerLink.wait_for_peers, [plain("count", 1), plain("timeout", 30.0)]),
    (PeerLink.set_peer_lifecycle, [plain("on_up", None), plain("on_down", None)]),
    (SwarmNode, [plain("node_name"), KWARGS]),
    (PeerProxy, [plain("node"), plain("name")]),
    (PeerProxy.is_alive, [plain("timeout", 2.0)]),
    (peerlink.CallResult, [plain("value"), plain("error"), plain("success")]),
    (peerlink.CallResult.from_value_or_exc, [plain("val")]),
    (peerlink.run_with_current_peer, [plain("peer"), plain("fn"), ARGS, KWARGS]),
]


@pytest.mark.parametrize(("function", "expected"), SIGNATURES, ids=lambda x: getattr(x, "__qualname__", ""))
def test_signatures_are_those_of_1_1_1(function: Any, expected: Any) -> None:
    assert shape(function) == expected


def test_the_constructor_and_register_only_gained_optional_parameters() -> None:
    new: list[tuple[str, Any, Any]] = [("discovery", P.KEYWORD_ONLY, True)]
    new += [(name, P.KEYWORD_ONLY, None) for name in ("interfaces", "allow_legacy", "state_dir")]
    old = [plain("node_name"), plain("verbose", True), ("secret", P.KEYWORD_ONLY, None)]
    assert shape(PeerLink) == old + new
    assert shape(PeerLink.register) == [plain("name"), plain("func", None)]


def test_constants() -> None:
    core = peerlink.core
    assert (core.BASE_PORT, core.PORT_RANGE, core.RPC_TIMEOUT, core.MAX_DATAGRAM) == (49152, 16383, 5.0, 65535)
    assert (core.PEER_TTL, core.SERVICE_TYPE, core.RPC_EXECUTOR_MAX_WORKERS) == (60.0, "_peerlink._tcp.local.", 16)
    assert (peerlink.MAX_SAFE_UDP_PAYLOAD, peerlink.DISCOVERY_WAIT) == (1200, 3.0)
    assert all(hasattr(peerlink, name) for name in peerlink.__all__)
    assert all(hasattr(core, name) for name in core.__all__)


def test_exceptions() -> None:
    assert peerlink.PeerNotFoundError is peerlink.PeerNotFound
    for name in ("PeerNotFound", "RemoteError", "PeerTimeoutError", "Overloaded", "PayloadTooLarge", "Unauthenticated"):
        assert issubclass(getattr(peerlink, name), PeerLinkError)
    assert issubclass(peerlink.Ambiguous, peerlink.PeerNotFound)
    assert issubclass(peerlink.PeerGone, peerlink.PeerTimeoutError)
    assert issubclass(peerlink.NoHandler, peerlink.RemoteError)
    assert issubclass(peerlink.PeerTimeoutError, (TimeoutError, OSError, socket.timeout))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (_lib.E_PEER_NOT_FOUND, peerlink.PeerNotFound),
        (_lib.E_TIMEOUT, peerlink.PeerTimeoutError),
        (_lib.E_REMOTE, peerlink.RemoteError),
        (_lib.E_TOO_LARGE, peerlink.PayloadTooLarge),
        (_lib.E_OVERLOADED, peerlink.Overloaded),
        (_lib.E_UNAUTHENTICATED, peerlink.Unauthenticated),
        (_lib.E_NO_HANDLER, peerlink.NoHandler),
        (_lib.E_GONE, peerlink.PeerGone),
        (_lib.E_CLOSED, PeerLinkError),
        (_lib.E_INVALID, PeerLinkError),
        (-60, PeerLinkError),
    ],
)
def test_every_failure_of_a_call_has_its_exception(status: int, kind: type[PeerLinkError]) -> None:
    error = call_failure(_lib.StatusError(status, "text"), "Phone1", "add", 5.0)
    assert type(error) is kind
    assert str(error)


@pytest.mark.parametrize(
    ("name", "ports"), [("Phone1", (58988, 55180)), ("Phone2", (49817, 58770)), ("NodeA", (60146, 55788))]
)
def test_ports_are_derived_as_ever(name: str, ports: tuple[int, int]) -> None:
    assert derived_ports(name) == ports
    assert PeerLink(name).port == ports[0]


def test_repr() -> None:
    assert repr(PeerLink("Phone1")) == "<PeerLink node='Phone1' port=58988 peers=0>"


def test_call_result() -> None:
    error = ValueError("x")
    assert peerlink.CallResult.from_value_or_exc(error) == peerlink.CallResult(None, error, False)
    assert peerlink.CallResult.from_value_or_exc(1) == peerlink.CallResult(1, None, True)


def test_current_peer() -> None:
    assert peerlink.current_peer.name == "current_peer"
    assert peerlink.current_peer.get() is None

    def seen(a: int, b: int = 0) -> tuple[str | None, int, int]:
        return peerlink.current_peer.get(), a, b

    assert peerlink.run_with_current_peer("x", seen, 1, b=2) == ("x", 1, 2)
    assert peerlink.current_peer.get() is None


def test_what_is_not_started_says_so() -> None:
    node = PeerLink("Phone1", verbose=False)
    for attempt in (lambda: node.call("x", "f"), lambda: node.call("ALL", "f"), lambda: node.peer("x")):
        with pytest.raises(PeerLinkError, match=r"^Node is not started$"):
            attempt()
    assert node.peer_names() == []
    assert node.peers == []
    assert node.fingerprint == ""
    with pytest.raises(PeerLinkError, match=r"^Node is not started$"):
        node.peer_by_uuid("x")
    assert not node.wait_for_peers(timeout=0.05)
    assert node.wait_for_peers(0, timeout=0)
    node.stop()


@pytest.mark.parametrize("name", ["", "x" * 64, "a\0b", "a\nb"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(PeerLinkError, match="Cannot start node"):
        PeerLink(name, verbose=False, discovery=False).start()


@pytest.mark.parametrize("name", ["", "x" * 256, "a\0b", "\ud800"])
def test_names_that_functions_cannot_have(name: str) -> None:
    node = PeerLink("Phone1", verbose=False, discovery=False)
    with pytest.raises(PeerLinkError, match="a name"):
        node.register(name, print)
    with node, pytest.raises(PeerLinkError, match="a name"):
        node.register(name)(print)


def test_register_wants_a_function() -> None:
    node = PeerLink("Phone1")
    with pytest.raises(TypeError):
        node.register("f", 1)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        node.register(1, print)  # type: ignore[call-overload]
