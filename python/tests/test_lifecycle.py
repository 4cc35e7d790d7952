from __future__ import annotations

import logging
import queue
import threading
import time
from typing import Any

import pytest

from peerlink import PeerLink, current_peer

from .conftest import Child, Node, Pair, introduce, unique, until

SERVE = """
import sys, time
from peerlink import PeerLink
node = PeerLink(sys.argv[1], verbose=False, interfaces="lo").start()
node.register("one", lambda: 1)
print("up", flush=True)
time.sleep(60)
"""


class Watch:
    """Collects the lifecycle of one peer."""

    def __init__(self, node: PeerLink, peer: str) -> None:
        self.events: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self._peer = peer
        node.set_peer_lifecycle(on_up=self._up, on_down=self._down)

    def _up(self, name: str, addr: str, port: int) -> None:
        if name == self._peer:
            self.events.put(("up", name, addr, port))

    def _down(self, name: str, reason: str) -> None:
        if name == self._peer:
            self.events.put(("down", name, reason))

    def next(self, seconds: float = 10) -> tuple[Any, ...]:
        return self.events.get(timeout=seconds)


def test_up_and_down(node: Node) -> None:
    watcher, peer = node("Watcher", mdns=True), node("Peer", mdns=True)
    watch = Watch(watcher, peer.node_name)
    with watcher:
        peer.start()
        kind, name, addr, port = watch.next()
        assert (kind, name, port) == ("up", peer.node_name, peer.port)
        assert addr.startswith("127.") or addr == "::1"
        until(lambda: peer.node_name in watcher.peer_names())
        peer.stop()
        assert watch.next() == ("down", peer.node_name, "removed")
        assert peer.node_name not in watcher.peer_names()
        peer.start()
        assert watch.next()[0] == "up"


def test_a_killed_peer_expires_and_its_successor_comes_up(node: Node, child: Any) -> None:
    name = unique("Victim")
    watcher = node("Watcher", mdns=True)
    watch = Watch(watcher, name)
    with watcher:
        victim: Child = child(SERVE, name)
        assert victim.line() == "up"
        assert watch.next()[0] == "up"
        assert watcher.call(name, "one") == 1
        victim.process.kill()
        assert watch.next(30) == ("down", name, "expired")
        assert watcher.peer_names() == [] or name not in watcher.peer_names()
        assert child(SERVE, name).line() == "up"
        assert watch.next()[0] == "up"
        assert watcher.call(name, "one") == 1


def test_a_peer_killed_and_restarted_at_once_is_replaced(node: Node, child: Any) -> None:
    name = unique("Phoenix")
    watcher = node("Watcher", mdns=True)
    watch = Watch(watcher, name)
    with watcher:
        first: Child = child(SERVE, name)
        assert first.line() == "up"
        assert watch.next()[0] == "up"
        first.process.kill()
        first.process.wait()
        assert child(SERVE, name).line() == "up"
        assert watch.next() == ("down", name, "replaced")
        assert watch.next()[0] == "up"
        assert watcher.call(name, "one") == 1


def test_another_address_is_down_replaced_and_up(node: Node) -> None:
    watcher, one, two = node("Watcher").start(), node("One").start(), node("Two").start()
    watch = Watch(watcher, "Static")
    watcher.add_peer("Static", "127.0.0.1", one.port)
    assert watch.next() == ("up", "Static", "127.0.0.1", one.port)
    watcher.add_peer("Static", "127.0.0.1", two.port)
    assert watch.next() == ("down", "Static", "replaced")
    assert watch.next() == ("up", "Static", "127.0.0.1", two.port)


def test_callbacks_may_call_and_come_one_after_the_other(node: Node) -> None:
    watcher, *peers = (node(f"N{i}").start() for i in range(4))
    seen: queue.Queue[tuple[str, object, int, object]] = queue.Queue()

    def on_up(name: str, addr: str, port: int) -> None:
        seen.put(
            (threading.current_thread().name, current_peer.get(), threading.active_count(), watcher.call(name, "one"))
        )

    watcher.set_peer_lifecycle(on_up=on_up)
    for peer in peers:
        peer.register("one", lambda: 1)
        introduce(watcher, peer)
    got = [seen.get(timeout=5) for _ in peers]
    assert {g[0] for g in got} == {f"peerlink-{watcher.node_name}-peers"}
    assert [(g[1], g[3]) for g in got] == [(None, 1)] * 3


def test_what_callbacks_raise_is_logged(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    watcher, peer = node("Watcher").start(), node("Peer").start()
    watcher.set_peer_lifecycle(on_up=lambda *_: 1 / 0)
    with caplog.at_level(logging.ERROR, "peerlink"):
        introduce(watcher, peer)
        until(lambda: "ZeroDivisionError" in caplog.text)
    peer.register("one", lambda: 1)
    assert watcher.call(peer.node_name, "one") == 1


def test_none_keeps_a_callback(pair: Pair) -> None:
    client, server = pair
    watch = Watch(client, "Other")
    assert client.set_peer_lifecycle() is client
    client.add_peer("Other", "127.0.0.1", server.port)
    assert watch.next()[0] == "up"


def test_the_second_of_a_name_is_renamed(
    node: Node, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    name = unique("Twin")
    seeker = node("Seeker", mdns=True).start()
    node(name, exact=True, mdns=True).start()
    assert until(lambda: name in seeker.peer_names())
    time.sleep(1)  # until the name is announced for good
    second = node(name, exact=True, mdns=True, verbose=True).start()
    until(lambda: f"{name} (2)" in seeker.peer_names(), 10)
    until(lambda: "is taken" in caplog.text)
    assert f"{name} (2)" in caplog.text
    assert second.node_name == name
    out = ""

    def told() -> bool:
        nonlocal out
        out += capsys.readouterr().out
        return f"this node as {name} (2)" in out

    until(told)
    second.register("one", lambda: 1)
    assert seeker.call(f"{name} (2)", "one") == 1


def test_wait_for_a_peer_by_name(node: Node) -> None:
    here, there = node("here").start(), node("there").start()
    assert not here.wait_for_peer(there.node_name, 0.05)
    here.add_peer(there.node_name, "127.0.0.1", there.port)
    assert here.wait_for_peer(there.node_name, 10)
    assert not here.wait_for_peer("nobody", 0.05)
    here.stop()
    assert not here.wait_for_peer(there.node_name, 0.05)


@pytest.mark.parametrize("port", [0, -1, 65536, 70000])
def test_add_peer_refuses_what_is_no_port(node: Node, port: int) -> None:
    here = node("here")
    with pytest.raises(ValueError, match="1 to 65535"):
        here.add_peer("there", "127.0.0.1", port)
    with pytest.raises(ValueError, match="1 to 65535"):
        here.add_peer("there", "127.0.0.1", 1, port)


@pytest.mark.parametrize("port", ["9", None, True, 1.5])
def test_add_peer_refuses_what_is_no_number(node: Node, port: Any) -> None:
    with pytest.raises(TypeError, match="must be an int"):
        node("here").add_peer("there", "127.0.0.1", port)


def test_register_refuses_coroutine_functions(node: Node) -> None:
    async def later() -> int:
        return 1

    with pytest.raises(TypeError, match="asyncio"):
        node("here").register("later", later)
