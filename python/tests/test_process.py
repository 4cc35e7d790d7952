"""What happens around a node: signals, exit, fork."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import pytest

PAIR = """
import os, signal, sys, threading, time, warnings
from peerlink import PeerLink, PeerLinkError
a = PeerLink(f"A{os.getpid()}", verbose=False, discovery=False).start()
b = PeerLink(f"B{os.getpid()}", verbose=False, discovery=False).start()
a.add_peer(b.node_name, "127.0.0.1", b.port)
b.add_peer(a.node_name, "127.0.0.1", a.port)
def slow(seconds=60):
    time.sleep(seconds)
b.register("slow", slow)
b.register("one", lambda: 1)
assert a.call(b.node_name, "one") == 1
"""


@pytest.mark.parametrize(
    "what",
    ["a.call(b.node_name, 'slow', timeout=None)", "a.call('ALL', 'slow', timeout=None)", "a.wait_for_peers(9, 60)"],
    ids=["call", "ALL", "wait_for_peers"],
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send SIGINT to one process")
def test_ctrl_c_ends_what_waits(child: Any, what: str) -> None:
    program = (
        PAIR
        + f"""
print("calling", flush=True)
try:
    {what}
except KeyboardInterrupt:
    print(time.time(), flush=True)
assert a.call(b.node_name, "one") == 1
a.stop()
print("stopped", flush=True)
"""
    )
    process = child(program)
    assert process.line() == "calling"
    time.sleep(0.4)
    sent = time.time()
    process.process.send_signal(signal.SIGINT)
    late = float(process.line()) - sent
    assert late < 2
    assert process.line() == "stopped"
    code, _, err = process.end()
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "threading.Thread(target=a.call, args=(b.node_name, 'slow'), daemon=True).start(); time.sleep(0.3)",
        "a.set_peer_lifecycle(on_up=lambda *_: time.sleep(60)); a.add_peer('x', '127.0.0.1', b.port); time.sleep(0.2)",
        "[a.register(str(i), print) for i in range(100)]",
        "def storm():\n    while True: a.call(b.node_name, 'one')\n"
        "for _ in range(8): threading.Thread(target=storm, daemon=True).start()\ntime.sleep(0.5)",
    ],
    ids=["idle", "handler", "callback", "functions", "storm"],
)
def test_exit_with_live_nodes(child: Any, rest: str) -> None:
    process = child(PAIR + rest + "\nprint('end', flush=True)\n")
    assert process.line() == "end"
    begun = time.monotonic()
    code, _, err = process.end()
    assert (code, err) == (0, "")
    assert time.monotonic() - begun < 3


def test_an_exit_code_is_kept(child: Any) -> None:
    assert child(PAIR + "sys.exit(7)").end()[0] == 7


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_gets_an_error_at_once(child: Any) -> None:
    program = (
        PAIR
        + """
def attempt(what):
    begun = time.monotonic()
    try:
        what()
    except PeerLinkError as e:
        assert "after fork" in str(e), e
    else:
        raise AssertionError("no error")
    assert time.monotonic() - begun < 0.5
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of fork
pid = os.fork()
if pid == 0:
    attempt(lambda: a.call(b.node_name, "one"))
    attempt(lambda: a.call("ALL", "one"))
    attempt(lambda: a.peer(b.node_name))
    attempt(a.start)
    attempt(lambda: PeerLink("new", verbose=False).start())
    attempt(lambda: a.wait_for_peers(5))
    attempt(lambda: a.register("f", print))
    attempt(lambda: a.add_peer("x", "127.0.0.1", 5))
    attempt(a.peer_names)
    repr(a)
    a.stop()
    sys.exit(5)
_, status = os.waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 5, status
assert a.call(b.node_name, "one") == 1
print("parent is well")
"""
    )
    code, out, err = child(program).end()
    assert (code, out, err) == (0, "parent is well\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_forked_before_the_first_node_is_free(child: Any) -> None:
    program = "import os, sys, peerlink\npid = os.fork()\nif pid:\n    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    code, _, err = child(program + PAIR).end()
    assert (code, err) == (0, "")


def test_a_missing_library_is_an_import_error(child: Any) -> None:
    program = """
import os
os.environ["PEERLINK_LIBRARY"] = "/nowhere/libpeerlink.so"
from peerlink import PeerLink
try:
    PeerLink("x").start()
except ImportError as e:
    print(e)
"""
    code, out, err = child(program).end()
    assert (code, err) == (0, "")
    assert "cannot load its library" in out
    assert "/nowhere/libpeerlink.so" in out
