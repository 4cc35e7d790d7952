"""The second implementation against the RFCs and against itself, before it judges the first."""

from __future__ import annotations

import random

import pytest

import crypto
import decoder as d

SIZES = {0: 1, 63: 1, 64: 2, 16383: 2, 16384: 4, 2**30 - 1: 4, 2**30: 8, d.MAX_VARINT: 8}
NOISE = bytes(range(48))
HELLO = d.Hello(7, 3, bytes(16), "käse", (1,), "2.0.0", 8080, 1 << 20, 1452, ((11, b""), (300, b"later")))

PACKETS: list[d.Sent] = [
    d.Init(3, 1, bytes(8), bytes(16), NOISE),
    d.Init(2, 1, b"8 bytes!", bytes(range(16)), NOISE, d.MAX_DATAGRAM),
    d.Resp(1, 2, bytes(129)),
    d.Fin(2, bytes(97)),
    d.Cookie(1, bytes(range(16))),
    d.Data(1, 2**32 - 1, 2**62 - 1, bytes(17), 1),
    d.Versions(1, (1, 255)),
    d.Resume(3, 1, bytes(8), bytes(16), bytes(16), bytes(129)),
    d.Resume(3, 1, bytes(8), bytes(16), bytes(16), bytes(352), 402),
    d.Resumed(1, 2, bytes(93)),
]

FRAMES: list[d.Frame] = [
    d.Padding(),
    d.Ping(),
    d.Ack(25, ((10, 20), (5, 8), (0, 3))),
    d.Call(1, 5000, d.Codec.CBOR, "add", 3, b"\x82\x01\x02"),
    d.Call(2**62 - 1, 0, d.Codec.NONE, "", 0, b""),
    d.More(1, 1, 70000, 69999, b"x"),
    d.Reply(1, 0, d.Codec.JSON, 100, b"[1,"),
    d.Reply(1, 6, d.Codec.NONE, 12, b"\x04TypeErrorno"),
    d.Working(64),
    d.Cancel(16384),
    d.PathChallenge(bytes(range(8))),
    d.PathResponse(bytes(range(8))),
    d.Close(2, "bye"),
    d.Unknown(0x30, b"later"),
]


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        ("c2197c5eff14e88c", 151_288_809_941_952_652),
        ("9d7f3e7d", 494_878_333),
        ("7bbd", 15293),
        ("25", 37),
        ("4025", 37),
    ],
)
def test_varints_of_rfc_9000(encoded: str, value: int) -> None:
    assert d.Reader(bytes.fromhex(encoded)).varint() == value


@pytest.mark.parametrize(("value", "size"), SIZES.items())
def test_varint_is_as_short_as_can_be(value: int, size: int) -> None:
    r = d.Reader(d.varint(value))
    assert (len(r), r.varint(), len(r)) == (size, value, 0)


@pytest.mark.parametrize("packet", PACKETS, ids=lambda p: type(p).__name__)
def test_packets_come_back(packet: d.Sent) -> None:
    assert d.decode_packet(packet.encode()) == packet


@pytest.mark.parametrize("packet", PACKETS, ids=lambda p: type(p).__name__)
def test_packets_have_a_least_size(packet: d.Sent) -> None:
    datagram = packet.encode()
    least = {4: 384, 5: 141, 6: 105, 7: 24, 8: 33, 9: 10, 10: 384, 11: 93}[datagram[0]]
    for size in range(least):
        with pytest.raises(d.DecodeError):
            d.decode_packet(datagram[:size])


@pytest.mark.parametrize(
    ("packet", "ok"),
    [
        (d.Init(3, 0, bytes(8), bytes(16), NOISE), False),
        (d.Resume(3, 0, bytes(8), bytes(16), bytes(16), bytes(129)), False),
        (d.Resume(3, 1, bytes(8), bytes(16), bytes(16), bytes(128)), False),
        (d.Resume(3, 1, bytes(8), bytes(16), bytes(16), bytes(353), 500), False),
        (d.Resp(1, 0, bytes(129)), False),
        (d.Resp(0, 1, bytes(129)), True),  # names nothing at its receiver
        (d.Resumed(1, 0, bytes(93)), False),
        (d.Fin(0, bytes(97)), True),
        (d.Data(0, 0, 0, bytes(17)), True),
    ],
)
def test_numbers_and_noise_messages_that_cannot_be(packet: d.Sent, ok: bool) -> None:
    if ok:
        assert d.decode_packet(packet.encode()) == packet
        return
    with pytest.raises(d.DecodeError):
        d.decode_packet(packet.encode())


def test_texts_for_people_are_cut_and_replaced() -> None:
    frames, broken = d.decode_frames(bytes.fromhex("0a0402 61ff62"))
    assert (frames, broken) == ([d.Close(2, "a\ufffdb")], None)
    assert d.decode_failure(b"\x41\x2c" + b"c" * 300 + b"t" * 70_000) == ("c" * 256, "t" * 65536)


def test_an_hour_is_the_longest_delay() -> None:
    ack = d.encode_frames(d.Ack(2**61, ((0, 0),)))
    assert d.decode_frames(ack) == ([d.Ack(3_600_000_000, ((0, 0),))], None)


def test_a_longer_form_of_type_0_ends_the_packet() -> None:
    frames, broken = d.decode_frames(bytes.fromhex("0100 4000 02 0101 0100"))
    assert frames == [d.Ping()]
    assert broken is not None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("a\u00fc".encode(), "a\u00fc"),
        ("abc\u00fc".encode(), "abc"),
        ("ab\u4e16".encode(), "ab"),
        (b"\xff" + b"abcdef", "\ufffdabc"),
    ],
)
def test_texts_are_cut_between_characters(data: bytes, text: str) -> None:
    assert d.lenient(data, 4) == text


def test_an_error_without_a_class_is_all_text() -> None:
    assert d.decode_failure(b"\x09ab") == ("", "\tab")
    assert d.decode_failure(b"") == ("", "")


def test_hello_comes_back() -> None:
    assert d.decode_hello(HELLO.encode()) == HELLO


def test_hello_fails_if_cut() -> None:
    encoded = HELLO.encode()
    whole = {encoded.index(b"\x0b\x00"), encoded.index(b"\x0b\x00") + 2}  # between the items that nobody knows
    for size in set(range(len(encoded))) - whole:
        with pytest.raises(d.DecodeError):
            d.decode_hello(encoded[:size])


@pytest.mark.parametrize("frame", FRAMES, ids=lambda f: type(f).__name__)
def test_frames_come_back(frame: d.Frame) -> None:
    assert d.decode_frames(d.encode_frames(frame)) == ([frame], None)


def test_the_rest_behind_a_broken_frame_is_dropped() -> None:
    good = d.encode_frames(*FRAMES)
    frames, broken = d.decode_frames(good + bytes.fromhex("0801aa") + good)
    assert frames == FRAMES
    assert broken is not None


@pytest.mark.parametrize("frame", [f for f in FRAMES if not isinstance(f, d.Call | d.More | d.Reply | d.Close)])
def test_bytes_behind_the_fields_are_skipped(frame: d.Frame) -> None:
    if isinstance(frame, d.Padding | d.Unknown):
        return
    body = frame.body() + b"later"
    assert d.decode_frames(d.varint(frame.TYPE) + d.varint(len(body)) + body) == ([frame], None)


def test_noise_in_gives_nothing_but_decode_errors() -> None:
    rng = random.Random(1)
    seeds = [p.encode() for p in PACKETS] + [HELLO.encode(), d.encode_frames(*FRAMES)]
    for _ in range(20_000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 0x40, 0x7F, 0xC0, 0xFF, rng.randrange(256)))
        cut = bytes(data[: rng.randint(0, len(data))])
        for decode in (d.decode_packet, d.decode_hello, d.decode_failure):
            try:
                decode(cut)
            except d.DecodeError:
                pass
        d.decode_frames(cut)


def test_hkdf_of_rfc_5869() -> None:
    prk = crypto.hkdf_extract(bytes(range(13)), b"\x0b" * 22)
    assert prk.hex() == "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"


@pytest.mark.parametrize("name", [crypto.XX, crypto.IK])
def test_both_sides_of_a_handshake_agree(name: str) -> None:
    known = crypto.public_key(b"\x02" * 32) if name == crypto.IK else None
    a = crypto.Handshake(name, True, b"p", bytes(32), b"\x01" * 32, b"\x03" * 32, known)
    b = crypto.Handshake(name, False, b"p", bytes(32), b"\x02" * 32, b"\x04" * 32)
    writer, reader = a, b
    while not a.done:
        assert reader.read(writer.write(b"payload")) == b"payload"
        writer, reader = reader, writer
    assert a.finish() == b.finish()
    assert b.remote == crypto.public_key(b"\x01" * 32)
    assert a.remote == crypto.public_key(b"\x02" * 32)


def test_another_psk_does_not_verify() -> None:
    a = crypto.Handshake(crypto.XX, True, b"", bytes(32), b"\x01" * 32, b"\x03" * 32)
    b = crypto.Handshake(crypto.XX, False, b"", b"\x01" * 32, b"\x02" * 32, b"\x04" * 32)
    b.read(a.write(b""))
    a.read(b.write(b""))
    with pytest.raises(crypto.CryptoError):
        b.read(a.write(b""))


def test_a_point_of_low_order_does_not_verify() -> None:
    b = crypto.Handshake(crypto.XX, False, b"", bytes(32), b"\x02" * 32, b"\x04" * 32)
    a = crypto.Handshake(crypto.XX, True, b"", bytes(32), b"\x01" * 32, b"\x03" * 32)
    a.write(b"")
    with pytest.raises(crypto.CryptoError):
        a.read(bytes(32) + b.ephemeral * 3)


@pytest.mark.parametrize("suite", [d.AES_256_GCM, d.CHACHA20_POLY1305])
def test_what_is_sealed_opens_if_nothing_changed(suite: int) -> None:
    keys = crypto.PhaseKeys.of(suite, crypto.traffic_secret(bytes(32), 1), 1)
    datagram = keys.seal(5, 2**40, b"\x01\x00")
    assert keys.open(datagram) == b"\x01\x00"
    for i in range(len(datagram)):
        with pytest.raises(crypto.CryptoError):
            keys.open(datagram[:i] + bytes([datagram[i] ^ 1]) + datagram[i + 1 :])
