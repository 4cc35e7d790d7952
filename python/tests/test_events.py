from __future__ import annotations

import struct

from peerlink import _lib
from peerlink._events import parse


def record(kind: int, name: bytes, data: bytes, *, flags: int = 0, aux: int = 0) -> bytes:
    body = name + b"\0"
    body += bytes(-len(body) % 8) + data + b"\0"
    body += bytes(-len(body) % 8)
    header = struct.pack("=IHHiIQQQIHH", 48 + len(body), kind, flags, -5, len(data), 7, 8, 9, 3, len(name), aux)
    return header + body


def test_header_has_the_size_of_pl_record() -> None:
    assert struct.calcsize("=IHHiIQQQIHH") == 48


def test_parse_takes_records_apart() -> None:
    batch = record(_lib.EV_REPLY, b"ValueError", b"12345678") + record(_lib.EV_PEER_UP, b"", b"")
    first, second = parse(memoryview(batch))
    assert (first.type, first.status, first.id, first.user, first.peer) == (_lib.EV_REPLY, -5, 7, 8, 3)
    assert (first.label, first.text) == ("ValueError", "12345678")
    assert (second.type, second.name, second.data) == (_lib.EV_PEER_UP, b"", b"")


def test_a_call_names_the_function_and_the_caller() -> None:
    (named,) = parse(memoryview(record(_lib.EV_CALL, b"add\0Phone2", b"[]", aux=3)))
    assert (named.function, named.caller) == ("add", "Phone2")
    (empty,) = parse(memoryview(record(_lib.EV_CALL, b"add\0", b"[]", aux=3)))
    assert (empty.function, empty.caller) == ("add", "")
    (anonymous,) = parse(memoryview(record(_lib.EV_CALL, b"add\0", b"[]", aux=3, flags=_lib.F_NO_CALLER)))
    assert anonymous.caller is None


def test_addresses() -> None:
    def address(text: bytes) -> tuple[str, int]:
        (one,) = parse(memoryview(record(_lib.EV_PEER_UP, b"x", text)))
        return one.address

    assert address(b"192.0.2.1:49817") == ("192.0.2.1", 49817)
    assert address(b"[fe80::1%eth0]:49817") == ("fe80::1%eth0", 49817)
    assert address(b"") == ("", 0)
