from __future__ import annotations

import copy
import re
import socket
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from peerlink import (
    Ambiguous,
    NoHandler,
    PayloadTooLarge,
    PeerLink,
    PeerLinkError,
    PeerNotFound,
    PeerTimeoutError,
    RemoteError,
    SwarmNode,
    caller_waits,
)

from .conftest import Node, Pair, introduce, unique, until


def test_quick_start_by_mdns(node: Node) -> None:
    one, two = node("Phone1", mdns=True), node("Phone2", mdns=True)
    one.register("add", lambda a, b: a + b)
    with one, two:
        until(lambda: one.node_name in two.peer_names())
        assert two.call(one.node_name, "add", 25, 17) == 42
        until(lambda: two.node_name in one.peer_names())


def test_quick_start_without_discovery(pair: Pair) -> None:
    client, server = pair
    server.register("add", lambda a, b: a + b)
    assert client.wait_for_peers(1, timeout=5)
    assert client.call(server.node_name, "add", 25, 17) == 42
    assert client.peer_names() == [server.node_name]
    assert repr(client) == f"<PeerLink node='{client.node_name}' port={client.port} peers=1>"


def test_peers_can_be_added_before_start(node: Node) -> None:
    server = node("Server").start()
    server.register("who", lambda: "me")
    client = node("Client").add_peer(server.node_name, "127.0.0.1", server.port)
    for _ in range(2):
        with client:
            assert client.call(server.node_name, "who") == "me"


def test_keyword_arguments(pair: Pair) -> None:
    client, server = pair
    server.register("scale", lambda a, b=1, *, scale=1: [a, b, scale])
    assert client.call(server.node_name, "scale", 2, scale=3) == [2, 1, 3]
    assert client.call(server.node_name, "scale", a=5, b=6) == [5, 6, 1]
    assert client.call(target=server.node_name, func_name="scale", a=1) == [1, 1, 1]


def test_what_a_function_raises_comes_as_remote_error(pair: Pair) -> None:
    client, server = pair

    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def fail(kind: str) -> None:
        raise {"value": ValueError("bad é"), "key": KeyError("k"), "exit": SystemExit(3),
               "interrupt": KeyboardInterrupt(), "odd": Odd(), "nul": ValueError("a\0b")}[kind]  # fmt: skip

    server.register("fail", fail)
    for kind, text in {
        "value": "ValueError: bad é",
        "key": "KeyError: 'k'",
        "exit": "SystemExit: 3",
        "interrupt": "KeyboardInterrupt: ",
        "odd": "Odd: ",
        "nul": "ValueError: a\\x00b",
    }.items():
        with pytest.raises(RemoteError) as caught:
            client.call(server.node_name, "fail", kind)
        assert str(caught.value) == text
    with pytest.raises(RemoteError, match=r"^TypeError: .*missing 1 required positional argument"):
        client.call(server.node_name, "fail")


def test_an_unknown_function(pair: Pair) -> None:
    client, server = pair
    with pytest.raises(NoHandler) as caught:
        client.call(server.node_name, "nothing")
    assert str(caught.value) == "RemoteError: No function 'nothing' registered"


@pytest.mark.parametrize("name", ["", "x" * 256, "a\0b"])
def test_names_that_functions_cannot_have(pair: Pair, name: str) -> None:
    client, server = pair
    with pytest.raises(PeerLinkError, match=rf"^RPC '{name}' → '{server.node_name}': "):
        client.call(server.node_name, name)


def test_an_unknown_peer(pair: Pair) -> None:
    client, server = pair
    with pytest.raises(PeerNotFound) as caught:
        client.call("Nobody", "f")
    assert str(caught.value) == f"Peer 'Nobody' not found. Known peers: ['{server.node_name}']"
    for name in ("", server.node_name[:-1], "a\0b", "\ud800"):
        with pytest.raises(PeerNotFound):
            client.call(name, "f")
    with pytest.raises(PeerNotFound):
        client.call(client.node_name, "f")


def test_case_matters_only_if_it_must(node: Node) -> None:
    stem = unique("Case")
    client, lower, upper = node("Client"), node(stem.lower(), exact=True), node(stem.upper(), exact=True)
    with client, lower, upper:
        lower.register("who", lambda: "lower")
        upper.register("who", lambda: "upper")
        client.add_peer(lower.node_name, "127.0.0.1", lower.port)
        assert client.call(stem.upper(), "who") == "lower"
        client.add_peer(upper.node_name, "127.0.0.1", upper.port)
        assert client.call(stem.upper(), "who") == "upper"
        assert client.call(stem.lower(), "who") == "lower"
        with pytest.raises(Ambiguous, match="not unique"):
            client.call(stem.title(), "who")


def test_arguments_that_cannot_be_encoded(pair: Pair) -> None:
    client, server = pair
    with pytest.raises(TypeError, match="Object of type set is not JSON serializable"):
        client.call(server.node_name, "f", {1})
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="Circular"):
        client.call(server.node_name, "f", loop)


def test_a_result_that_cannot_be_encoded_is_told_at_once(pair: Pair) -> None:
    client, server = pair
    server.register("bad", lambda: {1})
    begun = time.monotonic()
    with pytest.raises(RemoteError, match=r"^TypeError: Object of type set is not JSON serializable$"):
        client.call(server.node_name, "bad")
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("size", [1200, 64 << 10, 1 << 20])
def test_large_arguments_and_results(pair: Pair, size: int) -> None:
    client, server = pair
    server.register("echo", lambda text: text)
    text = "x" * size
    assert client.call(server.node_name, "echo", text, timeout=20) == text
    assert server.node_name in client.call("ALL", "echo", text, timeout=20)


def test_messages_that_are_too_large(pair: Pair) -> None:
    client, server = pair
    server.register("echo", lambda text: text)
    server.register("big", lambda size: "x" * size)
    with pytest.raises(PayloadTooLarge, match=r"^arguments of \d{8} bytes: the limit is 16777216$"):
        client.call(server.node_name, "echo", "x" * (16 << 20))
    with pytest.raises(PayloadTooLarge, match=r"result of \d{8} bytes: the limit is 16777216$"):
        client.call(server.node_name, "big", 16 << 20)


def test_a_handler_can_ask_whether_its_caller_waits(pair: Pair) -> None:
    client, server = pair
    asked, given_up = threading.Event(), threading.Event()

    def work() -> None:
        assert caller_waits()
        asked.set()
        until(lambda: not caller_waits(), 10)
        given_up.set()

    server.register("work", work)
    with pytest.raises(PeerTimeoutError):
        client.call(server.node_name, "work", timeout=0.3)
    assert asked.is_set()
    assert given_up.wait(10)
    assert caller_waits()  # outside of handlers


def test_a_peer_by_its_uuid(node: Node) -> None:
    client, server = node("Client", mdns=True).start(), node("Server", mdns=True).start()
    server.register("who", lambda: "me")
    assert client.wait_for_peer(server.node_name)
    (known,) = [p for p in client.peers if p.name == server.node_name]
    proxy = client.peer_by_uuid(known.uuid)
    assert proxy.who() == "me"
    assert proxy.is_alive()
    assert repr(proxy) == f"<PeerProxy name='{server.node_name}'>"
    assert copy.copy(proxy).fingerprint == proxy.fingerprint == server.fingerprint
    assert client.peer_by_uuid(uuid.UUID(known.uuid)).who() == "me"
    for other in ("", "x", "00000000-0000-0000-0000-000000000000", "\ud800"):
        with pytest.raises(PeerNotFound):
            client.peer_by_uuid(other)
    server.stop()
    server.start()
    until(lambda: known.uuid not in [p.uuid for p in client.peers] and server.node_name in client.peer_names())
    assert client.peer(server.node_name).who() == "me"
    for use in (proxy.who, lambda: proxy.rtt):
        with pytest.raises(PeerNotFound, match=f"^Peer '{known.uuid}' not found$"):
            use()


@pytest.mark.parametrize(("timeout", "text"), [(0, "0s"), (0.0, "0.0s"), (0.2, "0.2s"), (1, "1s"), (-1, "-1s")])
def test_timeouts_are_printed_as_given(pair: Pair, timeout: float, text: str) -> None:
    client, server = pair
    server.register("slow", lambda: time.sleep(1.5))
    begun = time.monotonic()
    with pytest.raises(PeerTimeoutError) as caught:
        client.call(server.node_name, "slow", timeout=timeout)
    assert str(caught.value) == f"RPC 'slow' → '{server.node_name}' timed out after {text}"
    assert max(0, timeout) <= time.monotonic() - begun < max(0, timeout) + 1


def test_the_default_timeout_is_five_seconds(pair: Pair) -> None:
    client, server = pair
    server.register("slow", lambda: time.sleep(5.5))
    with pytest.raises(PeerTimeoutError, match=r"timed out after 5\.0s$"):
        client.call(server.node_name, "slow")


def test_timeout_zero_calls_all_the_same(pair: Pair) -> None:
    client, server = pair
    called = threading.Event()
    server.register("f", called.set)
    with pytest.raises(PeerTimeoutError):
        client.call(server.node_name, "f", timeout=0)
    assert called.wait(5)


def test_timeout_none_waits(pair: Pair) -> None:
    client, server = pair
    server.register("slow", lambda: (time.sleep(5.5), "late")[1])
    assert client.call(server.node_name, "slow", timeout=None) == "late"


def test_nan_is_no_timeout(pair: Pair) -> None:
    client, server = pair
    with pytest.raises(ValueError, match="NaN"):
        client.call(server.node_name, "f", timeout=float("nan"))


def test_all(node: Node) -> None:
    nodes = [node(name).start() for name in ("A", "B", "C")]
    caller, b, c = nodes
    assert caller.call("ALL", "f") == {}
    introduce(caller, b)
    introduce(caller, c)
    b.register("f", lambda x: x + 1)
    c.register("f", lambda x: 1 // 0)
    caller.register("f", lambda x: "not me")
    outcome = caller.call(" all ", "f", 1)
    assert list(outcome) == sorted([b.node_name, c.node_name])
    assert outcome[b.node_name] == 2
    assert isinstance(outcome[c.node_name], RemoteError)
    assert str(outcome[c.node_name]).startswith("ZeroDivisionError: ")
    results = caller.call_all_results("f", 1)
    assert results[b.node_name].success
    assert results[b.node_name].value == 2
    assert not results[c.node_name].success
    assert isinstance(results[c.node_name].error, RemoteError)


def test_all_asks_at_once_and_times_out_per_peer(node: Node) -> None:
    caller, *others = (node(f"N{i}").start() for i in range(4))
    for i, other in enumerate(others):
        introduce(caller, other)
        other.register("f", lambda i=i: time.sleep(0.4 if i else 3) or i)
    begun = time.monotonic()
    outcome = caller.call("ALL", "f", timeout=1)
    assert time.monotonic() - begun < 2
    late = outcome.pop(others[0].node_name)
    assert isinstance(late, PeerTimeoutError)
    assert str(late) == f"RPC 'f' → '{others[0].node_name}' timed out after 1s"
    assert outcome == {others[1].node_name: 1, others[2].node_name: 2}
    zero = caller.call("ALL", "f", timeout=0)
    assert [type(e) for e in zero.values()] == [PeerTimeoutError] * 3


def test_proxy(pair: Pair) -> None:
    client, server = pair
    server.register("add", lambda a, b=0: a + b)
    server.register("kw", lambda **kw: kw)
    peer = client.peer(server.node_name)
    assert repr(peer) == f"<PeerProxy name='{server.node_name}'>"
    assert peer.add(1, b=2) == 3
    assert peer.add(1, timeout=1) == 1
    assert peer.kw(target=1, func_name=2, self=3) == {"target": 1, "func_name": 2, "self": 3}
    assert peer.__ping__()["ok"] is True
    with pytest.raises(AttributeError):
        _ = peer.__wrapped__
    with pytest.raises(PeerNotFound, match=r"^Peer 'Nobody' not found$"):
        client.peer("Nobody")


def test_a_proxy_can_be_copied(pair: Pair) -> None:
    client, server = pair
    server.register("one", lambda: 1)
    assert copy.copy(client.peer(server.node_name)).one() == 1


def test_is_alive(pair: Pair) -> None:
    client, server = pair
    peer = client.peer(server.node_name)
    assert peer.is_alive()
    server.register("__ping__", lambda: {"ok": False})
    assert not peer.is_alive()
    server.register("__ping__", lambda: "yes")
    assert peer.is_alive(timeout=1)
    server.stop()
    assert not peer.is_alive(timeout=0.3)
    client.stop()
    assert not peer.is_alive()


def test_sixty_four_callers_at_once(pair: Pair) -> None:
    client, server = pair
    server.register("double", lambda x: 2 * x)
    with ThreadPoolExecutor(64) as threads:
        results = threads.map(lambda i: client.call(server.node_name, "double", i), range(640))
        assert list(results) == [2 * i for i in range(640)]


def test_calls_in_handlers_go_back_and_forth(pair: Pair) -> None:
    a, b = pair
    a.register("down", lambda n: n if n == 0 else a.call(b.node_name, "down", n - 1) + 1)
    b.register("down", lambda n: n if n == 0 else b.call(a.node_name, "down", n - 1) + 1)
    assert a.call(b.node_name, "down", 8) == 8


def test_slow_handlers_do_not_delay_pings(pair: Pair) -> None:
    client, server = pair
    server.register("slow", lambda: time.sleep(1))
    with ThreadPoolExecutor(32) as threads:
        calls = [threads.submit(client.call, server.node_name, "slow") for _ in range(24)]
        time.sleep(0.2)
        begun = time.monotonic()
        assert client.peer(server.node_name).is_alive(timeout=0.5)
        assert time.monotonic() - begun < 0.5
        for call in calls:
            call.result()


def test_a_call_that_waits_ends_with_stop(pair: Pair) -> None:
    client, server = pair
    server.register("slow", lambda: time.sleep(2))
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(client.call, server.node_name, "slow", timeout=None)
        time.sleep(0.2)
        client.stop()
        with pytest.raises(PeerLinkError):
            call.result(2)
    with pytest.raises(PeerLinkError, match=r"^Node is not started$"):
        client.call(server.node_name, "slow")


def test_start_twice_and_again(pair: Pair) -> None:
    client, server = pair
    server.register("one", lambda: 1)
    assert client.start() is client
    client.stop()
    client.stop()
    client.start()
    assert client.call(server.node_name, "one") == 1


def test_swarm_node_starts_itself_and_may_be_used_in_with(node: Node) -> None:
    with SwarmNode(unique("Swarm"), verbose=False, discovery=False) as swarm, node("Peer") as peer:
        introduce(swarm, peer)
        swarm.register("one", lambda: 1)
        assert peer.call(swarm.node_name, "one") == 1


def test_a_taken_port_is_evaded(node: Node) -> None:
    client, server = node("Client").start(), node("Server")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        squatter.bind(("", server.port))
        derived = server.port
        server.start()
        assert server.port != derived
        server.register("one", lambda: 1)
        introduce(client, server)
        assert client.call(server.node_name, "one") == 1


def test_verbose_says_what_1_1_1_said(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    client, server = node("Client", verbose=True).start(), node("Server").start()
    introduce(client, server)
    with pytest.raises(RemoteError):
        client.call(server.node_name, "f")
    client.stop()
    out = capsys.readouterr().out
    name = re.escape(client.node_name)
    assert all(re.match(rf"\[\d\d:\d\d:\d\d\]\[PeerLink:{name}\] ", line) for line in out.splitlines())
    assert f"🚀 Node-{client.node_name} [udp={client.port} tcp=" in out
    assert f"RPC f → {server.node_name}" in out
    assert f"👥 Found peer: {server.node_name} @ 127.0.0.1:{server.port}" in out
    assert out.rstrip().endswith(f"🛑 Node-{client.node_name} stopped")


def test_quiet_nodes_are_quiet(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    client, server = pair
    client.peer(server.node_name).is_alive()
    server.stop()
    assert capsys.readouterr().out == ""


def test_the_annotation_of_start_holds(node: Node) -> None:
    with node() as started:
        assert isinstance(started, PeerLink)
