"""Nodes: :class:`PeerLink` and what belongs to it."""

from __future__ import annotations

import inspect
import logging
import os
import threading
import time
import uuid as uuids
import weakref
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, Final, TypeVar, overload

from . import _codec, _lib, _ports
from ._console import say
from ._context import caller_waits, current_peer, run_with_current_peer
from ._failures import NOT_STARTED, call_failure, failure, find_failure
from ._handlers import Handlers
from ._lib import StatusError
from ._lifecycle import Lifecycle, OnDown, OnUp
from ._outcome import RPC_TIMEOUT, CallResult, decode, milliseconds, outcome
from ._peers import PeerInfo
from ._ports import BASE_PORT, PORT_RANGE
from ._proxy import PeerProxy
from ._secret import Secret, new_secret
from ._session import WORKERS as RPC_EXECUTOR_MAX_WORKERS
from ._session import Options, Session
from .errors import (
    Ambiguous,
    NoHandler,
    Overloaded,
    PayloadTooLarge,
    PeerGone,
    PeerLinkError,
    PeerNotFound,
    PeerNotFoundError,
    PeerTimeoutError,
    RemoteError,
    Unauthenticated,
)

__all__ = [
    "BASE_PORT",
    "DISCOVERY_WAIT",
    "MAX_DATAGRAM",
    "MAX_SAFE_UDP_PAYLOAD",
    "PEER_TTL",
    "PORT_RANGE",
    "RPC_EXECUTOR_MAX_WORKERS",
    "RPC_TIMEOUT",
    "SERVICE_TYPE",
    "Ambiguous",
    "CallResult",
    "NoHandler",
    "Overloaded",
    "PayloadTooLarge",
    "PeerGone",
    "PeerInfo",
    "PeerLink",
    "PeerLinkError",
    "PeerNotFound",
    "PeerNotFoundError",
    "PeerProxy",
    "PeerTimeoutError",
    "RemoteError",
    "SwarmNode",
    "Unauthenticated",
    "caller_waits",
    "current_peer",
    "logger",
    "new_secret",
    "run_with_current_peer",
]

logger = logging.getLogger("peerlink")

SERVICE_TYPE: Final = "_peerlink._tcp.local."
DISCOVERY_WAIT: Final = 3.0  # s, how long the command line looks for peers
PEER_TTL: Final = 60.0  # s, after which 1.x forgets a peer
MAX_SAFE_UDP_PAYLOAD: Final = 1200  # bytes of one message from or to a 1.x node; others take more
MAX_DATAGRAM: Final = 65535

_FUNCTION_NAME_MAX: Final = 255  # bytes of UTF-8
_STOP_TIMEOUT: Final = 5.0  # s that stop gives to running handlers
_POLL: Final = 0.1  # s
_LEGACY: Final = {False: _lib.LEGACY_OFF, True: _lib.LEGACY_ON}

F = TypeVar("F", bound=Callable[..., Any])


def _check_port(what: str, port: int) -> None:
    if isinstance(port, bool) or not isinstance(port, int):
        raise TypeError(f"{what} must be an int, not {type(port).__name__}")
    if not 1 <= port <= 65535:
        raise ValueError(f"{what} must be 1 to 65535, not {port}")


class PeerLink:
    """A node: it has a name, offers functions, and calls those of other nodes by their names.

    ::

        with PeerLink("Phone2") as node:
            node.wait_for_peers()
            print(node.call("Phone1", "add", 25, 17))

    All that nodes of this version say to each other is encrypted. With a
    *secret* they authenticate each other besides, and nobody without it can
    find, call or overhear them; without one, anybody on the network may take
    part. Best is one of :func:`new_secret`; a text of one's own, of at most
    1024 bytes, costs some 0.1 s and 64 MiB at each start. It is in no repr,
    exception or log line.

    *allow_legacy* says whether to speak with 1.x nodes, which can neither
    encrypt nor authenticate: None is no with a secret, and yes without.
    *state_dir* is a directory that keeps the key of the node, so that its
    :attr:`fingerprint` survives a restart; it is made if need be, and belongs
    to one node.

    *verbose* prints what happens to standard output. *discovery* False finds
    nobody but the peers given by :meth:`add_peer`. *interfaces* limits
    discovery to network interfaces, such as ``"lo"`` or ``["eth0", "wlan0"]``.

    All methods may be called from any thread, also from handlers and
    callbacks. A node lives until :meth:`stop`, the end of the interpreter, or
    until nobody refers to it; a handler that refers to it keeps it alive.
    """

    _hidden = False

    def __init__(
        self,
        node_name: str,
        verbose: bool = True,
        *,
        secret: str | None = None,
        discovery: bool = True,
        interfaces: str | Iterable[str] | None = None,
        allow_legacy: bool | None = None,
        state_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        if not isinstance(node_name, str):
            raise TypeError(f"node_name must be str, not {type(node_name).__name__}")
        self._secret = Secret(secret) if secret else None
        self.node_name = node_name
        self.verbose = verbose
        self.port = _ports.derived_ports(node_name)[0]
        self._discovery = discovery
        self._interfaces = _interface_list(interfaces)
        self._legacy = _lib.LEGACY_DEFAULT if allow_legacy is None else _LEGACY[bool(allow_legacy)]
        self._state_dir = os.fsencode(state_dir) if state_dir is not None else None
        self._handlers = Handlers()
        self._lifecycle = Lifecycle()
        self._static: dict[str, tuple[str, int, int]] = {}
        self._lock = threading.Lock()  # start and stop
        self._session: Session | None = None
        self._finalizer: weakref.finalize[..., PeerLink] | None = None

    # ---- lifecycle

    def start(self) -> PeerLink:
        """Bind the sockets, announce the node, and return it. Nothing happens if it is started.

        Waits for no peer and no network. If another node on the network has
        the name, peers find this one as ``"Name (2)"`` and so on. Raises
        PeerLinkError, for instance if the secret is a damaged one of
        :func:`new_secret` or others can read the key in *state_dir*, and
        ImportError if the library cannot be loaded.
        """
        _lib.check_fork()
        with self._lock:
            if self._session is None:
                self._start()
        return self

    def stop(self) -> None:
        """Say goodbye and close. Nothing happens if the node is not started; it may be started again.

        Running handlers get 5 s to end; calls that wait raise PeerLinkError.
        """
        if _lib.forked():
            return
        with self._lock:
            session, self._session = self._session, None
            if session is None or self._finalizer is None:
                return
            self._finalizer.detach()
        session.stop(_STOP_TIMEOUT)
        if self.verbose:
            say(self.node_name, f"🛑 Node-{self.node_name} stopped")

    def __enter__(self) -> PeerLink:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- functions

    @overload
    def register(self, name: str, func: Callable[..., Any]) -> PeerLink: ...
    @overload
    def register(self, name: str) -> Callable[[F], F]: ...
    @overload
    def register(self, name: F) -> F: ...
    def register(self, name: str | F, func: Callable[..., Any] | None = None) -> PeerLink | Callable[[F], F] | F:
        """Offer *func* to peers as *name*; a later registration replaces an earlier one.

        Returns the node, so that calls chain. Also a decorator:
        ``@node.register("name")`` and ``@node.register``.

        The function runs on a thread of the library, up to 16 at once, with
        :data:`current_peer` set to the caller. Its arguments and its result are
        JSON; what it raises, the caller gets as RemoteError. One that takes
        long may ask :func:`caller_waits` whether anybody wants the result.
        """
        if callable(name):
            self._register(name.__name__, name)
            return name
        if func is None:
            return self._registrar(name)
        self._register(name, func)
        return self

    def _registrar(self, name: str) -> Callable[[F], F]:
        def decorate(function: F) -> F:
            self._register(name, function)
            return function

        return decorate

    def _register(self, name: str, func: Callable[..., Any]) -> None:
        if not isinstance(name, str) or not callable(func):
            raise TypeError("register takes a name and a function")
        if inspect.iscoroutinefunction(func):
            raise TypeError("register takes plain functions; asyncio ones are not in this version yet")
        try:
            _lib.c_text(name, _FUNCTION_NAME_MAX)
            self._handlers.add(name, func)
            if session := self._session:
                session.register(name)
        except StatusError as e:
            raise failure(e) from None

    # ---- calls

    def call(self, target: str, func_name: str, *args: Any, timeout: float | None = RPC_TIMEOUT, **kwargs: Any) -> Any:
        """Call a function of the peer *target* and return its result.

        Arguments and result are what JSON can carry, up to 16 MiB each; with a
        1.x node, what fits into one message of 1200 bytes. The function runs
        at most once, however many packets are lost; a 1.x node is asked once,
        and a packet lost is a timeout. *timeout* is in seconds;
        None waits for ever, 0 always times out. The target ``"ALL"`` calls
        every peer at once and returns a dict of results by peer name, in which
        an exception stands for a call that failed.

        Raises PeerNotFound, Ambiguous, PeerTimeoutError, PeerGone (a
        PeerTimeoutError: the peer left before it answered), RemoteError (the
        function failed at the peer), NoHandler (a RemoteError: there is no
        such function), PayloadTooLarge, Overloaded, Unauthenticated,
        PeerLinkError, and TypeError or ValueError for arguments that cannot be
        encoded.
        """
        if target == "ALL" or target.strip().upper() == "ALL":
            return self._call_all(func_name, args, kwargs, timeout)
        return self._call_one(target, func_name, args, kwargs, timeout)

    def call_all_results(
        self, func_name: str, *args: Any, timeout: float | None = RPC_TIMEOUT, **kwargs: Any
    ) -> dict[str, CallResult[Any]]:
        """As ``call("ALL", …)``, but every entry of the dict is a CallResult."""
        values = self._call_all(func_name, args, kwargs, timeout)
        return {name: CallResult.from_value_or_exc(value) for name, value in values.items()}

    def peer(self, name: str) -> PeerProxy:
        """Return a proxy of the peer *name*; raises PeerNotFound if it is not up now."""
        session = self._started()
        try:
            session.find(name)
        except StatusError as e:
            raise find_failure(e, name, f"Peer '{name}' not found") from None
        return PeerProxy(self, name)

    def peer_by_uuid(self, uuid: str | uuids.UUID) -> PeerProxy:
        """Return a proxy of one instance of a peer, whatever it is called; raises PeerNotFound if it is not up now.

        :attr:`peers` lists the UUIDs. A peer has a new one with each start:
        the proxy never means another node that takes its name.
        """
        text = str(uuid).lower()
        session = self._started()
        try:
            peer = session.find_uuid(text)
            return PeerProxy._of_uuid(self, session.info(peer).name, text)
        except StatusError as e:
            raise find_failure(e, text, f"Peer '{text}' not found") from None

    def _call_one(
        self,
        target: str,
        function: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        timeout: float | None,
        uuid: str | None = None,
    ) -> Any:
        session = self._started()
        peer = self._find(session, target) if uuid is None else self._find_uuid(session, uuid)
        payload = _codec.encode_arguments(args, kwargs)
        limit = milliseconds(timeout)
        if self.verbose:
            self._say(f"RPC {function} → {target}")
        try:
            if limit == 0:
                session.send(peer, function, payload)
                raise StatusError(_lib.E_TIMEOUT, "")
            return decode(session.call(peer, function, payload, limit), target, function)
        except StatusError as e:
            if e.status == _lib.E_TIMEOUT:
                self._say(f"RPC {function} → {target} timed out")
            raise call_failure(e, target, function, timeout) from None

    def _call_all(
        self, function: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], timeout: float | None
    ) -> dict[str, Any]:
        session = self._started()
        payload = _codec.encode_arguments(args, kwargs)
        limit = milliseconds(timeout)
        self._say(f"RPC {function} → ALL")
        try:
            if limit == 0:
                names = self.peer_names()
                session.send(_lib.PEER_ALL, function, payload)
                late = StatusError(_lib.E_TIMEOUT, "")
                return {name: call_failure(late, name, function, timeout) for name in names}
            replies = session.call_all(function, payload, limit)
        except StatusError as e:
            raise call_failure(e, "ALL", function, timeout) from None
        return {name: outcome(reply, name, function, timeout) for name, reply in sorted(replies, key=itemgetter(0))}

    # ---- peers

    @property
    def fingerprint(self) -> str:
        """Of the node's own key, 64 hexadecimal digits; empty unless it is started. See *state_dir*."""
        session = self._session
        return session.fingerprint if session else ""

    @property
    def peers(self) -> list[PeerInfo]:
        """The peers that are up, ordered by name, as they are now."""
        session = self._session
        if session is None:
            return []
        try:
            return list(session.infos().values())
        except StatusError as e:
            if e.status in (_lib.E_HANDLE, _lib.E_CLOSED):
                return []
            raise failure(e) from None

    def peer_names(self) -> list[str]:
        """The names of the peers that are up, sorted."""
        session = self._session
        if session is None:
            return []
        try:
            return sorted(session.names().values())
        except StatusError as e:
            if e.status in (_lib.E_HANDLE, _lib.E_CLOSED):
                return []
            raise failure(e) from None

    def wait_for_peers(self, count: int = 1, timeout: float = 30.0) -> bool:
        """Wait until *count* peers are up, whoever they are, up to *timeout* seconds; True if they are."""
        return self._wait(lambda session, left: session.wait_peers(max(0, count), left), timeout, count <= 0)

    def wait_for_peer(self, name: str, timeout: float = 30.0) -> bool:
        """Wait until the peer *name* is up, up to *timeout* seconds; True if it is."""
        return self._wait(lambda session, left: session.wait_peer(name, left), timeout, False)

    def _wait(self, look: Callable[[Session, float], bool], timeout: float, unstarted: bool) -> bool:
        """Look for 100 ms at a time, so that a signal is heeded; *unstarted* is the answer without a session."""
        _lib.check_fork()
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            if self._look(look, left, unstarted):
                return True
            if left <= 0:
                return False

    def _look(self, look: Callable[[Session, float], bool], seconds: float, unstarted: bool) -> bool:
        if session := self._session:
            try:
                return look(session, seconds)
            except StatusError:  # stopped meanwhile, or nobody can have the name
                pass
        time.sleep(max(0.0, min(seconds, _POLL)))
        return unstarted

    def set_peer_lifecycle(self, on_up: OnUp | None = None, on_down: OnDown | None = None) -> PeerLink:
        """Set the callbacks for peers that come and go; returns the node.

        ``on_up(name, addr, udp_port)`` and ``on_down(name, reason)`` with reason
        ``"removed"`` (it said goodbye), ``"expired"`` (it went silent) or
        ``"replaced"`` (its address is new, or another node has the name; on_up
        follows). None keeps the callback there is. They are called one after
        the other on a thread of their own; what they raise is logged.
        """
        self._lifecycle.set(on_up, on_down)
        return self

    def add_peer(self, name: str, addr: str, port: int, tcp_port: int | None = None) -> PeerLink:
        """Name a peer that discovery cannot find; returns the node.

        *addr* is an IP address or a host name, *port* the UDP port of the peer,
        *tcp_port* its TCP port if that differs. Before or after start.
        """
        _check_port("port", port)
        if tcp_port is not None:
            _check_port("tcp_port", tcp_port)
        entry = (addr, port, tcp_port or 0)
        if session := self._session:
            try:
                session.add_peer(name, *entry)
            except StatusError as e:
                raise failure(e) from None
        self._static[name] = entry
        return self

    def __repr__(self) -> str:
        return f"<PeerLink node={self.node_name!r} port={self.port} peers={self._peer_count()}>"

    # ---- details

    def _start(self) -> None:
        try:
            session = self._open()
        except StatusError as e:
            raise failure(StatusError(e.status, f"Cannot start node '{self.node_name}': {e.text}")) from None
        self._session = session
        self._finalizer = weakref.finalize(self, session.abandon)
        self._finalizer.atexit = False  # sessions see to that themselves
        if self.verbose:
            self._say_started(session)

    def _open(self) -> Session:
        options = Options(
            self.node_name,
            self.verbose,
            self._discovery,
            self._hidden,
            self._interfaces,
            self._secret,
            self._legacy,
            self._state_dir,
        )
        session = Session(options, self._handlers, self._lifecycle)
        self._add_static(session)
        self.port = session.ports[0]
        return session

    def _add_static(self, session: Session) -> None:
        try:
            for name, entry in self._static.items():
                session.add_peer(name, *entry)
        except BaseException:
            session.stop(0)
            raise

    def _started(self) -> Session:
        _lib.check_fork()
        if (session := self._session) is None:
            raise PeerLinkError(NOT_STARTED)
        return session

    def _find(self, session: Session, target: str) -> int:
        try:
            return session.find(target)
        except StatusError as e:
            raise find_failure(e, target, f"Peer '{target}' not found. Known peers: {self.peer_names()}") from None

    def _find_uuid(self, session: Session, uuid: str) -> int:
        try:
            return session.find_uuid(uuid)
        except StatusError as e:
            raise find_failure(e, uuid, f"Peer '{uuid}' not found") from None

    def _info(self, name: str, uuid: str | None) -> PeerInfo:
        """What is known of a peer; raises PeerNotFound."""
        session = self._started()
        peer = self._find(session, name) if uuid is None else self._find_uuid(session, uuid)
        try:
            return session.info(peer)
        except StatusError as e:
            raise find_failure(e, name, f"Peer '{name}' not found") from None

    def _peer_count(self) -> int:
        session = self._session
        if session is None or _lib.forked():
            return 0
        try:
            return session.peer_count()
        except StatusError:
            return 0

    def _say(self, text: str) -> None:
        if self.verbose:
            say(self.node_name, text)

    def _say_started(self, session: Session) -> None:
        udp, tcp = session.ports
        say(self.node_name, f"UDP port {udp} is bound")
        say(self.node_name, f"TCP port {tcp} is bound")
        say(self.node_name, f"🚀 Node-{self.node_name} [udp={udp} tcp={tcp}] online")


class SwarmNode(PeerLink):
    """A node that starts when it is made. A ``with`` block stops it."""

    def __init__(self, node_name: str, **kwargs: Any) -> None:
        super().__init__(node_name, **kwargs)
        self.start()


def _interface_list(interfaces: str | Iterable[str] | None) -> str | None:
    if interfaces is None or isinstance(interfaces, str):
        return interfaces
    return ",".join(interfaces)
