"""Realms: who has the secret, and that nobody is told it."""

from __future__ import annotations

import json
import logging
import pickle
import socket
import stat
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from peerlink import PeerLink, PeerLinkError, PeerTimeoutError, new_secret

from .conftest import Child, Node, introduce, unique

TEXT = "correct horse battery"


def test_new_secret() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert len(first) == 48
    assert first.startswith("plk1_")


def test_who_has_the_secret_is_authenticated(node: Node) -> None:
    secret = new_secret()
    client, server = node("Client", mdns=True, secret=secret), node("Server", mdns=True, secret=secret)
    server.register("add", lambda a, b: a + b)
    with client, server:
        assert client.wait_for_peer(server.node_name)
        assert client.call(server.node_name, "add", 25, 17) == 42
        peer = client.peer(server.node_name)
        assert peer.authenticated
        assert peer.encrypted
        assert peer.fingerprint == server.fingerprint != client.fingerprint
        assert len(peer.fingerprint) == 64
        assert peer.rtt is not None
        assert 0 < peer.rtt < 5
        assert 0 <= peer.loss <= 1
        (known,) = [p for p in client.peers if p.name == server.node_name]
        assert known.encrypted
        assert known.authenticated
        assert not known.legacy
        assert (known.addr, known.port) != ("", 0)
        assert client.stop() is None
        client.start()  # with the secret it was given
        assert client.wait_for_peer(server.node_name)
        assert client.call(server.node_name, "add", 1, 2) == 3


def test_the_open_realm_is_encrypted_and_proves_nothing(node: Node) -> None:
    client, server = node("Client").start(), node("Server", secret="").start()
    introduce(client, server)
    server.register("one", lambda: 1)
    peer = client.peer(server.node_name)
    assert not peer.encrypted
    assert peer.fingerprint == ""
    assert peer.one() == 1
    assert peer.encrypted
    assert not peer.authenticated


@pytest.mark.parametrize("secret", [None, new_secret(), "another text"], ids=["none", "strong", "text"])
def test_strangers_are_not_answered(node: Node, secret: str | None) -> None:
    server = node("Server", mdns=True, secret=TEXT).start()
    server.register("one", lambda: 1)
    stranger = node("Stranger", mdns=True, secret=secret).start()
    assert not stranger.wait_for_peer(server.node_name, timeout=1)
    assert not server.wait_for_peer(stranger.node_name, timeout=0)
    stranger.add_peer(server.node_name, "127.0.0.1", server.port)
    with pytest.raises(PeerTimeoutError):
        stranger.call(server.node_name, "one", timeout=0.5)
    assert not stranger.peer(server.node_name).authenticated


def ping(node: PeerLink, seconds: float) -> Any:
    """What a 1.x node gets that pings this one; None if nothing."""
    request = {"type": "request", "id": "7", "src": "Old", "dst": "?", "rpc": "__ping__", "args": [], "kwargs": {}}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds)
        sock.sendto(json.dumps(request).encode(), ("127.0.0.1", node.port))
        try:
            return json.loads(sock.recv(65535))
        except TimeoutError:
            return None


@pytest.mark.parametrize(
    ("secret", "allow", "answers"),
    [(None, None, True), (None, False, False), (TEXT, None, False), (TEXT, False, False), (TEXT, True, True)],
)
def test_1_x_nodes_are_answered_if_they_may_be(
    node: Node, secret: str | None, allow: bool | None, answers: bool
) -> None:
    with node("Server", secret=secret, allow_legacy=allow) as server:
        answer = ping(server, 5 if answers else 0.3)
    if answers:
        assert answer["result"]["ok"] is True
    else:
        assert answer is None


def test_the_limits_of_1_x_hold_with_1_x(node: Node) -> None:
    """A request in its dialect, larger than its answer may be."""
    server = node("Server").start()
    server.register("big", lambda: "x" * 1200)
    request = {"type": "request", "id": "7", "src": "Old", "rpc": "big", "args": [], "kwargs": {}}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(json.dumps(request).encode(), ("127.0.0.1", server.port))
        error = json.loads(sock.recv(65535))["error"]
    assert error["type"] == "PeerLinkError"
    assert "keep return value under MAX_SAFE_UDP_PAYLOAD (1200)" in error["message"]


def test_the_key_survives_a_restart(node: Node, tmp_path: Path) -> None:
    kept = node("Kept", state_dir=tmp_path / "state")
    with kept:
        first = kept.fingerprint
    assert kept.fingerprint == ""
    with kept:
        assert kept.fingerprint == first
    files = list((tmp_path / "state").iterdir())
    assert len(files) == 1
    if sys.platform != "win32":
        assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
        files[0].chmod(0o644)
        with pytest.raises(PeerLinkError, match="can be read by others"):
            kept.start()
    with node("Other") as other:
        assert other.fingerprint != first


@pytest.mark.parametrize(
    ("secret", "error"),
    [
        ("x" * 1025, ValueError),
        ("hunter2\0", ValueError),
        ("hunter2\ud800", ValueError),
        (b"hunter2", TypeError),
        (("hunter2",), TypeError),
    ],
)
def test_what_is_no_secret(secret: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        PeerLink("Phone1", secret=secret)
    told = "".join(traceback.format_exception(caught.type, caught.value, None))
    assert "hunter2" not in told + repr(caught.value.__context__)
    assert "xxx" not in told


@pytest.mark.parametrize("secret", ["plk1_hunter2", "plk1_" + "!" * 43])
def test_a_damaged_secret_is_not_told(node: Node, secret: str) -> None:
    with pytest.raises(PeerLinkError, match="damaged") as caught:
        node("Phone1", secret=secret).start()
    assert secret[5:] not in str(caught.value)


def test_a_secret_is_nowhere(node: Node, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = new_secret()
    for text in (secret, TEXT):
        client, server = node("Client", secret=text, verbose=True), node("Server", secret=text, verbose=True)
        with client, server:
            introduce(client, server)
            server.register("fail", lambda: 1 // 0)
            shown = [
                repr(client),
                str(client),
                repr(vars(client)),
                repr(client.peer(server.node_name)),
                repr(client.peers),
            ]
            for call in ("fail", "nothing"):
                with pytest.raises(PeerLinkError) as caught:
                    client.call(server.node_name, call)
                shown.append(repr(caught.value))
            with pytest.raises(TypeError):
                pickle.dumps(client._secret)
        out, err = capfd.readouterr()
        everything = "\n".join([*shown, out, err, caplog.text])
        assert client.node_name in everything
        assert text not in everything
        assert text[5:] not in everything


def test_a_secret_is_not_taken_from_the_environment(child: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is for command lines: a program that was not written for a realm is not to be moved into one."""
    monkeypatch.setenv("PEERLINK_SECRET", TEXT)
    server: Child = child(
        "import sys, time\nfrom peerlink import PeerLink\n"
        "with PeerLink(sys.argv[1], verbose=False, discovery=False) as n:\n    print(n.port)\n    time.sleep(60)\n",
        unique("Open"),
    )
    port = int(server.line())
    monkeypatch.delenv("PEERLINK_SECRET")
    with PeerLink(unique("Client"), verbose=False, discovery=False) as client:
        client.add_peer("Open", "127.0.0.1", port)
        assert client.peer("Open").is_alive()
