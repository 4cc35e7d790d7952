"""Packets, HELLOs and frames of the native protocol, from docs/PROTOCOL.md alone.

Nothing here shares a line or an idea with the library: what the two agree on is what the document says. Everything is
pure, and raises nothing but DecodeError for whatever bytes it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar

VERSION = 1
MIN_INIT = 384
MAX_DATAGRAM = 1232  # until a HELLO allows more, §5 item 9
DEFAULT_MESSAGE = 16 << 20  # §5 item 7
MAX_HELLO = 256
MAX_ACK_RANGES = 32
MAX_NAME = 255
MAX_DELAY = 3_600_000_000  # µs
MAX_CLOSE_TEXT = 256
MAX_CLASS = 256
MAX_TEXT = 64 << 10
MAX_VARINT = 2**62 - 1
TAG = 16
AES_256_GCM = 1
CHACHA20_POLY1305 = 2


class DecodeError(ValueError):
    """The bytes are not what the document allows."""


# -- Integers ---------------------------------------------------------------------------------------------------------


class Reader:
    """Reads from the front of some bytes; whatever is missing is a DecodeError."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    def __len__(self) -> int:
        return len(self.data) - self.pos

    def take(self, size: int) -> bytes:
        """The next *size* bytes."""
        if size > len(self):
            raise DecodeError(f"{size} bytes wanted, {len(self)} left")
        self.pos += size
        return self.data[self.pos - size : self.pos]

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self))

    def uint(self, size: int) -> int:
        """A big-endian integer of *size* bytes."""
        return int.from_bytes(self.take(size), "big")

    def varint(self) -> int:
        """RFC 9000 §16; a longer form than needed is valid."""
        first = self.uint(1)
        more = (1 << (first >> 6)) - 1
        return (first & 0x3F) << (8 * more) | self.uint(more)

    def counted(self) -> bytes:
        """A varint, and as many bytes."""
        return self.take(self.varint())


def varint(value: int) -> bytes:
    """*value* in the shortest form."""
    for log, size in enumerate((1, 2, 4, 8)):
        if value < 1 << (8 * size - 2):
            return (value | log << (8 * size - 2)).to_bytes(size, "big")
    raise ValueError(f"{value} is too large for a varint")


def utf8(data: bytes) -> str:
    """*data* as text; a name and the like are nothing if they are not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as e:
        raise DecodeError("not UTF-8") from e


def lenient(data: bytes, size: int) -> str:
    """The first *size* bytes of *data*, whole characters only, as text, with U+FFFD for what is not UTF-8."""
    if len(data) > size:
        starts = [n for n in range(size, max(size - 4, -1), -1) if data[n] & 0xC0 != 0x80]
        data = data[: starts[0] if starts else size]
    return data.decode(errors="replace")


# -- First byte, §1 ---------------------------------------------------------------------------------------------------


class Dialect(IntEnum):
    """What a datagram is by its first byte."""

    NONE = 0
    JSON = 1
    NATIVE = 2


def dialect(datagram: bytes) -> Dialect:
    if datagram[:1] == b"{":
        return Dialect.JSON
    return Dialect.NATIVE if datagram and 0x04 <= datagram[0] <= 0x0F else Dialect.NONE


# -- Packets, §3, §4, §8 ----------------------------------------------------------------------------------------------


_HELLO = (33, MAX_HELLO)  # the smallest has the five required items


def _pad(packet: bytes, size: int) -> bytes:
    return packet + bytes(max(0, size - len(packet)))


def _header(kind: int, second: int, session: int) -> bytes:
    return bytes([kind, second, 0, 0]) + session.to_bytes(4, "big")


@dataclass(frozen=True)
class Init:
    """§4.1; *size* is that of the datagram, padding and all."""

    TYPE: ClassVar[int] = 0x04

    suites: int
    session: int
    realm_tag: bytes
    cookie: bytes
    noise: bytes
    size: int = MIN_INIT

    @classmethod
    def decode(cls, datagram: bytes) -> Init:
        """Padding is not looked at."""
        r = _initiation(datagram)
        return cls(r.uint(1), _skip(r, 1).uint(4), r.take(8), r.take(16), r.take(48), len(datagram))

    def encode(self) -> bytes:
        """The datagram."""
        start = bytes([self.TYPE, VERSION, self.suites, 0]) + self.session.to_bytes(4, "big")
        return _pad(start + self.realm_tag + self.cookie + self.noise, self.size)


@dataclass(frozen=True)
class OtherInit:
    """An INIT of a version that is not ours: only its first 8 bytes mean something, §4.5."""

    version: int
    session: int


@dataclass(frozen=True)
class Resp:
    """§4.2."""

    TYPE: ClassVar[int] = 0x05

    session: int
    responder: int
    noise: bytes

    @classmethod
    def decode(cls, datagram: bytes) -> Resp:
        r = _versioned(datagram)
        return cls(r.uint(4), r.uint(4), r.rest())

    def encode(self) -> bytes:
        return _header(self.TYPE, VERSION, self.session) + self.responder.to_bytes(4, "big") + self.noise


@dataclass(frozen=True)
class Fin:
    """§4.3."""

    TYPE: ClassVar[int] = 0x06

    responder: int
    noise: bytes

    @classmethod
    def decode(cls, datagram: bytes) -> Fin:
        r = _versioned(datagram)
        return cls(r.uint(4), r.rest())

    def encode(self) -> bytes:
        return _header(self.TYPE, VERSION, self.responder) + self.noise


@dataclass(frozen=True)
class Cookie:
    """§4.4."""

    TYPE: ClassVar[int] = 0x07

    session: int
    cookie: bytes

    @classmethod
    def decode(cls, datagram: bytes) -> Cookie:
        r = _versioned(datagram)
        return cls(r.uint(4), r.rest())

    def encode(self) -> bytes:
        return _header(self.TYPE, VERSION, self.session) + self.cookie


@dataclass(frozen=True)
class Data:
    """§8; *sealed* ends with the tag, *header* is the additional data."""

    TYPE: ClassVar[int] = 0x08

    phase: int
    session: int
    number: int
    sealed: bytes
    flags: int = field(default=0, compare=False)  # as received

    @classmethod
    def decode(cls, datagram: bytes) -> Data:
        r = Reader(datagram)
        flags = _skip(r, 1).uint(1)
        packet = cls(flags & 1, _skip(r, 2).uint(4), r.uint(8), r.rest(), flags)
        if packet.number > MAX_VARINT:
            raise DecodeError(f"number {packet.number}")
        return packet

    def encode(self) -> bytes:
        return data_header(self.phase, self.session, self.number) + self.sealed


def data_header(phase: int, session: int, number: int) -> bytes:
    return _header(Data.TYPE, phase & 1, session) + number.to_bytes(8, "big")


@dataclass(frozen=True)
class Versions:
    """§4.5."""

    TYPE: ClassVar[int] = 0x09

    session: int
    versions: tuple[int, ...]

    @classmethod
    def decode(cls, datagram: bytes) -> Versions:
        r = Reader(datagram)
        count = _skip(r, 1).uint(1)
        session = _skip(r, 2).uint(4)
        if not 1 <= count <= 32 or count != len(r):
            raise DecodeError(f"{count} versions in {len(r)} bytes")
        return cls(session, tuple(r.rest()))

    def encode(self) -> bytes:
        return _header(self.TYPE, len(self.versions), self.session) + bytes(self.versions)


@dataclass(frozen=True)
class Resume:
    """§4.6."""

    TYPE: ClassVar[int] = 0x0A

    suites: int
    session: int
    realm_tag: bytes
    cookie: bytes
    ticket: bytes
    noise: bytes
    size: int = MIN_INIT

    @classmethod
    def decode(cls, datagram: bytes) -> Resume:
        r = _initiation(datagram)
        suites, session = r.uint(1), _skip(r, 1).uint(4)
        tag, cookie, ticket, noise = r.take(8), r.take(16), r.take(16), r.take(r.uint(2))
        if not _HELLO[0] <= len(noise) - 96 <= _HELLO[1]:
            raise DecodeError(f"no HELLO in {len(noise)} bytes")
        return cls(suites, session, tag, cookie, ticket, noise, len(datagram))

    def encode(self) -> bytes:
        start = bytes([self.TYPE, VERSION, self.suites, 0]) + self.session.to_bytes(4, "big")
        length = len(self.noise).to_bytes(2, "big")
        return _pad(start + self.realm_tag + self.cookie + self.ticket + length + self.noise, self.size)


@dataclass(frozen=True)
class Resumed(Resp):
    """§4.6; laid out like RESP."""

    TYPE: ClassVar[int] = 0x0B

    @classmethod
    def decode(cls, datagram: bytes) -> Resumed:
        r = _versioned(datagram)
        return cls(r.uint(4), r.uint(4), r.rest())


Sent = Init | Resp | Fin | Cookie | Data | Versions | Resume | Resumed
Packet = Sent | OtherInit

# The smallest and largest of each type.
_SIZES: dict[int, tuple[int, int, Callable[[bytes], Packet]]] = {
    Init.TYPE: (MIN_INIT, MAX_DATAGRAM, Init.decode),
    Resp.TYPE: (12 + 96 + _HELLO[0], 12 + 96 + _HELLO[1], Resp.decode),
    Fin.TYPE: (8 + 64 + _HELLO[0], 8 + 64 + _HELLO[1], Fin.decode),
    Cookie.TYPE: (24, 24, Cookie.decode),
    Data.TYPE: (33, 0xFFFF, Data.decode),
    Versions.TYPE: (9, 40, Versions.decode),
    Resume.TYPE: (MIN_INIT, MAX_DATAGRAM, Resume.decode),
    Resumed.TYPE: (12 + 48 + _HELLO[0], 12 + 48 + _HELLO[1], Resumed.decode),
}


def decode_packet(datagram: bytes) -> Packet:
    """One datagram; DecodeError if it is to be dropped."""
    if not datagram or datagram[0] not in _SIZES:
        raise DecodeError("not a packet of this protocol")
    least, most, decode = _SIZES[datagram[0]]
    if datagram[0] == Init.TYPE and len(datagram) >= MIN_INIT and datagram[1] != VERSION:
        packet: Packet = OtherInit(datagram[1], int.from_bytes(datagram[4:8], "big"))
    elif least <= len(datagram) <= most:
        packet = decode(datagram)
    else:
        raise DecodeError(f"{len(datagram)} bytes, type {datagram[0]}")
    if _own_number(packet) == 0:
        raise DecodeError("session number 0")
    return packet


def _own_number(packet: Packet) -> int | None:
    """The session number that the sender chose for itself; None if the packet has none."""
    if isinstance(packet, Init | OtherInit | Resume):
        return packet.session
    return packet.responder if isinstance(packet, Resp) else None


def _skip(r: Reader, size: int) -> Reader:
    r.take(size)
    return r


def _initiation(datagram: bytes) -> Reader:
    """Behind type and version."""
    r = _skip(Reader(datagram), 1)
    if r.uint(1) != VERSION:
        raise DecodeError("another version")
    return r


def _versioned(datagram: bytes) -> Reader:
    """Behind type, version and the reserved field."""
    return _skip(_initiation(datagram), 2)


# -- HELLO, §5 --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hello:
    """The items by name; what is None was absent."""

    session: int
    suites: int
    instance: bytes
    name: str
    versions: tuple[int, ...]
    software: str | None = None
    tcp_port: int | None = None
    max_message: int | None = None
    max_udp: int | None = None
    unknown: tuple[tuple[int, bytes], ...] = ()

    @property
    def message_limit(self) -> int:
        """Of arguments and results that the sender takes, in bytes."""
        return DEFAULT_MESSAGE if self.max_message is None else self.max_message

    @property
    def udp_limit(self) -> int:
        """Of UDP payloads that the sender takes, in bytes."""
        return max(self.max_udp or 0, MAX_DATAGRAM)

    def encode(self) -> bytes:
        """In ascending order of types, all varints in their shortest form."""
        items: list[tuple[int, bytes | None]] = [
            (1, self.session.to_bytes(4, "big")),
            (2, bytes([self.suites])),
            (3, self.instance),
            (4, self.name.encode()),
            (5, None if self.software is None else self.software.encode()),
            (6, None if self.tcp_port is None else self.tcp_port.to_bytes(2, "big")),
            (7, None if self.max_message is None else varint(self.max_message)),
            (9, None if self.max_udp is None else self.max_udp.to_bytes(2, "big")),
            (10, bytes(self.versions)),
            *self.unknown,
        ]
        items.sort(key=lambda item: item[0])
        return b"".join(varint(kind) + varint(len(value)) + value for kind, value in items if value is not None)


_LENGTHS = {1: (4, 4), 2: (1, 1), 3: (16, 16), 4: (1, 63), 5: (0, 32), 6: (2, 2), 7: (1, 8), 9: (2, 2), 10: (1, 32)}
_REQUIRED = (1, 2, 3, 4, 10)


def decode_hello(data: bytes) -> Hello:
    """A payload of a handshake; DecodeError makes the handshake fail."""
    items, unknown = _hello_items(data)
    if missing := [kind for kind in _REQUIRED if kind not in items]:
        raise DecodeError(f"items {missing} are missing")
    if not any(items[1]):
        raise DecodeError("session number 0")
    return Hello(
        session=_uint(items[1]),
        suites=items[2][0],
        instance=items[3],
        name=utf8(items[4]),
        versions=tuple(items[10]),
        software=utf8(items[5]) if 5 in items else None,
        tcp_port=_uint(items[6]) if 6 in items else None,
        max_message=_whole_varint(items[7]) if 7 in items else None,
        max_udp=_uint(items[9]) if 9 in items else None,
        unknown=tuple(unknown),
    )


def _hello_items(data: bytes) -> tuple[dict[int, bytes], list[tuple[int, bytes]]]:
    if len(data) > MAX_HELLO:
        raise DecodeError(f"a HELLO of {len(data)} bytes")
    known: dict[int, bytes] = {}
    unknown: list[tuple[int, bytes]] = []
    r = Reader(data)
    while r:
        kind, value = r.varint(), r.counted()
        if kind not in _LENGTHS:
            unknown.append((kind, value))
            continue
        least, most = _LENGTHS[kind]
        if kind in known or not least <= len(value) <= most:
            raise DecodeError(f"item {kind} is given twice, or has the wrong length {len(value)}")
        known[kind] = value
    return known, unknown


def _uint(value: bytes) -> int:
    return int.from_bytes(value, "big")


def _whole_varint(value: bytes) -> int:
    r = Reader(value)
    number = r.varint()
    if r:
        raise DecodeError("bytes behind a varint")
    return number


# -- Frames, §9, §10.1 ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Padding:
    """§9; one for each zero byte."""

    TYPE: ClassVar[int] = 0x00

    def body(self) -> bytes:
        return b""


@dataclass(frozen=True)
class Ping:
    TYPE: ClassVar[int] = 0x01

    @classmethod
    def decode(cls, _: Reader) -> Ping:
        return cls()

    def body(self) -> bytes:
        return b""


@dataclass(frozen=True)
class Ack:
    """§10.1; *ranges* are (lowest, highest) packet numbers, newest first; *delay* is in microseconds."""

    TYPE: ClassVar[int] = 0x02

    delay: int
    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def decode(cls, r: Reader) -> Ack:
        highest, delay, count, length = r.varint(), r.varint(), r.varint(), r.varint()
        if count >= MAX_ACK_RANGES:
            raise DecodeError(f"{count} ranges more")
        ranges = [_ack_range(highest, length)]
        for _ in range(count):
            gap, length = r.varint(), r.varint()
            # RFC 9000: the gap is one less than the packets between the ranges.
            ranges.append(_ack_range(ranges[-1][0] - gap - 2, length))
        return cls(min(delay, MAX_DELAY), tuple(ranges))

    def body(self) -> bytes:
        lowest, highest = self.ranges[0]
        out = [highest, self.delay, len(self.ranges) - 1, highest - lowest]
        for low, high in self.ranges[1:]:
            out += [lowest - high - 2, high - low]
            lowest = low
        return b"".join(map(varint, out))


def _ack_range(highest: int, length: int) -> tuple[int, int]:
    if not 0 <= length <= highest:
        raise DecodeError("a range below packet 0")
    return highest - length, highest


class Codec(IntEnum):
    """What the data of a call is."""

    NONE = 0
    JSON = 1
    CBOR = 2


@dataclass(frozen=True)
class Call:
    """§9.1; *timeout* in milliseconds, 0 for none."""

    TYPE: ClassVar[int] = 0x03

    id: int
    timeout: int
    codec: int
    name: str
    total: int
    data: bytes

    @classmethod
    def decode(cls, r: Reader) -> Call:
        call = cls(_call_id(r), r.varint(), r.uint(1), utf8(_name(r)), r.varint(), r.rest())
        _check_end(0, len(call.data), call.total)
        return call

    def body(self) -> bytes:
        name = self.name.encode()
        start = varint(self.id) + varint(self.timeout) + bytes([self.codec]) + varint(len(name)) + name
        return start + varint(self.total) + self.data


def _call_id(r: Reader) -> int:
    number = r.varint()
    if number == 0:
        raise DecodeError("a call without a number")
    return number


def _name(r: Reader) -> bytes:
    name = r.counted()
    if len(name) > MAX_NAME:
        raise DecodeError(f"a name of {len(name)} bytes")
    return name


def _check_end(offset: int, length: int, total: int) -> None:
    if offset + length > total:
        raise DecodeError(f"bytes to {offset + length} of {total}")


@dataclass(frozen=True)
class More:
    """§9.1; *direction* is 0 for arguments, 1 for a result."""

    TYPE: ClassVar[int] = 0x04

    direction: int
    id: int
    total: int
    offset: int
    data: bytes

    @classmethod
    def decode(cls, r: Reader) -> More:
        more = cls(r.uint(1), _call_id(r), r.varint(), r.varint(), r.rest())
        if more.direction > 1:
            raise DecodeError(f"direction {more.direction}")
        _check_end(more.offset, len(more.data), more.total)
        return more

    def body(self) -> bytes:
        return bytes([self.direction]) + b"".join(map(varint, (self.id, self.total, self.offset))) + self.data


@dataclass(frozen=True)
class Reply:
    """§9.1; *status* is 0 for a result."""

    TYPE: ClassVar[int] = 0x05

    id: int
    status: int
    codec: int
    total: int
    data: bytes

    @classmethod
    def decode(cls, r: Reader) -> Reply:
        reply = cls(_call_id(r), r.varint(), r.uint(1), r.varint(), r.rest())
        _check_end(0, len(reply.data), reply.total)
        return reply

    def body(self) -> bytes:
        return varint(self.id) + varint(self.status) + bytes([self.codec]) + varint(self.total) + self.data


def decode_failure(data: bytes) -> tuple[str, str]:
    """Type and message of a REPLY whose status is not 0, from all of its data."""
    r = Reader(data)
    try:
        return lenient(r.counted(), MAX_CLASS), lenient(r.rest(), MAX_TEXT)
    except DecodeError:
        return "", lenient(data, MAX_TEXT)


@dataclass(frozen=True)
class Working:
    TYPE: ClassVar[int] = 0x06

    id: int

    @classmethod
    def decode(cls, r: Reader) -> Working:
        return cls(_call_id(r))

    def body(self) -> bytes:
        return varint(self.id)


@dataclass(frozen=True)
class Cancel:
    TYPE: ClassVar[int] = 0x07

    id: int

    @classmethod
    def decode(cls, r: Reader) -> Cancel:
        return cls(_call_id(r))

    def body(self) -> bytes:
        return varint(self.id)


@dataclass(frozen=True)
class PathChallenge:
    TYPE: ClassVar[int] = 0x08

    data: bytes

    @classmethod
    def decode(cls, r: Reader) -> PathChallenge:
        return cls(r.take(8))

    def body(self) -> bytes:
        return self.data


@dataclass(frozen=True)
class PathResponse:
    TYPE: ClassVar[int] = 0x09

    data: bytes

    @classmethod
    def decode(cls, r: Reader) -> PathResponse:
        return cls(r.take(8))

    def body(self) -> bytes:
        return self.data


@dataclass(frozen=True)
class Close:
    """§9.2."""

    TYPE: ClassVar[int] = 0x0A

    code: int
    text: str

    @classmethod
    def decode(cls, r: Reader) -> Close:
        return cls(r.varint(), lenient(r.rest(), MAX_CLOSE_TEXT))

    def body(self) -> bytes:
        return varint(self.code) + self.text.encode()


@dataclass(frozen=True)
class Unknown:
    """A frame that a later version may know."""

    TYPE: int
    data: bytes = field(repr=False)

    def body(self) -> bytes:
        return self.data


Frame = (
    Padding | Ping | Ack | Call | More | Reply | Working | Cancel | PathChallenge | PathResponse | Close | Unknown
)  # fmt: skip

_FRAMES: dict[int, Callable[[Reader], Frame]] = {
    Ping.TYPE: Ping.decode,
    Ack.TYPE: Ack.decode,
    Call.TYPE: Call.decode,
    More.TYPE: More.decode,
    Reply.TYPE: Reply.decode,
    Working.TYPE: Working.decode,
    Cancel.TYPE: Cancel.decode,
    PathChallenge.TYPE: PathChallenge.decode,
    PathResponse.TYPE: PathResponse.decode,
    Close.TYPE: Close.decode,
}


def decode_frames(plaintext: bytes) -> tuple[list[Frame], DecodeError | None]:
    """The frames of a packet up to the first that is broken, and what is wrong with that one."""
    frames: list[Frame] = []
    r = Reader(plaintext)
    while r:
        try:
            frames.append(decode_frame(r))
        except DecodeError as e:
            return frames, e
    return frames, None


def decode_frame(r: Reader) -> Frame:
    """The next frame."""
    if r.data[r.pos : r.pos + 1] == b"\0":
        r.take(1)
        return Padding()
    kind, body = r.varint(), r.counted()
    if kind == Padding.TYPE:
        raise DecodeError("PADDING in a longer form")
    decode = _FRAMES.get(kind)
    return decode(Reader(body)) if decode else Unknown(kind, body)


def encode_frames(*frames: Frame) -> bytes:
    return b"".join(b"\0" if isinstance(f, Padding) else _frame(f.TYPE, f.body()) for f in frames)


def _frame(kind: int, body: bytes) -> bytes:
    return varint(kind) + varint(len(body)) + body


def wants_ack(frames: list[Frame], broken: DecodeError | None) -> bool:
    """Whether the packet of these frames is to be acknowledged; a broken frame counts as one that is."""
    return broken is not None or any(not isinstance(f, Ack | Close | Padding) for f in frames)
