"""The other ways in which programs use 1.1.1: its command line, asyncio, and what this version does not have."""

import os
import signal
import subprocess
import time

import pytest

import lab
from driver import GO, OURS, REAL, Cast, Failed, Process, eventually

# The asyncio node without threads announces less than others: no tcp_port, no version.
ASYNC = """
import asyncio
from peerlink import {cls}

async def main():
    async with {cls}("Player1"{options}) as node:
        node.register("half", lambda x: x / 2)
        assert await node.wait_for_peers(2, timeout=20)
        for peer in ("Kitchen", "Attic"):
            print(peer, await node.call(peer, "add", 25, 17), flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
def home(programs):
    """One host with two nodes of ours, and room for others."""
    with lab.lan(1) as (host,), Cast(programs) as cast:
        nodes = cast.node(host, OURS, "Kitchen"), cast.node(host, GO, "Attic")
        for node in nodes:
            node.ready()
        yield cast, host, *nodes


def test_command_line_of_1_1_1(programs, home):
    """It finds and pings ours, and comes and goes in our lists."""
    _, host, kitchen, _ = home
    tool = os.path.join(os.path.dirname(programs.real), "peerlink")
    commands = (["discover"], ["ping", "Kitchen"], ["ping", "Attic"])
    running = [Process(programs, host, [tool, *command], REAL, stdout=subprocess.PIPE, text=True)
               for command in commands]  # fmt: skip
    try:
        found, *pinged = [process.process.communicate(timeout=30)[0] for process in running]
    finally:
        codes = [process.end() for process in running]
    assert codes == [0, 0, 0]
    assert {"- Attic", "- Kitchen"} <= set(found.splitlines())
    for name, text in zip(("Kitchen", "Attic"), pinged, strict=True):
        assert text.startswith(f"Ping to '{name}' succeeded in ")

    def guests():
        told = [(e.get("reason", e["kind"]), e["name"]) for e in kitchen.do("told")]
        return [sorted(n for k, n in told if k == kind and n.startswith("peerlink-cli-")) for kind in ("up", "removed")]

    eventually(lambda: guests()[0] == guests()[1], 5)
    came, went = guests()
    assert came == went
    assert len(came) == len(commands)


@pytest.mark.parametrize("kind", [REAL, OURS])
@pytest.mark.parametrize(("cls", "options"), [
    ("AsyncPeerLink", ""), ("AsyncPeerLink", ", native_udp=True"), ("NativeAsyncPeerLink", ""),
])  # fmt: skip
def test_asyncio(programs, home, kind, cls, options):
    cast, host, kitchen, _ = home
    if kind == OURS:
        has = subprocess.run([programs.ours, "-c", f"from peerlink import {cls}"], capture_output=True)
        if has.returncode:
            pytest.skip(f"this version has no {cls} yet")
    player = cast.program(host, kind, ASYNC.format(cls=cls, options=options))
    answers = {"Kitchen 42", "Attic 42"}
    assert eventually(lambda: answers <= set(player.output().splitlines()), 25), player.output()
    assert kitchen.call("Player1", "half", 21) == 10.5
    player.end(signal.SIGINT)
    assert eventually(lambda: kitchen.told_of("Player1") == ["up", "removed"], 5), kitchen.told_of("Player1")


@pytest.mark.parametrize("server", [OURS, GO])
def test_what_we_do_not_serve_is_refused(home, server):
    """Files and channels of 1.1.1 end in the errors of 1.1.1, soon, and the node goes on."""
    cast, host, *_ = home
    name = {OURS: "Kitchen", GO: "Attic"}[server]
    client = cast.node(host, REAL, "Tablet").ready()
    assert client.do("wait_for_names", names=[name], timeout=10) == []
    begin = time.monotonic()
    for source in ("node.get_file({!r}, '/x')", "node.put_file({!r}, '/x', b'data')"):
        with pytest.raises(Failed) as caught:
            client.do("run", source=source.format(name))
        assert caught.value.type == "RemoteError"
        assert "HTTP/1.1 404 Not Found" in caught.value.message
    assert time.monotonic() - begin < 2
    with pytest.raises(Failed) as caught:  # 1.1.1 waits for an acknowledgement all the time it has
        client.do("run", source=f"node.open_channel({name!r}, 'game', timeout=1)")
    assert caught.value.type == "PeerTimeoutError"
    assert client.call(name, "add", 25, 17) == 42
