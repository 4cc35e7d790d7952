"""A node to be steered by a test: one JSON command a line on stdin, one JSON answer a line on stdout.

Runs under PeerLink 1.1.1 and under this PeerLink alike: it uses nothing but their
common API. `driver.py` is the other end.
"""

import json
import os
import socket
import sys
import threading
import time
import traceback

# Whatever prints must not get between the answers.
ANSWERS = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

import peerlink  # noqa: E402
from peerlink import PeerLink, current_peer  # noqa: E402


class Weird(Exception):
    """An exception that only this program knows."""


def fail(kind, message):
    """Raise an exception of a builtin kind, or Weird."""
    raise {"ValueError": ValueError, "KeyError": KeyError, "Weird": Weird}[kind](message)


def slow(seconds):
    """Answer late."""
    time.sleep(seconds)
    return "done"


def quit_interpreter():
    """What a handler must not be able to do to the node."""
    raise SystemExit(3)


HANDLERS = {
    "add": lambda a, b: a + b,
    "echo": lambda value: value,
    "both": lambda *args, **kwargs: [list(args), kwargs],
    "greet": lambda name, greeting="Hello", mark="!": f"{greeting}, {name}{mark}",
    "fail": fail,
    "slow": slow,
    "blow_up_to": lambda size: "x" * size,
    "a_set": lambda: {1, 2},
    "some_bytes": lambda: b"\x00",
    "quit_interpreter": quit_interpreter,
    "caller": current_peer.get,
    "spread": lambda: {"tuple": (1, 2), 1: "int key", None: "null key"},
}


class Steered:
    """The commands. Each runs on its own thread, so that a slow call delays no other."""

    def __init__(self, name, options):
        self.events = []
        self.node = PeerLink(name, verbose=False, **options)
        self.node.set_peer_lifecycle(on_up=self._up, on_down=self._down)
        for function, handler in HANDLERS.items():
            self.node.register(function, handler)

    def _up(self, name, addr, port):
        self.events.append({"kind": "up", "name": name, "addr": addr, "port": port, "at": time.time()})

    def _down(self, name, reason):
        self.events.append({"kind": "down", "name": name, "reason": reason, "at": time.time()})

    def start(self):
        """Start the node; not in the constructor, so that many can start at once."""
        self.node.start()
        return {"version": peerlink.__version__, "port": self.node.port, "file": peerlink.__file__}

    def stop(self):
        """Leave politely."""
        self.node.stop()

    def call(self, target, function, args=(), kwargs=None, timeout=5.0):
        """Call a function; for "ALL" give each error in a form that JSON can carry."""
        result = self.node.call(target, function, *args, timeout=timeout, **(kwargs or {}))
        if target.strip().upper() == "ALL":
            return {name: describe(value) if isinstance(value, Exception) else value for name, value in result.items()}
        return result

    def call_all_results(self, function, args=()):
        """The typed form of call ALL."""
        results = self.node.call_all_results(function, *args)
        return {n: [r.success, r.value, r.error and describe(r.error)] for n, r in results.items()}

    def is_alive(self, name, timeout=2.0):
        """Ping by the proxy."""
        return self.node.peer(name).is_alive(timeout=timeout)

    def pings(self, name, count):
        """How long each of some pings takes, in seconds."""
        times = []
        for _ in range(count):
            begin = time.monotonic()
            if not self.node.peer(name).is_alive():
                raise AssertionError(f"{name} does not answer")
            times.append(time.monotonic() - begin)
        return times

    def peer_names(self):
        """Who is up."""
        return self.node.peer_names()

    def wait_for_peers(self, count, timeout):
        """The method of this name."""
        return self.node.wait_for_peers(count, timeout=timeout)

    def wait_for_names(self, names, timeout):
        """Wait until all these names are listed, and return what is missing."""
        end = time.monotonic() + timeout
        while missing := sorted(set(names) - set(self.node.peer_names())):
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        return missing

    def told(self):
        """What the lifecycle callbacks were told so far."""
        return list(self.events)

    def run(self, source):
        """An expression of Python: for methods that only 1.1.1 has, and values that JSON has not."""
        return eval(source, {"node": self.node})  # noqa: S307 - the test writes the source

    def answers_itself(self):
        """Whether the receive thread lives: 1.1.1 loses it to some datagrams, for good."""
        request = {"type": "request", "id": "self", "src": "self", "rpc": "__ping__", "args": [], "kwargs": {}}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            for _ in range(6):  # a busy machine may drop one
                s.sendto(json.dumps(request).encode(), ("127.0.0.1", self.node.port))
                try:
                    return json.loads(s.recv(65535))["result"]["ok"]
                except TimeoutError:
                    continue
        return False


def describe(error):
    """An exception as JSON: its class, its text, and what it can be caught as."""
    return {
        "type": type(error).__name__,
        "message": str(error),
        "bases": [base.__name__ for base in type(error).__mro__[1:-1]],
    }


def main():
    """Serve commands until stdin ends."""
    steered = Steered(sys.argv[1], json.loads(sys.argv[2]))
    lock = threading.Lock()

    def run(number, command, arguments):
        try:
            answer = {"id": number, "value": getattr(steered, command)(**arguments)}
            text = json.dumps(answer)
        except BaseException as e:  # noqa: BLE001 - all of it belongs to the test
            traceback.print_exc()
            text = json.dumps({"id": number, "error": describe(e)})
        with lock:
            ANSWERS.write(text + "\n")
            ANSWERS.flush()

    for line in sys.stdin:
        request = json.loads(line)
        threading.Thread(target=run, args=(request["id"], request["do"], request["with"]), daemon=True).start()


if __name__ == "__main__":
    main()
    os._exit(0)  # without goodbye, and without waiting for handlers
