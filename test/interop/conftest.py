"""What all tests share: the programs under test, and the networks they run in.

    build/venv/bin/python -m pytest test/interop            as root; add -m slow for what takes minutes

PEERLINK_LEGACY_PYTHON  a Python that has peerlink 1.1.1; without it one is made in build/
PEERLINK_CLI            our command line; without it bin/peerlink
"""

import importlib.util
import os
import signal
import subprocess
import sys

import pytest

import lab
from driver import GO, OURS, REAL, ROOT, Cast, GoClient, Programs, our_python

LEGACY = "peerlink==1.1.1"
WHY = pytest.StashKey[str | None]()  # nothing can run here


def pytest_configure(config):
    """Say once why nothing runs; in CI that is an error, because nobody would notice the skips."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored, and children inherit that
    config.stash[WHY] = why = lab.unavailable()
    if why and os.environ.get("CI") == "true":
        raise pytest.UsageError(why)
    if why:
        print(f"test/interop is skipped: {why}", file=sys.stderr)


@pytest.fixture(scope="session", autouse=True)
def _needs_namespaces(pytestconfig):
    if why := pytestconfig.stash[WHY]:
        pytest.skip(why)


@pytest.fixture(scope="session")
def programs(_needs_namespaces, tmp_path_factory):
    """What is tested against what."""
    return Programs(_python_with_ours(), _python_with_legacy(), _cli(), tmp_path_factory.mktemp("logs"))


def _python_with_ours():
    if importlib.util.find_spec("peerlink") is None:
        pytest.fail("our package is not installed: run make test, or pip install ./python")
    return our_python()


def _python_with_legacy():
    """The Python of PEERLINK_LEGACY_PYTHON, or else one in build/, made now."""
    if ready := os.environ.get("PEERLINK_LEGACY_PYTHON"):
        return os.path.abspath(ready)
    home = ROOT / "build" / "venv-1.1.1"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not _has_legacy(python):
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", LEGACY], check=True)
    return str(python)


def _has_legacy(python):
    """False also for a half-made environment of an interrupted run."""
    check = "import peerlink; assert peerlink.__version__ == '1.1.1'"
    return python.exists() and subprocess.run([python, "-c", check], capture_output=True).returncode == 0


def _cli():
    cli = os.environ.get("PEERLINK_CLI", str(ROOT / "bin" / "peerlink"))
    if not os.access(cli, os.X_OK):
        pytest.fail(f"{cli} is missing: go build -o bin/peerlink ./cmd/peerlink")
    return os.path.abspath(cli)


class Scene:
    """A network with nodes of all implementations that know each other."""

    def __init__(self, servers, clients, cli_client):
        self.servers, self.clients, self.cli_client = servers, clients, cli_client

    def client(self, kind):
        """The node of this kind that calls."""
        return self.cli_client if kind == GO else self.clients[kind]


PLACES = {"one host": lambda: lab.lan(1), "two hosts": lambda: lab.lan(2), "only loopback": lab.only_loopback}

# None is part of another: 1.1.1 takes any part of a name for the name.
SERVERS = {OURS: "Kitchen", REAL: "Garage", GO: "Attic"}
CLIENTS = {OURS: "Handy", REAL: "Tablet"}


@pytest.fixture(scope="session", params=PLACES)
def scene(request, programs):
    """Servers on the first host, clients on the last, which may be the same."""
    with PLACES[request.param]() as hosts, Cast(programs) as cast:
        servers = {kind: cast.node(hosts[0], kind, name) for kind, name in SERVERS.items()}
        clients = {kind: cast.node(hosts[-1], kind, name) for kind, name in CLIENTS.items()}
        for node in (*servers.values(), *clients.values()):
            node.ready()
        yield Scene(servers, clients, GoClient(programs, hosts[-1], "Laptop"))


@pytest.fixture(scope="module")
def two_hosts():
    """A LAN of two hosts, without nodes."""
    with lab.lan(2) as hosts:
        yield hosts
