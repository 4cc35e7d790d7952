"""Nodes with a secret, beside those that have none or another, and beside 1.1.1."""

import time

import pytest

from driver import OURS, REAL, Cast, Failed

SECRET = "nothing to guess"
SETTLED = 4  # s after which whoever can be found is: 1.1.1 asks the last time 1.1 s after its start


class Realm:
    """Two members on two hosts, a stranger of each kind, and a member that speaks with 1.1.1."""

    def __init__(self, cast, hosts):
        self.members = [cast.node(host, OURS, f"Member{i}", secret=SECRET) for i, host in enumerate(hosts)]
        self.bridge = cast.node(hosts[0], OURS, "Bridge", secret=SECRET, allow_legacy=True)
        self.open = cast.node(hosts[0], OURS, "Stranger")
        self.other = cast.node(hosts[1], OURS, "Foreigner", secret="something else")
        self.real = cast.node(hosts[1], REAL, "Veteran")
        for node in (*self.members, self.bridge, self.open, self.other, self.real):
            node.ready()


@pytest.fixture(scope="module")
def realm(programs, two_hosts):
    """Started and settled."""
    with Cast(programs) as cast:
        realm = Realm(cast, two_hosts)
        assert realm.real.do("wait_for_names", names=["Bridge", "Stranger"], timeout=10) == []
        time.sleep(SETTLED)
        yield realm


def test_who_lists_whom(realm):
    first, second = realm.members
    assert first.do("peer_names") == ["Bridge", "Member1"]
    assert second.do("peer_names") == ["Bridge", "Member0"]
    assert realm.bridge.do("peer_names") == ["Member0", "Member1", "Veteran"]
    assert realm.open.do("peer_names") == ["Veteran"]
    assert realm.other.do("peer_names") == []
    assert realm.real.do("peer_names") == ["Bridge", "Stranger"]


def test_members_authenticate_each_other(realm):
    first, second = realm.members
    text = "x" * 100_000
    assert first.call("Member1", "echo", text) == text
    assert second.call("Member0", "caller") == "Member1"
    known = "[getattr(node.peer('Member1'), a) for a in ('encrypted', 'authenticated', 'fingerprint')]"
    assert first.do("run", source=known) == [True, True, second.do("run", source="node.fingerprint")]


@pytest.mark.parametrize("name", ["Stranger", "Foreigner", "Veteran"])
def test_strangers_are_not_heard(realm, name):
    """Also if they know the address: 1.1.1 by a datagram, for it takes no addresses."""
    member = realm.members[0]
    port, addr = member.info["port"], member.host.addr
    stranger = {"Stranger": realm.open, "Foreigner": realm.other, "Veteran": realm.real}[name]
    if stranger is realm.real:
        with stranger.host.udp_socket() as sock:
            sock.settimeout(0.5)
            sock.sendto(
                b'{"type": "request", "id": "1", "src": "x", "rpc": "add", "args": [1, 2], "kwargs": {}}', (addr, port)
            )
            with pytest.raises(TimeoutError):
                sock.recv(2000)
        return
    stranger.do("run", source=f"node.add_peer('Member0', {addr!r}, {port}) and None")
    with pytest.raises(Failed) as caught:
        stranger.call("Member0", "add", 1, 2, timeout=0.5)
    assert caught.value.type == "PeerTimeoutError"


def test_1_1_1_with_a_member_that_allows_it(realm):
    assert realm.real.call("Bridge", "add", 25, 17) == 42
    assert realm.bridge.call("Veteran", "add", 25, 17) == 42
    known = "[getattr(node.peer({!r}), a) for a in ('encrypted', 'authenticated')]"
    assert realm.bridge.do("run", source=known.format("Veteran")) == [False, False]
    assert realm.bridge.call("Member0", "add", 1, 2) == 3
    assert realm.bridge.do("run", source=known.format("Member0")) == [True, True]


def test_no_secret_is_logged(realm):
    for node in (*realm.members, realm.bridge, realm.other):
        text = node.log.read_text()
        assert SECRET not in text
        assert "something else" not in text
