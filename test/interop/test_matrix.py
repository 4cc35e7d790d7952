"""Every implementation calls every other: on one host, on two, and without a network.

1.1.1 with itself is left out: it forgets its own kind after a minute.
"""

import json
import time
import uuid

import pytest

from driver import GO, OURS, REAL, Cast, Failed, eventually
from values import PYTHON_ONLY, TRAPS, identical

PYTHONS = [(OURS, OURS), (OURS, REAL), (REAL, OURS)]  # server, client: both can do all of the API
GO_SERVED = [(GO, OURS), (GO, REAL)]
GO_CALLED = [(OURS, GO), (REAL, GO), (GO, GO)]
LIMIT = 1200  # bytes of one message


class Pair:
    """A server, a client, and the call from one to the other."""

    def __init__(self, scene, server, client):
        self.server, self.client = scene.servers[server], scene.client(client)

    def is_legacy(self):
        """Whether they speak the dialect of 1.x."""
        return REAL in (self.server.kind, self.client.kind)

    def call(self, function, *args, **kwargs):
        """Call a function of the server by the client."""
        return self.client.call(self.server.name, function, *args, **kwargs)

    def fails(self, function, *args, **kwargs):
        """The error that a call raises."""
        with pytest.raises(Failed) as caught:
            self.call(function, *args, **kwargs)
        return caught.value


def between(*pairs):
    """Run a test for each of these pairs."""
    ids = [f"{client} to {server}" for server, client in pairs]
    return pytest.mark.parametrize("pair", pairs, ids=ids, indirect=True)


@pytest.fixture
def pair(request, scene):
    """The nodes of one cell of the matrix, knowing each other."""
    pair = Pair(scene, *request.param)
    if request.param[1] != GO:
        assert pair.client.do("wait_for_names", names=[pair.server.name], timeout=10) == []
    return pair


# ---- discovery


@pytest.mark.parametrize("asked", [OURS, REAL])
def test_each_lists_all_others(scene, asked):
    """Both ways: the clients must list the servers, and the servers the clients."""
    for node, others in ((scene.clients[asked], scene.servers), (scene.servers[asked], scene.clients)):
        expected = [other.name for kind, other in others.items() if (kind, asked) != (REAL, REAL)]
        assert node.do("wait_for_peers", count=len(expected), timeout=10)
        assert node.do("wait_for_names", names=expected, timeout=10) == []
        assert node.name not in node.do("peer_names")


def test_go_lists_all(scene):
    expected = {node.name for node in (*scene.servers.values(), *scene.clients.values())}
    # Of two questions in one second 1.1.1 answers the first only (RFC 6762, section 6).
    code, found = scene.cli_client.run("discover", "--wait", "2.5s")
    assert code == 0
    assert {peer["name"] for peer in found} == expected
    real = {scene.servers[REAL].name, scene.clients[REAL].name}
    assert {peer["name"] for peer in found if peer["version"] == "1.1.1"} == real
    assert eventually(lambda: scene.servers[GO].told_of("Tablet", "up"), 5)


# ---- calls


@between(*PYTHONS, *GO_SERVED, *GO_CALLED)
def test_add(pair):
    assert identical(pair.call("add", 25, 17), 42)


@between(*PYTHONS, (OURS, GO), (REAL, GO))
def test_keyword_arguments(pair):
    assert pair.call("greet", "world", greeting="Grüß Gott", mark="❣") == "Grüß Gott, world❣"
    assert pair.call("both", 1, [2], a={"b": None}) == [[1, [2]], {"a": {"b": None}}]
    assert pair.call("both") == [[], {}]


@between(*PYTHONS, (OURS, GO), (REAL, GO))
def test_remote_exception(pair):
    """1.1.1 puts class and text into the text of RemoteError; the same must come out everywhere."""
    for kind, text, remote in (
        ("ValueError", "no ä 😀 \n here", "ValueError: no ä 😀 \n here"),
        ("KeyError", "key", "KeyError: 'key'"),
        ("Weird", "", "Weird: "),
    ):
        error = pair.fails("fail", kind, text)
        if pair.client.kind == GO:
            assert remote in error.message
        else:
            assert (error.type, error.message) == ("RemoteError", remote)
            assert "PeerLinkError" in error.bases


@between(*PYTHONS)
def test_wrong_arity_is_the_text_of_python(pair):
    error = pair.fails("add", 1)
    assert error.message == "TypeError: <lambda>() missing 1 required positional argument: 'b'"


@between(*PYTHONS, *GO_SERVED, *GO_CALLED)
def test_unknown_function(pair):
    error = pair.fails("no such thing")
    text = "No function 'no such thing' registered"
    if pair.client.kind == GO:
        assert text in error.message
    else:
        assert error.message == f"RemoteError: {text}"
        assert error.type == ("RemoteError" if pair.is_legacy() else "NoHandler")
        assert error.type == "RemoteError" or "RemoteError" in error.bases


@between((GO, REAL), (GO, OURS))
def test_error_of_a_go_handler(pair):
    assert pair.fails("add", "one", 2).type == "RemoteError"


@between(*PYTHONS, *GO_SERVED)
def test_is_alive(pair):
    assert pair.client.do("is_alive", name=pair.server.name) is True
    ping = pair.call("__ping__")
    assert ping["ok"] is True
    assert abs(ping["time"] - time.time()) < 10


@between(*GO_CALLED)
def test_ping_by_go(pair):
    assert pair.client.ping(pair.server.name)["rtt_ms"] > 0


@between(*PYTHONS, (OURS, GO), (REAL, GO))
def test_current_peer(pair):
    assert pair.call("caller") == pair.client.name


@between(*GO_SERVED, (GO, GO))
def test_caller_of_a_go_handler(pair):
    name, addr = pair.call("whoami").split(" at ")
    assert name == pair.client.name
    if pair.client.host is not pair.server.host:  # else it may be loopback
        assert addr.startswith(pair.client.host.addr + ":")


# ---- everybody


@pytest.mark.parametrize("client", [OURS, REAL])
def test_call_all(scene, client):
    node = scene.clients[client]
    everybody = [server.name for kind, server in scene.servers.items() if (kind, client) != (REAL, REAL)]
    assert node.do("wait_for_names", names=everybody, timeout=10) == []
    results = node.call("ALL", "add", 25, 17)
    assert {name: results[name] for name in everybody} == dict.fromkeys(everybody, 42)
    typed = node.do("call_all_results", function="add", args=[25, 17])
    assert {name: typed[name] for name in everybody} == {name: [True, 42, None] for name in everybody}


@pytest.mark.parametrize("client", [OURS, REAL])
def test_call_all_gives_exceptions(scene, client):
    node = scene.clients[client]
    assert node.do("wait_for_names", names=["Kitchen", "Attic"], timeout=10) == []
    results = node.call(" all ", "fail", "Weird", "so")
    assert (results["Kitchen"]["type"], results["Kitchen"]["message"]) == ("RemoteError", "Weird: so")
    assert results["Attic"]["message"] == "RemoteError: No function 'fail' registered"


# ---- errors of the caller


@pytest.mark.parametrize("client", [OURS, REAL])
def test_peer_not_found(scene, client):
    with pytest.raises(Failed) as caught:
        scene.clients[client].call("Nobody", "add", 1, 2)
    assert caught.value.type == "PeerNotFound"
    assert caught.value.message.startswith("Peer 'Nobody' not found. Known peers: [")
    assert "'Attic'" in caught.value.message


@between(*PYTHONS)
def test_timeout(pair):
    begin = time.monotonic()
    error = pair.fails("slow", 1, timeout=0.4)
    assert 0.35 < time.monotonic() - begin < 0.95
    assert error.type == "PeerTimeoutError"
    assert error.message == f"RPC 'slow' → '{pair.server.name}' timed out after 0.4s"
    assert {"TimeoutError", "OSError", "PeerLinkError"} <= set(error.bases)


@between(*PYTHONS)
def test_arguments_that_json_has_not(pair):
    """Tuples become lists and keys strings; a set is refused before anything is sent."""

    def call(source):
        return pair.client.do("run", source=f"node.call({pair.server.name!r}, 'echo', {source})")

    assert call("{1: (1, 2), None: 0, 1.5: 1, 7: True}") == {"1": [1, 2], "null": 0, "1.5": 1, "7": True}
    for source in ("{1, 2}", "b''", "object()"):
        with pytest.raises(Failed) as caught:
            call(source)
        assert caught.value.type == "TypeError"


# ---- sizes


def request_size(pair, text):
    """The bytes of echo(text), as 1.1.1 writes it."""
    return len(
        json.dumps(
            {
                "type": "request",
                "id": str(uuid.uuid4()),
                "src": pair.client.name,
                "dst": pair.server.name,
                "rpc": "echo",
                "args": [text],
                "kwargs": {},
            }
        )
    )


@between((OURS, REAL), (REAL, OURS), (GO, REAL))
def test_largest_request(pair):
    """1200 bytes fit, and of one more the text gives the number."""
    text = "x" * (LIMIT - request_size(pair, ""))
    assert pair.call("echo", text) == text
    error = pair.fails("echo", text + "x")
    assert error.type == ("PayloadTooLarge" if pair.client.kind == OURS else "PeerLinkError")
    assert error.type == "PeerLinkError" or "PeerLinkError" in error.bases
    assert error.message == (
        "RPC request: encoded size 1201 bytes exceeds MAX_SAFE_UDP_PAYLOAD (1200) to avoid IP fragmentation"
    )


@between((REAL, GO))
def test_too_large_for_go(pair):
    assert "too large" in pair.fails("echo", "x" * 2000).type


@between((OURS, OURS), (GO, OURS), (OURS, GO), (GO, GO))
@pytest.mark.parametrize("size", [1201, 64 << 10, 1 << 20])
def test_large_arguments_and_results(pair, size):
    """Between our own nodes. The command line takes its arguments from its own, which Linux bounds at 128 KiB."""
    text = "x" * min(size, 100_000 if pair.client.kind == GO else size)
    assert pair.call("echo", text) == text


@between((OURS, REAL), (REAL, OURS), (REAL, GO))
def test_largest_result(pair):
    fits = LIMIT - len(json.dumps({"type": "response", "id": str(uuid.uuid4()), "result": ""}))
    assert pair.call("blow_up_to", fits) == "x" * fits
    error = pair.fails("blow_up_to", fits + 1)
    text = (
        "PeerLinkError: RPC result too large (1201 bytes encoded); keep return value under MAX_SAFE_UDP_PAYLOAD (1200)"
    )
    if pair.client.kind == GO:
        assert text in error.message
    else:
        assert (error.type, error.message) == ("RemoteError", text)


# ---- values


@between(*PYTHONS, *GO_SERVED, *GO_CALLED)
def test_values(pair):
    ordered = pair.server.kind != GO  # a map of Go has no order
    for values in (TRAPS[: len(TRAPS) // 2], TRAPS[len(TRAPS) // 2 :]):
        answer = pair.call("echo", values)
        assert identical(answer, values, ordered), changed(values, answer)


def changed(values, answer):
    """What came back other than it went."""
    return [(v, a) for v, a in zip(values, answer, strict=True) if not identical(v, a)]


@between(*PYTHONS, *GO_SERVED)
def test_values_of_python(pair):
    for value in PYTHON_ONLY:
        assert identical(pair.call("echo", value), value), value


@between(*PYTHONS, (OURS, GO), (REAL, GO))
def test_results_that_json_has_not(pair):
    assert pair.call("spread") == {"tuple": [1, 2], "1": "int key", "null": "null key"}


@between((OURS, OURS), (OURS, REAL), (OURS, GO))
@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("a_set", "TypeError: Object of type set is not JSON serializable"),
        ("some_bytes", "TypeError: Object of type bytes is not JSON serializable"),
        ("quit_interpreter", "SystemExit: 3"),
    ],
)
def test_what_1_1_1_leaves_unanswered_is_an_error_at_once(pair, function, text):
    """There the caller waits in vain: 1.1.1 logs it and says nothing."""
    begin = time.monotonic()
    error = pair.fails(function)
    assert time.monotonic() - begin < 3
    assert text in error.message
    assert pair.call("add", 1, 1) == 2


@between((REAL, OURS))
def test_what_1_1_1_leaves_unanswered_is_a_timeout(pair):
    assert pair.fails("a_set", timeout=0.5).type == "PeerTimeoutError"


# ---- at the same time


@between(*PYTHONS)
def test_slow_handler_does_not_delay_pings(pair):
    begin = time.monotonic()
    late = pair.client.ask("call", target=pair.server.name, function="slow", args=[2])
    pings = pair.client.do("pings", name=pair.server.name, count=20)
    assert time.monotonic() - begin < 2
    assert sorted(pings)[10] < 0.1
    assert late.result(10) == "done"


@between(*PYTHONS)
def test_many_calls_at_once(pair):
    calls = [pair.client.ask("call", target=pair.server.name, function="add", args=[i, 1]) for i in range(50)]
    assert [c.result(20) for c in calls] == list(range(1, 51))


# ---- names


STRANGE = ["Küche 🍳 eins", "-rf / 'x\" \\", "N" * 63]


@pytest.fixture(scope="module")
def strangers(programs, two_hosts):
    """For each strange name a pair of nodes: one of each implementation."""
    with Cast(programs) as cast:
        pairs = {}
        for name in STRANGE:
            twin = name[:-1] + ("ß" if len(name) < 60 else "M")
            pairs[name] = cast.node(two_hosts[0], OURS, name), cast.node(two_hosts[1], REAL, twin)
        for node in sum(pairs.values(), ()):
            node.ready()
        yield pairs


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names(strangers, name):
    for a, b in (strangers[name], strangers[name][::-1]):
        assert a.do("wait_for_names", names=[b.name], timeout=10) == []
        assert a.call(b.name, "caller") == a.name
        assert a.call(b.name.swapcase() if b.name.isascii() else b.name, "add", 1, 2) == 3
