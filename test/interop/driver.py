"""The processes under test: steered nodes (node.py) of either implementation, and the command line."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
START_TIMEOUT = 30  # s: many interpreters start at once on a small machine
ANSWER_TIMEOUT = 40  # s

OURS, REAL, GO = "ours", "real", "go"


@dataclass
class Programs:
    """What is tested against what."""

    ours: str  # a Python that has our package
    real: str  # a Python that has peerlink 1.1.1
    cli: str  # our command line
    logs: Path

    def python(self, kind):
        """The interpreter of an implementation."""
        return {OURS: self.ours, REAL: self.real}[kind]


class Failed(Exception):
    """An exception that a node raised, told over the pipe."""

    def __init__(self, error):
        super().__init__(f"{error['type']}: {error['message']}")
        self.type, self.message, self.bases = error["type"], error["message"], error["bases"]


def environment(kind):
    """The environment of a node: 1.1.1 must not see what belongs to ours, nor ours what keeps other tests on lo."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
    env.pop("PEERLINK_INTERFACES", None)
    if kind == REAL:
        env.pop("PYTHONPATH", None)
        env.pop("PEERLINK_LIBRARY", None)
    return env


class Process:
    """A process on a host, with its output in a file."""

    _numbers = itertools.count(1)

    def __init__(self, programs, host, argv, kind, **options):
        label = f"{next(self._numbers)}-{kind}-{host.space}"
        self.log = programs.logs / f"{label}.log"
        with self.log.open("wb") as log:
            options = {"stdin": subprocess.DEVNULL, "stdout": log, **options}
            self.process = host.popen(argv, stderr=log, env=environment(kind), cwd=programs.logs, **options)
        self.kind, self.host = kind, host

    @property
    def pid(self):
        """`ip netns exec` becomes the program, so this is the program."""
        return self.process.pid

    def end(self, *signals):
        """Send each signal to the whole group, giving it time before the next; the last resort is SIGKILL."""
        for sig in (*signals, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, sig)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
                break
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        return self.process.returncode

    def kill(self):
        """End it as a crash would: without a goodbye."""
        self.end()

    def usage(self):
        """Resident memory in MB, and threads."""
        status = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        return int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"])


class Node(Process):
    """A node of either Python implementation. Starting is asynchronous; `ready` waits for it."""

    def __init__(self, programs, host, kind, name, **options):
        argv = [programs.python(kind), HERE / "node.py", name, json.dumps(options)]
        super().__init__(
            programs, host, argv, kind, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.name = name
        self._numbers_used = itertools.count(1)
        self._waiting = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()
        self._started = self.ask("start")

    def ready(self):
        """Wait until the node has started."""
        self.info = self._started.result(START_TIMEOUT)
        if (self.info["version"] == "1.1.1") != (self.kind == REAL):
            raise AssertionError(f"wrong implementation: {self.info}")
        return self

    def ask(self, command, **arguments):
        """Have a command run, and return a Future of its result."""
        future = Future()
        with self._lock:
            number = next(self._numbers_used)
            self._waiting[number] = future
            try:
                self.process.stdin.write(json.dumps({"id": number, "do": command, "with": arguments}) + "\n")
                self.process.stdin.flush()
            except (OSError, ValueError) as e:
                self._fail(future, e)
        return future

    def do(self, command, **arguments):
        """Run a command; raises Failed if it raises at the node."""
        return self.ask(command, **arguments).result(ANSWER_TIMEOUT)

    def call(self, target, function, *args, timeout=5.0, **kwargs):
        """PeerLink.call at the node."""
        return self.do("call", target=target, function=function, args=args, kwargs=kwargs, timeout=timeout)

    def stop(self):
        """Stop the node politely, and then end its process."""
        self.do("stop")
        self.kill()

    def told_of(self, name, *kinds):
        """What the lifecycle callbacks said of a peer: "up", "removed", "expired", "replaced"."""
        told = [e.get("reason", e["kind"]) for e in self.do("told") if e["name"] == name]
        return [kind for kind in told if not kinds or kind in kinds]

    def _read(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            future = self._waiting.pop(answer["id"])
            if "error" in answer:
                future.set_exception(Failed(answer["error"]))
            else:
                future.set_result(answer["value"])
        for future in list(self._waiting.values()):
            self._fail(future, EOFError("the process ended"))

    def _fail(self, future, error):
        if not future.done():
            future.set_exception(AssertionError(f"{self.name}: {error}\n{self.log.read_text()[-2000:]}"))


class Program(Process):
    """Python source. Both outputs go to its log: who serves never ends, so there is no end of a pipe to wait for."""

    def __init__(self, programs, host, kind, source):
        super().__init__(programs, host, [programs.python(kind), "-c", source], kind)

    def output(self):
        """What it printed so far."""
        return self.log.read_text(encoding="utf-8")


class GoServer(Process):
    """`peerlink serve`. Its events are kept as `told_of` of Node gives them."""

    def __init__(self, programs, host, name):
        argv = [programs.cli, "serve", "--name", name, "--json"]
        super().__init__(programs, host, argv, GO, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        self.name = name
        self._events = []
        self._started = Future()
        threading.Thread(target=self._read, daemon=True).start()

    def ready(self):
        """Wait until the node has started."""
        self.info = self._started.result(START_TIMEOUT)
        self.info["port"] = self.info["udp_port"]
        return self

    def stop(self):
        """Stop it politely."""
        self.end(signal.SIGTERM)

    def told_of(self, name, *kinds):
        """See Node.told_of."""
        told = [_reason(e) for e in list(self._events) if e["peer"]["name"] == name]
        return [kind for kind in told if not kinds or kind in kinds]

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "ready":
                self._started.set_result(event)
            else:
                self._events.append(event)
        if not self._started.done():
            self._started.set_exception(AssertionError(f"{self.name} did not start: {self.log.read_text()}"))


def _reason(event):
    return event["reason"] if event["event"] == "down" else event["event"]


class GoClient:
    """`peerlink call` and `ping`: a new, hidden node for each call."""

    kind = GO

    def __init__(self, programs, host, name):
        self.programs, self.host, self.name = programs, host, name

    def run(self, *args):
        """Run a command to its end; returns exit code and output."""
        process = Process(
            self.programs,
            self.host,
            [self.programs.cli, "--json", "--name", self.name, *args],
            GO,
            stdout=subprocess.PIPE,
        )
        try:
            out, _ = process.process.communicate(timeout=ANSWER_TIMEOUT)
        finally:
            code = process.end()
        return code, json.loads(out) if out else None

    def call(self, target, function, *args, timeout=5.0, **kwargs):
        """As Node.call; raises Failed with the kind of the error as type."""
        return self._answer(
            "call", target, function, json.dumps(args), "--kwargs", json.dumps(kwargs), "--timeout", f"{timeout}s"
        )["result"]

    def ping(self, target):
        """Ping, and return what is known of the peer."""
        return self._answer("ping", target)

    def _answer(self, *args):
        code, out = self.run(*args)
        if "error" in out:
            assert code == 1
            raise Failed({"type": out["error"]["kind"], "message": out["error"]["message"], "bases": []})
        assert code == 0
        return out


class Cast:
    """All processes of one lab. Leaving it ends them, after a look at whether each node of 1.1.1 still lives."""

    def __init__(self, programs):
        self.programs = programs
        self._members = []

    def node(self, host, kind, name, **options):
        """Begin to start a node; *options* are those of PeerLink in Python."""
        member = GoServer(self.programs, host, name) if kind == GO else Node(self.programs, host, kind, name, **options)
        self._members.append(member)
        return member

    def program(self, host, kind, source):
        """Start Python source."""
        member = Program(self.programs, host, kind, source)
        self._members.append(member)
        return member

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            dead = [m.name for m in self._members if self._must_answer(m) and not m.do("answers_itself")]
        finally:
            for member in self._members:
                member.kill()
        if dead:
            raise AssertionError(f"a datagram of ours ended the receive thread of 1.1.1 in {dead}")

    @staticmethod
    def _must_answer(member):
        return member.kind == REAL and isinstance(member, Node) and member.process.poll() is None


def eventually(check, timeout, every=0.1):
    """Wait until check() is true, and return what it returned last."""
    end = time.monotonic() + timeout
    while not (result := check()) and time.monotonic() < end:
        time.sleep(every)
    return result


def our_python():
    """The interpreter that runs the tests: its environment has our package."""
    return sys.executable
