"""The C library, by ctypes: where it is, what its functions take, and fork.

Nothing is loaded before the first node starts. Calls go through CDLL and hence
without the interpreter lock. See bind/capi/peerlink.h for the contract.
"""

from __future__ import annotations

import ctypes
import os
import sys
import sysconfig
import threading
import weakref
from ctypes import POINTER, c_char, c_char_p, c_int32, c_int64, c_size_t, c_uint16, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any, Final, Protocol

from .errors import PeerLinkError

ABI: Final = 1
FOREVER: Final = 0xFFFFFFFF
PEER_ALL: Final = 0xFFFFFFFF

OK: Final = 0
E_CLOSED: Final = -2
E_PEER_NOT_FOUND: Final = -3
E_AMBIGUOUS: Final = -4
E_TIMEOUT: Final = -5
E_REMOTE: Final = -6
E_TOO_LARGE: Final = -7
E_OVERLOADED: Final = -9
E_UNAUTHENTICATED: Final = -10
E_NO_HANDLER: Final = -11
E_INVALID: Final = -12
E_IO: Final = -13
E_GONE: Final = -18
E_HANDLE: Final = -64
E_STATE: Final = -65
E_AGAIN: Final = -66
E_FORKED: Final = -68

EV_STARTED: Final = 1
EV_LOG: Final = 3
EV_DROPPED: Final = 4
EV_RENAMED: Final = 5
EV_PEER_UP: Final = 16
EV_PEER_MOVED: Final = 17
EV_PEER_DOWN: Final = 18
EV_PEER_REPLACED: Final = 19
EV_CALL: Final = 32
EV_REPLY: Final = 33
EV_REPLIES_END: Final = 34

F_NO_CALLER: Final = 1
REASONS: Final = {1: "removed", 2: "expired", 3: "replaced"}
JSON: Final = 1
DISC_AUTO: Final = 0
DISC_OFF: Final = 4
HIDDEN: Final = 1
LEGACY_DEFAULT: Final = 0
LEGACY_OFF: Final = 1
LEGACY_ON: Final = 2
PEER_LEGACY: Final = 2
PEER_ENCRYPTED: Final = 8
PEER_AUTHENTICATED: Final = 16
SECRET_MAX: Final = 1024
LOG_WARN: Final = 2

FORK_TEXT: Final = (
    "PeerLink cannot be used after fork: nodes stay with the parent process. "
    "Start nodes in the child before the parent has any, or use the multiprocessing start method 'spawn'."
)

_FILES: Final = {"win32": "peerlink.dll", "darwin": "libpeerlink.dylib"}


class Config(ctypes.Structure):
    """pl_config."""

    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("name", c_char_p),
        ("interfaces", c_char_p),
        ("discovery", c_uint32),
        ("codec", c_uint32),
        ("udp_port", c_uint16),
        ("tcp_port", c_uint16),
        ("inbound_bytes", c_uint32),
        ("outbound_bytes", c_uint32),
        ("log_level", c_uint32),
        ("allow_legacy", c_uint32),
        ("secret", c_char_p),
        ("state_dir", c_char_p),
    ]


class PeerRecord(ctypes.Structure):
    """pl_peer_info."""

    _fields_ = [
        ("size", c_uint32),
        ("peer", c_uint32),
        ("id", c_char * 40),
        ("name", c_char * 64),
        ("addr", c_char * 64),
        ("udp_port", c_uint16),
        ("tcp_port", c_uint16),
        ("flags", c_uint32),
        ("rtt_us", c_uint32),
        ("loss_ppm", c_uint32),
        ("fingerprint", c_char * 72),
    ]


_SIGNATURES: Final[dict[str, tuple[Any, list[Any]]]] = {
    "pl_abi": (c_uint32, []),
    "pl_version": (c_char_p, []),
    "pl_strstatus": (c_char_p, [c_int32]),
    "pl_last_error": (c_size_t, [c_void_p, c_size_t]),
    "pl_secret_new": (c_int32, [c_void_p, c_size_t]),
    "pl_config_init": (None, [POINTER(Config)]),
    "pl_open": (c_int32, [POINTER(Config), POINTER(c_uint64)]),
    "pl_start": (c_int32, [c_uint64]),
    "pl_stop": (c_int32, [c_uint64, c_uint32]),
    "pl_close": (c_int32, [c_uint64]),
    "pl_ports": (c_int32, [c_uint64, POINTER(c_uint16), POINTER(c_uint16)]),
    "pl_fingerprint": (c_int32, [c_uint64, c_void_p, c_size_t]),
    "pl_drain": (c_int64, [c_uint64, c_void_p, c_size_t, POINTER(c_uint32)]),
    "pl_wait": (c_int32, [c_uint64, c_uint32]),
    "pl_call": (c_int32, [c_uint64, c_uint32, c_char_p, c_char_p, c_uint32, c_uint32, c_uint64, POINTER(c_uint64)]),
    "pl_cancel": (c_int32, [c_uint64, c_uint64]),
    "pl_reply_now": (c_int32, [c_uint64, c_uint64, c_char_p, c_uint32]),
    "pl_reply_error_now": (c_int32, [c_uint64, c_uint64, c_char_p, c_char_p]),
    "pl_call_wanted": (c_int32, [c_uint64, c_uint64]),
    "pl_register": (c_int32, [c_uint64, c_char_p]),
    "pl_peer_add": (c_int32, [c_uint64, c_char_p, c_char_p, c_uint16, c_uint16, POINTER(c_uint32)]),
    "pl_peer_find": (c_int32, [c_uint64, c_char_p, POINTER(c_uint32)]),
    "pl_peer_get": (c_int32, [c_uint64, c_uint32, POINTER(PeerRecord)]),
    "pl_peer_list": (c_int32, [c_uint64, POINTER(c_uint32), c_uint32]),
    "pl_call_wait": (
        c_int32,
        [
            *[c_uint64, c_uint32, c_char_p, c_char_p, c_uint32],
            *[c_uint32, c_uint32, POINTER(c_uint64), c_void_p, c_uint32, POINTER(c_uint32)],
        ],
    ),
    "pl_wait_peers": (c_int32, [c_uint64, c_uint32, c_uint32]),
    "pl_wait_peer": (c_int32, [c_uint64, c_char_p, c_uint32, POINTER(c_uint32)]),
}


class StatusError(Exception):
    """A negative pl_status, with the text that belongs to it. Never leaves the package."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class ForkAware(Protocol):
    """What wants to know that it now lives in a forked child."""

    def after_fork(self) -> None:
        """Called in the child, before anything else of this package."""


_lock = threading.Lock()
_loaded: ctypes.CDLL | None = None
_forked = False
_watchers: weakref.WeakSet[ForkAware] = weakref.WeakSet()


def load() -> ctypes.CDLL:
    """Return the library, loading it on the first call.

    Raises ImportError if it is missing or of another ABI, and PeerLinkError in
    a forked child of a process that had loaded it.
    """
    global _loaded
    check_fork()
    with _lock:
        if _loaded is None:
            _loaded = _open(library_path())
        return _loaded


def library_path() -> str:
    """The path in PEERLINK_LIBRARY, else that of the library inside the package."""
    ready = os.environ.get("PEERLINK_LIBRARY")
    return ready or str(Path(__file__).parent / "_lib" / _FILES.get(sys.platform, "libpeerlink.so"))


def check_fork() -> None:
    """Raise PeerLinkError if this process was forked from one that had loaded the library."""
    if _forked:
        raise PeerLinkError(FORK_TEXT)


def forked() -> bool:
    """True in a forked child of a process that had loaded the library."""
    return _forked


def watch_fork(watcher: ForkAware) -> None:
    """Have *watcher* told in forked children. It is held weakly."""
    _watchers.add(watcher)


def last_error(lib: ctypes.CDLL, status: int) -> str:
    """The text of the call of this thread that has just failed with *status*."""
    buf = ctypes.create_string_buffer(512)
    length = lib.pl_last_error(buf, len(buf))
    if length >= len(buf):
        buf = ctypes.create_string_buffer(length + 1)
        lib.pl_last_error(buf, len(buf))
    return buf.value.decode("utf-8", "replace") or status_text(lib, status)


def status_text(lib: ctypes.CDLL, status: int) -> str:
    """What *status* means, in general."""
    text: bytes = lib.pl_strstatus(status)
    return text.decode("utf-8", "replace")


def check(lib: ctypes.CDLL, status: int) -> int:
    """Return *status* if it is not an error, else raise StatusError."""
    if status < 0:
        raise StatusError(status, last_error(lib, status))
    return status


def c_text(text: str, limit: int | None = None) -> bytes:
    """*text* for a NUL-terminated UTF-8 parameter; raises StatusError if it cannot be one.

    With *limit* it has 1 to *limit* bytes.
    """
    if "\0" in text:
        raise StatusError(E_INVALID, "a name must not contain a NUL character")
    try:
        encoded = text.encode("utf-8")
    except UnicodeEncodeError:
        raise StatusError(E_INVALID, "a name must not contain surrogates") from None
    if limit is not None and not 1 <= len(encoded) <= limit:
        raise StatusError(E_INVALID, f"a name has 1 to {limit} bytes of UTF-8")
    return encoded


def _open(path: str) -> ctypes.CDLL:
    try:
        lib = ctypes.CDLL(path)
    except OSError as e:
        raise ImportError(f"peerlink: cannot load its library: {e}{_musl_hint()}") from e
    for name, (restype, argtypes) in _SIGNATURES.items():
        try:
            function = getattr(lib, name)
        except AttributeError as e:
            raise ImportError(f"peerlink: {path} lacks {name}: it belongs to another version") from e
        function.restype, function.argtypes = restype, argtypes
        if name == "pl_abi" and (abi := function()) != ABI:
            raise ImportError(f"peerlink: {path} has ABI {abi}, this package needs {ABI}")
    return lib


def _musl_hint() -> str:
    if "musl" not in str(sysconfig.get_config_var("HOST_GNU_TYPE") or ""):
        return ""
    return " (on musl, as in Alpine, Go libraries cannot be loaded: https://go.dev/issue/54805; use a glibc system)"


def _after_fork_in_child() -> None:
    global _forked, _lock
    _lock = threading.Lock()  # another thread may have held it
    _forked = _forked or _loaded is not None
    for watcher in list(_watchers):
        watcher.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
