"""Events of a node: one thread waits for them, drains them in batches and hands them on."""

from __future__ import annotations

import ctypes
import logging
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from . import _lib

logger = logging.getLogger("peerlink")

_HEADER: Final = struct.Struct("=IHHiIQQQIHH")  # pl_record
_BUFFER: Final = 64 << 10


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
    """The thread that takes the events of one node, until the node is closed.

    *deliver* gets every event and must not block; *ended* is called last, on
    the same thread.
    """

    def __init__(
        self, lib: ctypes.CDLL, handle: int, name: str, deliver: Callable[[Record], None], ended: Callable[[], None]
    ) -> None:
        self._drainer = _Drainer(lib, handle)
        self._deliver, self._ended = deliver, ended
        self._thread = threading.Thread(target=self._run, name=f"peerlink-{name}-events", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait up to *timeout* seconds for the thread to end, unless it is the current one."""
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while self._drainer.wait():
                for record in self._drainer.take():
                    self._hand_on(record)
        finally:
            self._ended()

    def _hand_on(self, record: Record) -> None:
        try:
            self._deliver(record)
        except Exception:  # a bug in one event must not cost all later ones
            logger.exception("PeerLink: event %d was lost", record.type)


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
