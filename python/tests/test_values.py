"""Values survive the way there and back."""

from __future__ import annotations

import math
from typing import Any

import pytest

from .conftest import Node, Pair, introduce, unique, until

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2**70, -(2**70), 10**300, 1.0, -0.0, 1e-300, 1.5, 0.1, 1e22, 1e400, -math.inf,
    "", "é", "😀", "\ud800", "\udfff\ud800", "a\0b", "\u2028", '"\\', [], {}, [[]], {"": []}, {"a": {"b": [1, 2.0]}},
    [1, 1.0], "x" * 900,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda v: ascii(v)[:30])
def test_round_trip(pair: Pair, value: Any) -> None:
    client, server = pair
    seen: list[Any] = []
    server.register("echo", lambda x: (seen.append(x), x)[1])
    back = client.call(server.node_name, "echo", value)
    for got in (seen[0], back):
        assert got == value
        assert repr(got) == repr(value)  # tells 1 from 1.0 and 0.0 from -0.0


def test_nan(pair: Pair) -> None:
    client, server = pair
    server.register("echo", lambda x: x)
    assert math.isnan(client.call(server.node_name, "echo", math.nan))


def test_keys_become_strings_and_tuples_arrays(pair: Pair) -> None:
    client, server = pair
    server.register("echo", lambda x: x)
    assert client.call(server.node_name, "echo", {1: (1, 2), None: 0, 1.5: 0}) == {"1": [1, 2], "null": 0, "1.5": 0}


@pytest.mark.parametrize("name", ["two words", "a/b", "-x", "it's", "😀 phone", "Ünï", "a.b", "p", "x" * 50])
def test_names(node: Node, name: str) -> None:
    client, server = node(unique(name), exact=True), node("Peer")
    with client, server:
        introduce(client, server)
        server.register(name, lambda: name)
        assert client.call(server.node_name, name) == name
        client.register("who", lambda: client.node_name)
        assert server.call(client.node_name, "who") == client.node_name
        assert server.peer_names() == [client.node_name]


def test_names_over_mdns(node: Node) -> None:
    client, server = node("😀 the client's", mdns=True), node("a.b/c", mdns=True)
    with client, server:
        server.register("who", lambda: "me")
        until(lambda: server.node_name in client.peer_names())
        assert client.call(server.node_name, "who") == "me"
