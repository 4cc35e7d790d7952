from __future__ import annotations

import contextvars
import gc
import json
import socket
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from peerlink import PeerLink, PeerLinkError, RemoteError, _session, current_peer

from .conftest import Node, Pair, introduce, unique, until


def test_decorators(pair: Pair) -> None:
    client, server = pair

    @server.register("named")
    def one(x: int) -> int:
        return x + 1

    @server.register
    def bare(x: int) -> int:
        return x + 2

    assert (one(1), bare(1)) == (2, 3)
    assert client.call(server.node_name, "named", 1) == 2
    assert client.call(server.node_name, "bare", 1) == 3


def test_registering_chains_and_replaces(pair: Pair) -> None:
    client, server = pair
    assert server.register("f", lambda: 1).register("g", lambda: 2) is server
    assert client.call(server.node_name, "f") == 1
    server.register("f", lambda: 3)
    assert client.call(server.node_name, "f") == 3
    assert client.call(server.node_name, "g") == 2


def test_current_peer_is_the_caller_all_the_way(pair: Pair) -> None:
    a, b = pair
    a.register("inner", lambda: current_peer.get())
    b.register("outer", lambda: [current_peer.get(), b.call(a.node_name, "inner"), current_peer.get()])
    assert a.call(b.node_name, "outer") == [a.node_name, b.node_name, a.node_name]
    assert current_peer.get() is None


def test_current_peer_is_none_if_the_request_names_nobody(node: Node) -> None:
    server = node("Server").start()
    server.register("who", lambda: [current_peer.get()])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.settimeout(5)
        for src, expected in ((None, None), ("", ""), ("x", "x")):
            request = {"type": "request", "id": "1", "rpc": "who", **({} if src is None else {"src": src})}
            plain.sendto(json.dumps(request).encode(), ("127.0.0.1", server.port))
            assert json.loads(plain.recv(2000))["result"] == [expected]


def test_handlers_see_the_context_of_register(pair: Pair) -> None:
    client, server = pair
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    def handler() -> str:
        before = variable.get()
        variable.set("changed by a call")
        return before

    variable.set("set")
    server.register("f", handler)
    assert [client.call(server.node_name, "f") for _ in range(3)] == ["set"] * 3
    variable.set("unset")


def test_at_most_sixteen_handlers_run_at_once(pair: Pair) -> None:
    client, server = pair
    lock, running, most = threading.Lock(), 0, 0

    def handler() -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.1)
        with lock:
            running -= 1
        return threading.current_thread().name

    server.register("f", handler)
    with ThreadPoolExecutor(40) as threads:
        names = set(threads.map(lambda _: client.call(server.node_name, "f"), range(40)))
    assert most == 16
    assert names == {f"peerlink-{server.node_name}-rpc-{i}" for i in range(16)}


def test_too_many_calls_at_once_are_refused(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_session, "_BACKLOG", 2)
    client, server = node("Client").start(), node("Server").start()
    introduce(client, server)
    server.register("slow", lambda: time.sleep(0.5))
    with ThreadPoolExecutor(24) as threads:
        calls = [threads.submit(client.call, server.node_name, "slow") for _ in range(24)]
        errors = [str(e) for call in calls if (e := call.exception())]
    assert 1 <= len(errors) <= 6
    assert set(errors) == {"Overloaded: too many calls at once"}
    with pytest.raises(RemoteError, match="No function"):
        client.call(server.node_name, "f")


def test_a_call_from_a_stopped_node_inside_a_handler(pair: Pair) -> None:
    client, server = pair
    seen: list[str] = []

    def handler() -> None:
        client.stop()
        try:
            client.call(server.node_name, "f")
        except PeerLinkError as e:
            seen.append(str(e))

    server.register("f", handler)
    with pytest.raises(PeerLinkError):
        client.call(server.node_name, "f")
    until(lambda: seen)
    assert seen == ["Node is not started"]


def test_stop_waits_for_a_handler_that_runs(pair: Pair) -> None:
    client, server = pair
    entered = threading.Event()
    server.register("slow", lambda: (entered.set(), time.sleep(0.5), "done")[2])
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(client.call, server.node_name, "slow")
        assert entered.wait(5)
        server.stop()
        assert call.result(5) == "done"


def test_a_handler_may_stop_its_node(pair: Pair) -> None:
    client, server = pair
    stopped = threading.Event()
    server.register("stop", lambda: (server.stop(), stopped.set())[0])
    with ThreadPoolExecutor(1) as threads:
        threads.submit(client.call, server.node_name, "stop", timeout=0.5)
        assert stopped.wait(3)


def test_no_thread_is_left(node: Node) -> None:
    before = set(threading.enumerate())
    for _ in range(3):
        client, server = node("Client"), node("Server", mdns=True)
        client.set_peer_lifecycle(on_up=lambda *_: None)
        with client, server:
            introduce(client, server)
            server.register("f", lambda: 1)
            for _ in range(5):
                client.call(server.node_name, "f")
    until(lambda: set(threading.enumerate()) <= before)


def test_a_forgotten_node_is_closed(pair: Pair) -> None:
    client, _ = pair
    before = set(threading.enumerate())
    forgotten = PeerLink(unique("Forgotten"), verbose=False, discovery=False).start()
    forgotten.register("one", lambda: 1)
    introduce(client, forgotten)
    assert client.call(forgotten.node_name, "one") == 1
    alive, name = weakref.ref(forgotten), forgotten.node_name
    del forgotten
    gc.collect()
    assert alive() is None
    until(lambda: set(threading.enumerate()) <= before)
    assert not client.peer_names() or not client.peer(name).is_alive(timeout=0.3)


def test_the_collector_may_close_nodes_in_any_thread(pair: Pair) -> None:
    client, server = pair
    before = set(threading.enumerate())

    def make_garbage() -> str:
        loop: list[object] = [PeerLink(unique("Garbage"), verbose=False, discovery=False).start()]
        loop.append(loop)
        del loop
        gc.collect()
        return "collected"

    server.register("garbage", make_garbage)
    for _ in range(3):
        assert client.call(server.node_name, "garbage") == "collected"
    names = f"peerlink-{server.node_name}-rpc"
    until(lambda: all(t.name.startswith(names) for t in set(threading.enumerate()) - before))
