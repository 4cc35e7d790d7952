"""Events of a node: one thread at a time waits for them, drains them in batches and hands them on."""

from __future__ import annotations

import ctypes
import logging
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from . import _lib

logger = logging.getLogger("peerlink")

_HEADER: Final = struct.Struct("=IHHiIQQQIHH")  # pl_record
_BUFFER: Final = 64 << 10
_TICK: Final = 0.002  # s, how long a job may hold up other events
_QUIET: Final = 50  # ticks without a job, after which nobody watches


class Record(NamedTuple):
    """One event. *name* and *data* are copies."""

    type: int
    flags: int
    status: int
    id: int
    user: int
    peer: int
    aux: int
    name: bytes
    data: bytes

    @property
    def text(self) -> str:
        """The data as text."""
        return self.data.decode("utf-8", "replace")

    @property
    def label(self) -> str:
        """The name as text."""
        return self.name.decode("utf-8", "replace")

    @property
    def function(self) -> str:
        """The function a peer calls (EV_CALL)."""
        return self.name[: self.aux].decode("utf-8", "replace")

    @property
    def caller(self) -> str | None:
        """What the caller named itself (EV_CALL), None if it did not."""
        if self.flags & _lib.F_NO_CALLER:
            return None
        return self.name[self.aux + 1 :].decode("utf-8", "replace")

    @property
    def address(self) -> tuple[str, int]:
        """Address and port of a peer event."""
        host, _, port = self.text.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port) if port.isdecimal() else 0


def parse(buffer: memoryview) -> Iterator[Record]:
    """Yield the records of a drained *buffer*."""
    at = 0
    while at + _HEADER.size <= len(buffer):
        length, kind, flags, status, data_len, id_, user, _, peer, name_len, aux = _HEADER.unpack_from(buffer, at)
        name_at = at + _HEADER.size
        data_at = name_at + _pad8(name_len + 1)
        name = bytes(buffer[name_at : name_at + name_len])
        data = bytes(buffer[data_at : data_at + data_len])
        yield Record(kind, flags, status, id_, user, peer, aux, name, data)
        at += length


class Pump:
    """Takes the events of one node, until the node is closed, and hands them on in order.

    *deliver* gets every event; *ended* is called last. Both come on the thread
    that leads. A job that deliver runs by :meth:`run` may block: then another
    thread takes the lead, *overrun* is called with an event that is set when
    the job ends, and the thread that was stuck ends with it.

    So a short job costs no change of threads, which would take longer than the
    rest of a call, and a long one holds up the others for some milliseconds.
    """

    def __init__(
        self,
        lib: ctypes.CDLL,
        handle: int,
        name: str,
        deliver: Callable[[Record], None],
        overrun: Callable[[threading.Event], None],
        ended: Callable[[], None],
    ) -> None:
        self._drainer = _Drainer(lib, handle)
        self._name, self._deliver, self._overrun, self._ended = name, deliver, overrun, ended
        self._taken: deque[Record] = deque()  # not handed on yet; the leader's
        self._mine = threading.local()
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._turn = 0  # of the leader; who finds another number leads no more
        self._begun = 0.0  # when the job of the leader began, 0 if it runs none
        self._stuck: threading.Event | None = None  # is set when the job ends that the leader was replaced for
        self._jobs = 0
        self._watched = self._asleep = False
        self._bell = threading.Event()

    def start(self) -> None:
        """Start the first thread."""
        self._spawn(self._lead)

    def join(self, timeout: float) -> None:
        """Wait up to *timeout* seconds for the last event, unless that would wait for the current thread."""
        if not self.owns_current_thread():
            self._done.wait(timeout)

    def owns_current_thread(self) -> bool:
        """True on a thread that leads, or that was stuck."""
        return getattr(self._mine, "led", False)

    def is_stuck(self) -> bool:
        """True while a job runs that the leader was replaced for; then there is to be no other."""
        return self._stuck is not None

    def run(self, job: Callable[[], None]) -> None:
        """Run *job*, inside deliver."""
        turn = self._turn
        self._begun = time.monotonic()
        self._jobs += 1
        if not self._watched:
            self._watched = True
            self._spawn(self._watch)
        elif self._asleep:
            self._bell.set()
        try:
            job()
        finally:
            with self._lock:
                if self._turn == turn:
                    self._begun = 0.0
                elif self._stuck is not None:
                    self._stuck.set()
                    self._stuck = None

    def _spawn(self, target: Callable[[], None]) -> None:
        threading.Thread(target=target, name=f"peerlink-{self._name}-events", daemon=True).start()

    def _lead(self) -> None:
        self._mine.led = True
        turn = self._turn
        try:
            while True:
                while self._taken:
                    self._hand_on(self._taken.popleft())
                    if self._turn != turn:
                        return
                if not self._drainer.wait():
                    break
                self._taken.extend(self._drainer.take())
        finally:
            if self._turn == turn:
                self._done.set()
                self._bell.set()
                self._ended()

    def _hand_on(self, record: Record) -> None:
        try:
            self._deliver(record)
        except Exception:  # a bug in one event must not cost all later ones
            logger.exception("PeerLink: event %d was lost", record.type)

    def _watch(self) -> None:
        """Look after the jobs of the leader, and become the leader if one takes long."""
        seen, quiet = 0, 0
        while not self._done.is_set():
            time.sleep(_TICK)
            if stuck := self._replaced():
                self._watched = False
                self._overrun(stuck)
                self._lead()
                return
            seen, quiet = self._jobs, quiet + 1 if seen == self._jobs else 0
            if quiet > _QUIET and not self._begun:
                self._sleep(seen)
                quiet = 0

    def _sleep(self, seen: int) -> None:
        """Until there is a job after *seen*."""
        self._bell.clear()
        self._asleep = True  # before the look at what run changes before it looks at this
        if self._jobs == seen and not self._done.is_set():
            self._bell.wait()
        self._asleep = False

    def _replaced(self) -> threading.Event | None:
        """Take the lead if the job of the leader takes long."""
        with self._lock:
            if not self._begun or time.monotonic() - self._begun < _TICK:
                return None
            self._turn += 1
            self._begun = 0.0
            self._stuck = threading.Event()
            return self._stuck


class _Drainer:
    """pl_wait and pl_drain of one node, with the buffer they need."""

    def __init__(self, lib: ctypes.CDLL, handle: int) -> None:
        self._lib, self._handle = lib, handle
        self._count = ctypes.c_uint32()
        self._resize(_BUFFER)

    def wait(self) -> bool:
        """Block until something may be there; False once the node is closed."""
        return bool(self._lib.pl_wait(self._handle, _lib.FOREVER) >= 0)

    def take(self) -> list[Record]:
        """Return what is there, which may be nothing."""
        records: list[Record] = []
        while (size := self._drain()) > 0:
            records.extend(parse(self._view[:size]))
            if len(self._view) > _BUFFER:
                self._resize(_BUFFER)
            if size < _BUFFER // 2:
                break
        return records

    def _drain(self) -> int:
        size = int(self._lib.pl_drain(self._handle, self._buffer, len(self._buffer), ctypes.byref(self._count)))
        if size == _lib.E_TOO_LARGE:
            self._resize(self._count.value)
            return self._drain()
        return size

    def _resize(self, size: int) -> None:
        self._buffer = ctypes.create_string_buffer(size)
        self._view = memoryview(self._buffer).cast("B")


def _pad8(size: int) -> int:
    return (size + 7) & ~7
