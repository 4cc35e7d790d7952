"""A running node: one handle of the C library from open to close.

A session knows nothing of the PeerLink object it belongs to, so that a
forgotten PeerLink can be collected and its node closed.
"""

from __future__ import annotations

import atexit
import ctypes
import logging
import math
import threading
import time
import weakref
from ctypes import byref, c_uint16, c_uint32, c_uint64
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any, Final

from . import _lib
from ._events import Pump, Record
from ._handlers import Failure, Handlers
from ._lib import StatusError
from ._lifecycle import Announcer, Lifecycle
from ._peers import PeerInfo, peer_info
from ._pool import WorkerPool
from ._secret import Secret

logger = logging.getLogger("peerlink")

WORKERS: Final = 16
_BACKLOG: Final = 1024  # calls waiting for a worker; the core admits fewer
_SLICE: Final = 0.1  # s, after which a wait looks for Ctrl-C
_SLICE_MS: Final = 100
_RETRY: Final = 0.001  # s, when the outbound queue is full
_QUICK: Final = 0.001  # s, within which a handler returns that runs on the thread of the events
_RESULT: Final = 16 << 10  # bytes of the result buffer that each thread keeps
_TYPE_MAX: Final = 255  # bytes in the type of an error
_FINGERPRINT: Final = 72  # bytes, more than a fingerprint has

_text = lru_cache(maxsize=256)(_lib.c_text)  # names come again and again

_live: weakref.WeakSet[Session] = weakref.WeakSet()
_exiting = False


@dataclass(frozen=True)
class Options:
    """How to open a node."""

    name: str
    verbose: bool
    discovery: bool
    hidden: bool
    interfaces: str | None
    secret: Secret | None
    legacy: int
    state_dir: bytes | None


class Session:
    """One started node. All methods may be called from any thread."""

    def __init__(self, options: Options, handlers: Handlers, lifecycle: Lifecycle) -> None:
        """Open the node and start it; raises StatusError."""
        self._lib = _lib.load()
        self._handlers = handlers
        self._forked = False
        self._waiters: dict[int, _Gather] = {}
        self._keys = count(1)
        self._scratch = _Scratch()
        self._slow: set[str] = set()  # functions that took long when they were called last
        self._inline = ""  # the function that runs on the thread of the events, or did last
        self._handle = self._open(options)
        _live.add(self)
        _lib.watch_fork(self)
        self._pool = WorkerPool(f"peerlink-{options.name}-rpc", WORKERS, _BACKLOG)
        self._announcer = Announcer(options.name, options.verbose, lifecycle)
        self._pump = Pump(self._lib, self._handle, options.name, self._deliver, self._overrun, self._ended)
        try:
            for name in handlers.names():
                self.register(name)
            self._check(self._lib.pl_start(self._handle))
            self.ports = self._ports()
            self.fingerprint = self._fingerprint()
            self._pump.start()
        except BaseException:
            self.abandon()
            raise

    # ---- lifecycle

    def stop(self, timeout: float) -> None:
        """Say goodbye, give running handlers up to *timeout* seconds to answer, and close.

        Handlers that are still running then go on, but nobody hears their
        result. Called inside a handler it does not wait.
        """
        if self._forked:
            return
        if self._pool.owns_current_thread() or self._pump.owns_current_thread():
            timeout = 0.0
        deadline = time.monotonic() + timeout
        try:
            self._lib.pl_stop(self._handle, int(timeout * 1000))
        finally:  # KeyboardInterrupt
            self.abandon()
        self._pump.join(1.0)
        self._pool.join(max(0.0, deadline - time.monotonic()))
        self._announcer.join(max(0.0, deadline - time.monotonic()))

    def abandon(self) -> None:
        """Close the node without waiting for anything of ours; everything else follows by itself.

        Takes no lock, so the garbage collector may call it in any thread.
        """
        if not self._forked:
            self._lib.pl_close(self._handle)

    def after_fork(self) -> None:
        """Remember that this is a child process: the node is not here."""
        self._forked = True

    # ---- peers

    def find(self, name: str) -> int:
        """Return the peer that holds *name*; raises StatusError."""
        scratch = self._scratch
        status = self._lib.pl_peer_find(self._handle, _text(name), scratch.peer_ref)
        if status < 0:
            self._check(status)
        peer: int = scratch.peer.value
        return peer

    def peers(self) -> list[int]:
        """The peers that are up, ordered by name."""
        size = self._check(self._lib.pl_peer_list(self._handle, None, 0))
        while True:
            room = size
            buffer = (c_uint32 * max(room, 1))()
            size = self._check(self._lib.pl_peer_list(self._handle, buffer, room))
            if size <= room:
                return list(buffer[:size])

    def peer_count(self) -> int:
        """How many peers are up."""
        return self._check(self._lib.pl_peer_list(self._handle, None, 0))

    def names(self) -> dict[int, str]:
        """The names of the peers that are up, in their order; raises StatusError."""
        return {peer: name for peer in self.peers() if (name := self._name_of(peer))}

    def info(self, peer: int) -> PeerInfo:
        """What is known of *peer*; raises StatusError."""
        record = _lib.PeerRecord(size=ctypes.sizeof(_lib.PeerRecord))
        self._check(self._lib.pl_peer_get(self._handle, peer, byref(record)))
        return peer_info(record)

    def infos(self) -> dict[int, PeerInfo]:
        """The peers that are up, ordered by name; raises StatusError."""
        return {peer: info for peer in self.peers() if (info := self._info_of(peer))}

    def find_uuid(self, uuid: str) -> int:
        """Return the peer that is up with *uuid*; raises StatusError."""
        for peer, info in self.infos().items():
            if info.uuid == uuid:
                return peer
        raise StatusError(_lib.E_PEER_NOT_FOUND, _lib.status_text(self._lib, _lib.E_PEER_NOT_FOUND))

    def _info_of(self, peer: int) -> PeerInfo | None:
        try:
            return self.info(peer)
        except StatusError as e:
            if e.status == _lib.E_PEER_NOT_FOUND:  # it has gone
                return None
            raise

    def _name_of(self, peer: int) -> str:
        """The name of *peer*, "" if it has gone."""
        info = self._info_of(peer)
        return info.name if info else ""

    def add_peer(self, name: str, addr: str, udp_port: int, tcp_port: int) -> None:
        """Name a peer that discovery cannot find; raises StatusError."""
        text, host = _lib.c_text(name), _lib.c_text(addr)
        self._check(self._lib.pl_peer_add(self._handle, text, host, udp_port, tcp_port, None))

    def wait_peers(self, number: int, seconds: float) -> bool:
        """Wait for *number* peers to be up, 100 ms at most."""
        limit = max(0, min(int(seconds * 1000), int(_SLICE * 1000)))
        return self._check(self._lib.pl_wait_peers(self._handle, number, limit)) > 0

    def wait_peer(self, name: str, seconds: float) -> bool:
        """Wait for the peer *name* to be up, 100 ms at most."""
        limit = max(0, min(int(seconds * 1000), int(_SLICE * 1000)))
        peer = ctypes.c_uint32()
        return self._check(self._lib.pl_wait_peer(self._handle, _lib.c_text(name), limit, ctypes.byref(peer))) > 0

    def register(self, name: str) -> None:
        """Have calls of *name* delivered; raises StatusError."""
        self._check(self._lib.pl_register(self._handle, _lib.c_text(name)))

    # ---- calls

    def call(self, peer: int, function: str, payload: bytes, timeout_ms: int) -> bytes:
        """Call *function* and return the result payload; raises StatusError.

        It waits in slices: what a signal raises in between, such as
        KeyboardInterrupt, cancels the call.
        """
        lib, handle, name, size = self._lib, self._handle, _text(function), len(payload)
        scratch = self._scratch
        lent = scratch.lend()
        buffer, room, request, request_ref, length, length_ref = lent
        request.value = 0
        try:
            while True:
                status = lib.pl_call_wait(
                    handle, peer, name, payload, size, timeout_ms, _SLICE_MS, request_ref, buffer, room, length_ref
                )
                if status == _lib.OK:
                    return ctypes.string_at(buffer, length.value)
                if status == _lib.E_TOO_LARGE and length.value > room:
                    room = length.value
                    buffer = ctypes.create_string_buffer(room)
                elif status != _lib.E_AGAIN:
                    self._check(status)
        except StatusError:
            raise
        except BaseException:
            if request.value:
                lib.pl_cancel(handle, request)
            raise
        finally:
            scratch.give_back(lent)

    def call_all(self, function: str, payload: bytes, timeout_ms: int) -> list[tuple[str, Record]]:
        """Call *function* on every peer that is up; return their names and replies; raises StatusError."""
        names = self.names()
        gather, key = _Gather(), next(self._keys)
        self._waiters[key] = gather
        try:
            request = self._enqueue(_lib.PEER_ALL, function, payload, timeout_ms, key)
            try:
                while not gather.done.wait(_SLICE):
                    pass
            except BaseException:
                self._lib.pl_cancel(self._handle, request)
                raise
        finally:
            del self._waiters[key]
        if gather.status < 0:
            raise StatusError(gather.status, _lib.status_text(self._lib, gather.status))
        return [(names.get(reply.peer) or self._name_of(reply.peer), reply) for reply in gather.replies]

    def send(self, peer: int, function: str, payload: bytes) -> None:
        """Call *function* and forget about the answer; raises StatusError."""
        self._enqueue(peer, function, payload, 1000, 0)

    def _enqueue(self, peer: int, function: str, payload: bytes, timeout_ms: int, key: int) -> int:
        name, request = _lib.c_text(function), c_uint64()
        deadline = time.monotonic() + (timeout_ms / 1000 if timeout_ms != _lib.FOREVER else math.inf)
        while True:
            status = self._lib.pl_call(self._handle, peer, name, payload, len(payload), timeout_ms, key, byref(request))
            if status != _lib.E_AGAIN:
                self._check(status)
                return request.value
            if time.monotonic() > deadline:
                raise StatusError(_lib.E_TIMEOUT, _lib.status_text(self._lib, _lib.E_TIMEOUT))
            time.sleep(_RETRY)

    # ---- events, on the thread of the pump

    def _deliver(self, record: Record) -> None:
        match record.type:
            case _lib.EV_CALL:
                self._serve(record)
            case _lib.EV_REPLY | _lib.EV_REPLIES_END:
                if gather := self._waiters.get(record.user):
                    gather.add(record)
            case _lib.EV_PEER_UP | _lib.EV_PEER_MOVED | _lib.EV_PEER_DOWN | _lib.EV_PEER_REPLACED:
                self._announcer.deliver(record)
            case _lib.EV_LOG:
                logger.log(logging.ERROR if record.aux < _lib.LOG_WARN else logging.WARNING, "%s", record.text)
            case _lib.EV_RENAMED:
                self._announcer.renamed(record.label)
            case _lib.EV_DROPPED:
                logger.warning("PeerLink: %d events were lost", record.id)

    def _serve(self, record: Record) -> None:
        """Run the handler here if it was quick the last time, and on a thread of the pool if not."""
        function = record.function
        if function not in self._slow and not self._pump.is_stuck() and self._pool.has_room():
            self._inline = function
            self._pump.run(lambda: self._answer(record, function))
        elif not self._pool.submit(lambda: self._answer(record, function)):
            self._reply(record.id, Failure("Overloaded", "too many calls at once"))

    def _overrun(self, ends: threading.Event) -> None:
        """Remember a handler that is slow; it counts as one of those in the pool."""
        self._slow.add(self._inline)
        self._pool.submit(lambda: (ends.wait(), None)[1])

    def _ended(self) -> None:
        self._pool.close()
        self._announcer.close()
        for gather in list(self._waiters.values()):
            gather.end(_lib.E_CLOSED)

    # ---- handlers, on the threads of the pool

    def _answer(self, record: Record, function: str) -> None:
        begun = time.monotonic()
        outcome = self._handlers.run(function, record.caller, record.data, lambda: self._waits(record.id))
        if time.monotonic() - begun > _QUICK:
            self._slow.add(function)
        elif self._slow:
            self._slow.discard(function)
        self._reply(record.id, outcome)

    def _waits(self, call: int) -> bool:
        """Whether the caller still waits for its answer."""
        return bool(self._lib.pl_call_wanted(self._handle, call) > 0)

    def _reply(self, call: int, outcome: bytes | Failure) -> None:
        """On this thread: waking another for it would take longer than sending."""
        if isinstance(outcome, Failure):
            kind, message = _reply_text(outcome.type)[:_TYPE_MAX], _reply_text(outcome.message)
            status = self._lib.pl_reply_error_now(self._handle, call, kind, message)
        else:
            status = self._lib.pl_reply_now(self._handle, call, outcome, len(outcome))
        if status not in (_lib.OK, _lib.E_HANDLE, _lib.E_CLOSED, _lib.E_FORKED):
            logger.warning("PeerLink: a reply could not be sent: %s", _lib.last_error(self._lib, status))

    # ---- details

    def _open(self, options: Options) -> int:
        config = _lib.Config()
        self._lib.pl_config_init(byref(config))
        config.name = _lib.c_text(options.name)
        if options.interfaces is not None:
            config.interfaces = _lib.c_text(options.interfaces)
        config.flags = _lib.HIDDEN if options.hidden else 0
        config.discovery = _lib.DISC_AUTO if options.discovery else _lib.DISC_OFF
        config.codec = _lib.JSON
        config.log_level = _lib.LOG_WARN
        config.allow_legacy = options.legacy
        config.state_dir = options.state_dir
        config.secret = options.secret.reveal() if options.secret else None
        handle = c_uint64()
        self._check(self._lib.pl_open(byref(config), byref(handle)))
        return handle.value

    def _ports(self) -> tuple[int, int]:
        udp, tcp = c_uint16(), c_uint16()
        self._check(self._lib.pl_ports(self._handle, byref(udp), byref(tcp)))
        return udp.value, tcp.value

    def _fingerprint(self) -> str:
        room = ctypes.create_string_buffer(_FINGERPRINT)
        self._check(self._lib.pl_fingerprint(self._handle, room, len(room)))
        return room.value.decode("ascii")

    def _check(self, status: int) -> int:
        if status < 0:
            _park_at_exit()
        return _lib.check(self._lib, status)


_Lent = tuple[Any, int, c_uint64, Any, c_uint32, Any]


class _Scratch(threading.local):
    """What a thread needs to call, kept from call to call."""

    def __init__(self) -> None:
        self.peer = c_uint32()
        self.peer_ref = byref(self.peer)
        self._kept: _Lent | None = None

    def lend(self) -> _Lent:
        """A buffer and its size, the cells for a request and for a length.

        A nested call, by a signal handler say, gets some of its own.
        """
        lent, self._kept = self._kept, None
        if lent is None:
            request, length = c_uint64(), c_uint32()
            lent = (ctypes.create_string_buffer(_RESULT), _RESULT, request, byref(request), length, byref(length))
        return lent

    def give_back(self, lent: _Lent) -> None:
        """Keep what was lent for the next call."""
        self._kept = lent


class _Gather:
    """The replies to one call of all peers."""

    def __init__(self) -> None:
        self.replies: list[Record] = []
        self.done = threading.Event()
        self.status = _lib.OK

    def add(self, record: Record) -> None:
        """Keep a reply, or end. Called by the pump."""
        if record.type == _lib.EV_REPLY:
            self.replies.append(record)
        else:
            self.done.set()

    def end(self, status: int) -> None:
        """Give up with *status*."""
        self.status = status
        self.done.set()


@atexit.register
def _close_all() -> None:
    global _exiting
    _exiting = True
    for session in list(_live):
        session.abandon()


def _park_at_exit() -> None:
    """Keep daemon threads that the end of the interpreter cuts off from raising: they end with it."""
    if _exiting and threading.current_thread().daemon:
        threading.Event().wait()


def _reply_text(text: str) -> bytes:
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace")
