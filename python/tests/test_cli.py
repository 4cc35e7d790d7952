from __future__ import annotations

import re
import time
from typing import Any

import pytest

from .conftest import Node, until


@pytest.mark.parametrize("module", ["peerlink", "peerlink.cli"])
def test_discover(node: Node, child: Any, module: str) -> None:
    phone, watcher = node("😀 Phone", mdns=True).start(), node("Watcher", mdns=True)
    seen: list[str] = []
    watcher.set_peer_lifecycle(on_up=lambda name, *_: seen.append(name))
    with watcher:
        code, out, err = child("", "-m", module, "discover", "--wait", "1.5", "--interfaces", "lo").end()
    assert (code, err) == (0, "")
    first, *names = out.splitlines()
    assert first == "Discovered peers:"
    assert f"- {phone.node_name}" in names
    assert names == sorted(names)
    assert not [name for name in seen if name.startswith("peerlink-cli-")]


def test_ping(node: Node, child: Any) -> None:
    phone = node("Phone", mdns=True).start()
    watcher = node("Watcher", mdns=True).start()
    until(lambda: phone.node_name in watcher.peer_names())
    code, out, err = child("", "-m", "peerlink", "ping", phone.node_name, "--interfaces", "lo").end()
    assert (code, err) == (0, "")
    assert re.fullmatch(rf"Ping to '{phone.node_name}' succeeded in \d+\.\d ms\n", out)


def test_ping_of_nobody(child: Any) -> None:
    code, out, err = child("", "-m", "peerlink", "ping", "Nobody at all", "--interfaces", "lo").end()
    assert (code, out) == (1, "")
    assert err == "Peer 'Nobody at all' not found: Peer 'Nobody at all' not found\n"


def test_ping_without_an_answer(node: Node, child: Any) -> None:
    phone = node("Phone", mdns=True).start()
    phone.register("__ping__", lambda: time.sleep(2))
    code, out, err = child(
        "", "-m", "peerlink", "ping", phone.node_name, "--timeout", "0.5", "--interfaces", "lo"
    ).end()
    assert (code, out) == (1, "")
    assert err == f"Ping to '{phone.node_name}' failed (no response within 0.5s)\n"


@pytest.mark.parametrize(
    "arguments", [[], ["unknown"], ["ping"], ["discover", "--wait", "soon"], ["ping", "x", "--timeout"]]
)
def test_wrong_usage(child: Any, arguments: list[str]) -> None:
    code, out, err = child("", "-m", "peerlink", *arguments).end()
    assert (code, out) == (2, "")
    assert "usage: peerlink" in err


def test_help(child: Any) -> None:
    code, out, _ = child("", "-m", "peerlink", "--help").end()
    assert code == 0
    assert "discover" in out
    assert "ping" in out
