"""Networks for the tests: hosts are Linux network namespaces, out of reach of every real network."""

import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

PREFIX = "pliop"  # begins the names of all namespaces, then process id, number of the lab, of the host
CLONE_NEWNET = 0x40000000

_labs = itertools.count(1)


def unavailable():
    """Why no lab can be built here, or None."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces need root: run as root, for example with sudo -E make test"
    if shutil.which("ip") is None:
        return "network namespaces need the ip command: install iproute2"
    probe = f"{PREFIX}{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
    if made.returncode:
        return f"no network namespace can be made ({made.stderr.strip()}): a container needs CAP_SYS_ADMIN"
    _ip("netns", "del", probe)
    return None


class Host:
    """One namespace. `addr` is its address on the LAN, 127.0.0.1 if it has none."""

    def __init__(self, space, addr):
        self.space = space
        self.addr = addr

    def popen(self, argv, **options):
        """A process on this host, in a group of its own, so that all of it can be ended."""
        argv = ["ip", "netns", "exec", self.space, *map(str, argv)]
        return subprocess.Popen(argv, start_new_session=True, **options)

    def udp_socket(self):
        """A UDP socket on this host, for this process."""
        return _on_thread(lambda: self._enter() or socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def _enter(self):
        with open(f"/run/netns/{self.space}") as space:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(space.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    def pids(self):
        """Who runs here."""
        out = subprocess.run(["ip", "netns", "pids", self.space], capture_output=True, text=True).stdout
        return [int(pid) for pid in out.split()]


@contextlib.contextmanager
def lan(count):
    """Hosts 10.91.x.1, .2 … joined by cable. The default route is on-link: 1.1.1 asks it for its address."""
    number = next(_labs)
    with _spaces(number, count) as hosts:
        _cable(hosts)
        for host in hosts:
            _batch(
                host,
                "link set lo up",
                "link set eth0 multicast on up",
                f"addr add {host.addr}/24 brd + dev eth0",
                "route add default dev eth0",
            )
        yield hosts


@contextlib.contextmanager
def only_loopback():
    """One host without any network."""
    with _spaces(next(_labs), 1) as (host,):
        host.addr = "127.0.0.1"
        _batch(host, "link set lo up")
        yield [host]


@contextlib.contextmanager
def _spaces(number, count):
    _sweep()
    hosts = [Host(f"{PREFIX}{os.getpid()}-{number}-{i}", f"10.91.{number}.{i}") for i in range(1, count + 1)]
    with contextlib.ExitStack() as made:
        for host in hosts:
            _ip("netns", "add", host.space)
            made.callback(_remove, host)
        yield hosts


def _cable(hosts):
    """Join two hosts; a single one gets a cable whose other end is its own, unused port."""
    if len(hosts) > 2:
        raise ValueError("two hosts at most: more need a bridge")
    _ip(
        "link",
        "add",
        "eth0",
        "netns",
        hosts[0].space,
        "type",
        "veth",
        "peer",
        "name",
        "eth0" if len(hosts) == 2 else "plug",
        "netns",
        hosts[-1].space,
    )
    if len(hosts) == 1:
        _batch(hosts[0], "link set plug up")


def _remove(host):
    """Kill what still runs there, since it would keep the namespace alive."""
    for pid in host.pids():
        if pid != os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    _ip("netns", "del", host.space)


def _sweep():
    """Remove what runs that were killed have left behind."""
    out = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    for line in out.splitlines():
        name = line.split()[0]
        owner = name.removeprefix(PREFIX).split("-")[0]
        if name.startswith(PREFIX) and owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            with contextlib.suppress(RuntimeError):  # somebody else may be at it
                _remove(Host(name, ""))


def _on_thread(work):
    """Run work on a new thread: a namespace belongs to a thread, and ours shall stay where it is."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def _ip(*args):
    _run(["ip", *args])


def _batch(host, *lines):
    _run(["ip", "-n", host.space, "-batch", "-"], "\n".join(lines) + "\n")


def _run(argv, stdin=""):
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {stdin}{done.stderr.strip()}")
