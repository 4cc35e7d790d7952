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

from peerlink import PeerGone, PeerLink, PeerLinkError, PeerProxy, RemoteError, _session, current_peer

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
    first = f"peerlink-{server.node_name}-events"  # where functions run that were not slow before
    assert names - {first} <= {f"peerlink-{server.node_name}-rpc-{i}" for i in range(16)}
    assert len(names) >= 15


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
    until(lambda: name not in client.peer_names())


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
    names = f"peerlink-{server.node_name}-"
    until(lambda: all(t.name.startswith(names) for t in set(threading.enumerate()) - before))


def test_a_quick_function_that_blocks_once_delays_others_little(pair: Pair) -> None:
    client, server = pair
    gate = threading.Event()
    server.register("quick", lambda: threading.current_thread().name)
    server.register("sometimes", lambda wait: gate.wait(5) if wait else None)
    for _ in range(3):
        client.call(server.node_name, "sometimes", False)
        assert client.call(server.node_name, "quick").endswith("-events")
    with ThreadPoolExecutor(1) as threads:
        blocked = threads.submit(client.call, server.node_name, "sometimes", True)
        until(lambda: server._session and server._session._pump.is_stuck())
        for _ in range(100):
            assert "-rpc-" in client.call(server.node_name, "quick", timeout=1)
        gate.set()
        assert blocked.result() is True
    until(lambda: server._session and not server._session._pump.is_stuck())
    assert client.call(server.node_name, "quick").endswith("-events")


def test_many_functions_that_block_at_once(pair: Pair) -> None:
    client, server = pair
    gate = threading.Barrier(16)
    for i in range(16):
        server.register(str(i), lambda: gate.wait(5) >= 0)
    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(lambda i: client.call(server.node_name, str(i)), range(16)))


def test_a_quick_function_may_call_its_caller(pair: Pair) -> None:
    client, server = pair
    client.register("inner", lambda: 5)
    server.register("outer", lambda: client_of(server).inner() + 1)

    def client_of(node: PeerLink) -> PeerProxy:
        return node.peer(client.node_name)

    assert [client.call(server.node_name, "outer") for _ in range(20)] == [6] * 20


def test_a_watch_that_sleeps_wakes_up(pair: Pair) -> None:
    client, server = pair
    server.register("quick", lambda: None)
    server.register("slow", lambda: time.sleep(0.3))
    client.call(server.node_name, "quick")
    until(lambda: server._session and server._session._pump._asleep)
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(client.call, server.node_name, "slow")
        time.sleep(0.05)
        begun = time.monotonic()
        client.call(server.node_name, "quick")
        assert time.monotonic() - begun < 0.2
        slow.result()


def test_stop_inside_a_quick_function(pair: Pair) -> None:
    client, server = pair
    stopped = threading.Event()

    def stop() -> None:
        server.stop()
        stopped.set()

    server.register("stop", stop)
    with pytest.raises(PeerLinkError):
        client.call(server.node_name, "stop", timeout=1)
    assert stopped.wait(2)


def test_a_handler_that_the_end_of_its_node_cuts_off(pair: Pair) -> None:
    client, server = pair
    gate = threading.Event()
    server.register("never", lambda: gate.wait(9))
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(client.call, server.node_name, "never")
        session = server._session
        assert session
        until(session._pump.is_stuck)
        session.stop(0)
        error = call.exception(9)
    gate.set()
    assert isinstance(error, PeerGone)
    assert str(error) == f"RPC 'never' → '{server.node_name}': the peer left before it answered"
