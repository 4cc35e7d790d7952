"""Nodes that leave, crash and come back, as the others see it."""

import os
import signal
import time

import pytest

from driver import GO, OURS, REAL, Cast, Failed, eventually

NOTICED = 5  # s for what is multicast at once
EXPIRY = 10  # s after which our nodes have given up a dead one of ours
LEGACY_RECORDS = 130  # s: after a crash, nothing but the TTL of the records ends a node of 1.1.1


class Lan:
    """Watchers of all kinds on the first host, and nodes to be watched on the second."""

    def __init__(self, cast, hosts):
        self.cast, self.hosts = cast, hosts
        self.watchers = {kind: cast.node(hosts[0], kind, f"{kind}-watcher") for kind in (OURS, REAL, GO)}
        for watcher in self.watchers.values():
            watcher.ready()

    def seen(self, kind, name):
        """A node that all watchers know."""
        node = self.cast.node(self.hosts[1], kind, name)
        return node, lambda: self.await_all(node.ready(), "up")

    def await_all(self, node, *kinds, watchers=(OURS, REAL, GO), timeout=NOTICED + 5):
        """Wait until each watcher has been told just this of the node."""
        for watcher in self.watchers_but(watchers, node):
            eventually(lambda w=watcher: w.told_of(node.name)[-len(kinds) :] == list(kinds), timeout)
            told = watcher.told_of(node.name)
            assert told[-len(kinds) :] == list(kinds), (watcher.name, told)

    def watchers_but(self, kinds, node):
        """The watchers of these kinds that can have an opinion: 1.1.1 forgets 1.1.1 by itself."""
        return [self.watchers[kind] for kind in kinds if not kind == node.kind == REAL]


@pytest.fixture(scope="module")
def lan(programs, two_hosts):
    """The watchers, for all tests of this file."""
    with Cast(programs) as cast:
        yield Lan(cast, two_hosts)


@pytest.fixture
def subjects(lan, request):
    """One node of each kind, known to all watchers."""
    made = {kind: lan.seen(kind, f"{kind}-{request.node.originalname[5:]}") for kind in (OURS, REAL, GO)}
    for _, known in made.values():
        known()
    yield {kind: node for kind, (node, _) in made.items()}
    for node, _ in made.values():
        node.kill()


def test_goodbye(lan, subjects):
    """A polite stop is known at once."""
    for node in subjects.values():
        begin = time.monotonic()
        node.stop()
        lan.await_all(node, "up", "removed")
        assert time.monotonic() - begin < NOTICED


def test_crash_and_restart(lan, subjects):
    """Another process under the name: ours say that it was replaced, 1.1.1 only that it is up, again."""
    for kind, node in subjects.items():
        node.kill()
        again, _ = lan.seen(kind, node.name)
        again.ready()
        lan.await_all(again, "up", "replaced", "up", watchers=[OURS])
        lan.await_all(again, "up", "replaced", watchers=[GO])
        if kind != REAL:
            lan.await_all(again, "up", "up", watchers=[REAL])
            assert again.info["port"] == node.info["port"], "1.1.1 would say replaced if it were not"
            assert lan.watchers[REAL].call(again.name, "add", 1, 2) == 3
        assert lan.watchers[OURS].call(again.name, "add", 1, 2) == 3
        again.kill()


def test_crash(lan, subjects):
    """Silence is noticed by our nodes, of our nodes; for 1.1.1 nothing has happened yet."""
    dead = [subjects[OURS], subjects[GO]]
    begin = time.monotonic()
    for node in dead:
        node.kill()
    for node in dead:
        lan.await_all(node, "up", "expired", watchers=[OURS, GO], timeout=EXPIRY + 2)
    assert time.monotonic() - begin < EXPIRY + 1
    assert [lan.watchers[REAL].told_of(node.name) for node in dead] == [["up"], ["up"]]


def test_a_frozen_node_is_expired_and_comes_back(lan, subjects):
    """As a phone in standby."""
    node = subjects[OURS]
    os.kill(node.pid, signal.SIGSTOP)
    try:
        lan.await_all(node, "up", "expired", watchers=[OURS, GO], timeout=EXPIRY + 2)
    finally:
        os.kill(node.pid, signal.SIGCONT)
    lan.await_all(node, "expired", "up", watchers=[OURS, GO], timeout=20)
    assert lan.watchers[OURS].call(node.name, "add", 1, 2) == 3


@pytest.mark.parametrize("kind", [OURS, GO])
def test_1_1_1_cannot_take_our_name(lan, kind):
    """It asks for its name before it takes it, and we must answer."""
    holder = lan.cast.node(lan.hosts[0], kind, f"{kind} holds").ready()
    with pytest.raises(Failed) as caught:
        lan.cast.node(lan.hosts[1], REAL, holder.name).ready()
    assert caught.value.type == "NonUniqueNameException"
    assert lan.watchers[REAL].call(holder.name, "add", 25, 17) == 42
    holder.kill()


def test_we_do_not_take_the_name_of_1_1_1(lan):
    """Whoever starts second gives way: it must not get the calls that others of 1.1.1 make to the first."""
    holder = lan.cast.node(lan.hosts[1], REAL, "contested").ready()
    watcher = lan.watchers[REAL]
    assert eventually(lambda: watcher.told_of(holder.name) == ["up"], NOTICED)
    taker = lan.cast.node(lan.hosts[0], OURS, holder.name).ready()
    assert eventually(lambda: "up" in watcher.told_of(f"{holder.name} (2)"), NOTICED)
    told = watcher.told_of(holder.name)
    taker.kill()
    holder.kill()
    assert told == ["up"]


@pytest.mark.slow
def test_1_1_1_keeps_us_beyond_its_minute(lan, subjects):
    """1.1.1 forgets after 60 s who changes no record, so we change one; it must not be forgotten by us either."""
    time.sleep(75)
    real, ours = lan.watchers[REAL], lan.watchers[OURS]
    for node in (subjects[OURS], subjects[GO]):
        assert "expired" not in real.told_of(node.name)
        assert node.name in real.do("peer_names")
        assert real.call(node.name, "add", 25, 17) == 42
    assert subjects[REAL].name in ours.do("peer_names")
    assert ours.call(subjects[REAL].name, "add", 25, 17) == 42
    assert ours.told_of(subjects[REAL].name) == ["up"]


@pytest.mark.slow
def test_crash_and_1_1_1(lan, subjects):
    """Of a dead 1.1.1 ours know at the latest when its records end; 1.1.1 forgets a dead one of ours as any other."""
    begin = time.monotonic()
    for kind in (REAL, OURS):
        subjects[kind].kill()
    lan.await_all(subjects[REAL], "up", "expired", watchers=[OURS, GO], timeout=LEGACY_RECORDS + 10)
    assert time.monotonic() - begin < LEGACY_RECORDS
    # Its minute begins with our last heartbeat, and it looks once a second.
    lan.await_all(subjects[OURS], "up", "expired", watchers=[REAL], timeout=75)
