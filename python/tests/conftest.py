"""What the tests share. No packet leaves the machine: nodes use the interface lo, or no discovery at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peerlink import PeerLink, _lib

Node = Callable[..., PeerLink]
Pair = tuple[PeerLink, PeerLink]


def pytest_sessionstart() -> None:
    """Heed Ctrl-C, also where a shell that runs us in the background had it ignored: children inherit that.

    Without the library there is nothing to test: say so instead of skipping.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _lib.load()
    except ImportError as e:
        pytest.exit(f"{e}\nBuild it and set PEERLINK_LIBRARY, or install the package.", returncode=3)


def unique(name: str) -> str:
    """A name that no other test on this machine uses."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


def until(condition: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Wait for *condition* and return what it returned."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return value


def introduce(a: PeerLink, b: PeerLink) -> None:
    """Tell two started nodes of each other."""
    a.add_peer(b.node_name, "127.0.0.1", b.port)
    b.add_peer(a.node_name, "127.0.0.1", a.port)


@pytest.fixture
def node() -> Iterator[Node]:
    """Make nodes that are stopped at the end; found by mDNS on lo, or not at all."""
    made: list[PeerLink] = []

    def make(name: str = "Node", *, exact: bool = False, mdns: bool = False, **options: Any) -> PeerLink:
        options.setdefault("verbose", False)
        made.append(PeerLink(name if exact else unique(name), discovery=mdns, interfaces="lo", **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def pair(node: Node) -> Pair:
    """Two started nodes that know each other."""
    a, b = node("Client").start(), node("Server").start()
    introduce(a, b)
    return a, b


class Child:
    """A Python program in a process of its own."""

    def __init__(self, program: str, *args: str) -> None:
        source = Path(__file__).parents[1] / "src"
        path = os.pathsep.join(filter(None, [str(source), os.environ.get("PYTHONPATH")]))
        env = dict(os.environ, PYTHONPATH=path, PYTHONIOENCODING="utf-8", PEERLINK_LIBRARY=_lib.library_path())
        self.process = subprocess.Popen(
            [sys.executable, "-u", *(["-c", program] if program else []), *args],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=env,
        )  # fmt: skip

    def line(self) -> str:
        """The next line of its output."""
        assert self.process.stdout
        return self.process.stdout.readline().rstrip("\n")

    def end(self, seconds: float = 20) -> tuple[int, str, str]:
        """Wait for its end; the exit code and what it wrote."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err


@pytest.fixture
def child() -> Iterator[Callable[..., Child]]:
    """Start programs that are killed at the end."""
    started: list[Child] = []

    def start(program: str, *args: str) -> Child:
        started.append(Child(program, *args))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()
