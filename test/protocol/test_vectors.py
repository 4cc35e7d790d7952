"""The golden vectors of the library against the second implementation: what the two read alike, the document says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import crypto
import decoder as d
from receiver import Receiver

INTERNAL = Path(__file__).parents[2] / "core" / "internal"

Vector = dict[str, Any]


def load(package: str, file: str) -> Any:
    vectors = json.loads((INTERNAL / package / "testdata" / "golden" / file).read_text("utf-8"))
    assert vectors, file
    return vectors


def named(vectors: list[Vector]) -> list[Any]:
    return [pytest.param(v, id=v["name"]) for v in vectors]


# -- What the decoder makes of it, as the vectors spell it ------------------------------------------------------------


def packet_fields(p: d.Packet) -> Vector:
    match p:
        case d.OtherInit():
            return {"type": "INIT", "version": p.version, "session_number": p.session}
        case d.Init() | d.Resume():
            return initiation_fields(p)
        case d.Resp():
            numbers = {"initiator_session_number": p.session, "responder_session_number": p.responder}
            return {"type": type(p).__name__.upper(), "version": 1, **numbers, "noise_message": p.noise.hex()}
        case d.Fin():
            noise = p.noise.hex()
            return {"type": "FIN", "version": 1, "responder_session_number": p.responder, "noise_message": noise}
        case d.Cookie():
            cookie = p.cookie.hex()
            return {"type": "COOKIE", "version": 1, "initiator_session_number": p.session, "cookie": cookie}
        case d.Data():
            numbers = {"key_phase": p.phase, "session_number": p.session, "packet_number": p.number}
            return {"type": "DATA", **numbers, "sealed": p.sealed.hex()}
        case d.Versions():
            return {"type": "VERSIONS", "initiator_session_number": p.session, "versions": list(p.versions)}


def initiation_fields(p: d.Init | d.Resume) -> Vector:
    out = {
        "type": type(p).__name__.upper(),
        "version": 1,
        "suites": p.suites,
        "session_number": p.session,
        "realm_tag": p.realm_tag.hex(),
        "cookie": p.cookie.hex(),
        "noise_message": p.noise.hex(),
    }
    return out | {"ticket": p.ticket.hex()} if isinstance(p, d.Resume) else out


def hello_fields(h: d.Hello) -> Vector:
    return {
        "session_number": h.session,
        "suites": h.suites,
        "instance_id": h.instance.hex(),
        "name": h.name,
        "software_version": h.software or "",
        "tcp_port": h.tcp_port or 0,
        "max_message": h.message_limit,
        "max_datagram": h.udp_limit,
        "versions": list(h.versions),
    }


FRAME_NAMES = {d.PathChallenge: "PATH_CHALLENGE", d.PathResponse: "PATH_RESPONSE"}


def frame_fields(f: d.Frame) -> Vector:
    out: Vector = {k: v.hex() if isinstance(v, bytes) else v for k, v in vars(f).items()}
    out["type"] = FRAME_NAMES.get(type(f), type(f).__name__.upper())
    if isinstance(f, d.Ack):
        out["ranges"] = [list(r) for r in f.ranges]
    if isinstance(f, d.Reply) and f.status and len(f.data) == f.total:
        out["error_type"], out["message"] = d.decode_failure(f.data)
    return out


def named_frames(frames: list[d.Frame]) -> list[Vector]:
    return [frame_fields(f) for f in frames if not isinstance(f, d.Padding | d.Unknown)]


# -- core/internal/wire -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("v", named(load("wire", "packets.json")))
def test_packet(v: Vector) -> None:
    datagram = bytes.fromhex(v["hex"])
    if v.get("error"):
        with pytest.raises(d.DecodeError):
            d.decode_packet(datagram)
        return
    packet = d.decode_packet(datagram)
    assert packet_fields(packet) == v["packet"]
    if isinstance(packet, d.OtherInit):
        return
    assert d.decode_packet(packet.encode()) == packet
    if "reserved" not in v["name"] and "padding" not in v["name"]:
        assert packet.encode().hex() == v["hex"]


@pytest.mark.parametrize("v", named(load("wire", "hello.json")))
def test_hello(v: Vector) -> None:
    encoded = bytes.fromhex(v["hex"])
    if v.get("error"):
        with pytest.raises(d.DecodeError):
            d.decode_hello(encoded)
        return
    hello = d.decode_hello(encoded)
    assert hello_fields(hello) == v["hello"]
    assert d.decode_hello(hello.encode()) == hello


@pytest.mark.parametrize("v", named(load("wire", "frames.json")))
def test_frames(v: Vector) -> None:
    frames, broken = d.decode_frames(bytes.fromhex(v["hex"]))
    assert (broken is not None) == v.get("error", False), broken
    assert named_frames(frames) == v["frames"]
    assert d.decode_frames(d.encode_frames(*frames)) == (frames, None)


# -- core/internal/seal -----------------------------------------------------------------------------------------------

HANDSHAKES = load("seal", "handshakes.json")


@pytest.mark.parametrize("v", named(load("seal", "realms.json")))
def test_realm(v: Vector) -> None:
    if v.get("error"):
        with pytest.raises(ValueError, match="secret"):
            crypto.realm(v["secret"])
        return
    realm = crypto.realm(v["secret"] or None)
    assert (realm.root.hex() if realm.root else None) == v.get("root")
    assert (realm.psk.hex(), realm.tag.hex()) == (v["psk"], v["tag"])


def side(v: Vector, name: str) -> crypto.Handshake:
    party = v[name]
    initiator = name == "initiator"
    return crypto.Handshake(
        v["protocol"],
        initiator,
        prologue=bytes.fromhex(v["prologue"]),
        psk=bytes.fromhex(v["psk"]),
        static=bytes.fromhex(party["static_private"]),
        ephemeral=bytes.fromhex(party["ephemeral_private"]),
        remote=bytes.fromhex(v["responder"]["static_public"]) if initiator and v["protocol"] == crypto.IK else None,
    )


def payloads(v: Vector) -> list[str]:
    """Of each message; the first of XX has none."""
    hellos = [v["initiator"]["hello"], v["responder"]["hello"]]
    return hellos if v["protocol"] == crypto.IK else ["", hellos[1], hellos[0]]


@pytest.mark.parametrize("v", named(HANDSHAKES))
def test_handshake_byte_for_byte(v: Vector) -> None:
    initiator, responder = side(v, "initiator"), side(v, "responder")
    writer, reader = initiator, responder
    for message, payload in zip(v["messages"], payloads(v), strict=True):
        assert writer.write(bytes.fromhex(payload)).hex() == message
        assert reader.read(bytes.fromhex(message)).hex() == payload
        writer, reader = reader, writer
    assert initiator.done
    assert initiator.finish() == responder.finish()
    assert (initiator.remote or b"").hex() == v["responder"]["static_public"]
    assert (responder.remote or b"").hex() == v["initiator"]["static_public"]
    check_secrets(v, initiator.finish())


def check_secrets(v: Vector, s: crypto.Secrets) -> None:
    assert [s.h.hex(), s.k1.hex(), s.k2.hex()] == [v["h"], v["k1"], v["k2"]]
    assert s.traffic(initiator=True).hex() == v["traffic_initiator"]
    assert s.traffic(initiator=False).hex() == v["traffic_responder"]
    assert s.exporter.hex() == v["exporter_secret"]
    assert s.resumption.hex() == v["resumption"]["secret"]
    assert crypto.ticket(s.resumption).hex() == v["resumption"]["ticket"]
    for export in v["exports"]:
        assert s.export(export["label"], export["length"]).hex() == export["value"]


@pytest.mark.parametrize("v", named(HANDSHAKES))
def test_handshake_of_other_bytes_does_not_verify(v: Vector) -> None:
    first = bytearray.fromhex(v["messages"][0])
    for i in range(len(first)):
        first[i] ^= 1
        with pytest.raises(d.DecodeError):
            side(v, "responder").read(bytes(first))
        first[i] ^= 1


@pytest.mark.parametrize("v", named(HANDSHAKES))
def test_parties(v: Vector) -> None:
    for name in ("initiator", "responder"):
        for key in ("static", "ephemeral"):
            assert crypto.public_key(bytes.fromhex(v[name][f"{key}_private"])).hex() == v[name][f"{key}_public"]
        assert crypto.fingerprint(bytes.fromhex(v[name]["static_public"])).hex() == v[name]["fingerprint"]


@pytest.mark.parametrize("v", named(HANDSHAKES))
def test_psk(v: Vector) -> None:
    psk = bytes.fromhex(v["realm_psk"])
    if v["protocol"] == crypto.IK:
        secret = bytes.fromhex(v["resumes"]["secret"])
        assert crypto.ticket(secret).hex() == v["resumes"]["ticket"]
        psk = crypto.resume_psk(secret, psk)
    assert psk.hex() == v["psk"]


@pytest.mark.parametrize("v", named(HANDSHAKES))
def test_prologue(v: Vector) -> None:
    raw = bytes.fromhex(v["prologue"])
    kind, size = (d.Resume.TYPE, 129) if v["protocol"] == crypto.IK else (d.Init.TYPE, 48)
    header = raw[len(b"PeerLink 1") :]
    body = bytes(16) + (bytes(16) + size.to_bytes(2, "big") if kind == d.Resume.TYPE else b"")
    datagram = (header + body).ljust(d.MIN_INIT, b"\0")
    assert (header[0], len(header)) == (kind, 16)
    assert isinstance(d.decode_packet(datagram), d.Init | d.Resume)
    assert crypto.prologue(datagram) == raw


def test_phases() -> None:
    phases = load("seal", "phases.json")
    secret = bytes.fromhex(phases[0]["traffic_secret"])
    for n, v in enumerate(phases):
        assert v["phase"] == n
        assert secret.hex() == v["traffic_secret"]
        keys = crypto.PhaseKeys.of(d.CHACHA20_POLY1305, secret, n)
        assert (keys.key.hex(), keys.iv.hex()) == (v["key"], v["iv"])
        secret = crypto.next_secret(secret)


@pytest.mark.parametrize("v", load("seal", "packets.json"), ids=lambda v: f"{v['suite']}-{v['from']}-{v['phase']}")
def test_sealed_packet(v: Vector) -> None:
    secret = crypto.traffic_secret(bytes.fromhex(HANDSHAKES[0]["k1" if v["from"] == "initiator" else "k2"]), v["phase"])
    keys = crypto.PhaseKeys.of(v["suite_bit"], secret, v["phase"])
    assert (keys.key.hex(), keys.iv.hex()) == (v["key"], v["iv"])

    datagram = bytes.fromhex(v["packet"])
    packet = d.decode_packet(datagram)
    assert isinstance(packet, d.Data)
    assert (packet.phase, str(packet.number)) == (v["phase"] & 1, v["number"])
    assert datagram[:16].hex() == v["header"]
    assert keys.open(datagram).hex() == v["plaintext"]
    assert keys.seal(packet.session, packet.number, bytes.fromhex(v["plaintext"])) == datagram
    with pytest.raises(crypto.CryptoError):
        keys.open(datagram[:-1] + bytes([datagram[-1] ^ 1]))


@pytest.mark.parametrize("v", load("seal", "suites.json"), ids=lambda v: f"{v['offered']}-{v['own']}")
def test_choice_of_a_suite(v: Vector) -> None:
    assert crypto.choose_suite(v["offered"], v["own"]) == v["choice"]


def test_arrivals() -> None:
    vectors = load("seal", "arrivals.json")
    receiver = Receiver(d.CHACHA20_POLY1305, bytes.fromhex(vectors["traffic_secret"]))
    for v in vectors["packets"]:
        datagram = bytes.fromhex(v["packet"])
        packet = d.decode_packet(datagram)
        assert isinstance(packet, d.Data)
        assert (packet.phase, str(packet.number)) == (v["phase"] & 1, v["number"])
        try:
            accepted = d.decode_frames(receiver.receive(v["after_ms"] / 1000, datagram)) == ([d.Ping()], None)
        except d.DecodeError:
            accepted = False
        assert (accepted, receiver.sending_phase) == (v["accepted"], v["sending_phase"]), v["name"]


# -- core/internal/link -----------------------------------------------------------------------------------------------

TRANSCRIPTS: dict[str, Vector] = {v["name"]: v for v in load("link", "transcripts.json")}


class Conversation:
    """Both sides of a transcript, from their keys alone; each datagram comes out once more."""

    def __init__(self, v: Vector) -> None:
        self.v = v
        self.realm = crypto.realm(v["secret"] or None)
        self.datagrams = iter(v["datagrams"])
        self.hellos = {who: d.decode_hello(bytes.fromhex(v[who]["hello"])) for who in ("initiator", "responder")}
        self.secrets = self._xx() if v["pattern"] == "XX" else self._ik()

    def _next(self, who: str, kind: str) -> bytes:
        datagram = next(self.datagrams)
        assert (datagram["from"], datagram["type"]) == (who, kind)
        return bytes.fromhex(datagram["hex"])

    def _side(self, who: str, prologue: bytes, psk: bytes) -> crypto.Handshake:
        party, name = self.v[who], crypto.XX if self.v["pattern"] == "XX" else crypto.IK
        static, ephemeral = bytes.fromhex(party["static_private"]), bytes.fromhex(party["ephemeral_private"])
        known = crypto.public_key(bytes.fromhex(self.v["responder"]["static_private"])) if name == crypto.IK else None
        return crypto.Handshake(name, who == "initiator", prologue, psk, static, ephemeral, known)

    def _number(self, who: str) -> int:
        number: int = self.v[who]["session_number"]
        assert self.hellos[who].session == number
        return number

    def _hello(self, who: str) -> bytes:
        return bytes.fromhex(self.v[who]["hello"])

    def _again_with_cookie(self, packet: d.Init | d.Resume) -> None:
        """The packet comes a second time if the responder asked for it."""
        if self.v["datagrams"][1]["type"] != "COOKIE":
            return
        cookie = d.decode_packet(self._next("responder", "COOKIE"))
        assert isinstance(cookie, d.Cookie)
        assert cookie.session == packet.session
        again = self._next("initiator", type(packet).__name__.upper())
        assert replace(packet, cookie=cookie.cookie).encode() == again
        assert crypto.prologue(again) == crypto.prologue(packet.encode())

    def _xx(self) -> crypto.Secrets:
        offered, number = self.hellos["initiator"].suites, self._number("initiator")
        start = d.Init(offered, number, self.realm.tag, bytes(16), bytes(48))
        sides = [self._side(w, crypto.prologue(start.encode()), self.realm.psk) for w in ("initiator", "responder")]
        init = replace(start, noise=sides[0].write(b""))
        assert init.encode() == self._next("initiator", "INIT")
        self._again_with_cookie(init)
        assert sides[1].read(init.noise) == b""
        resp = d.Resp(number, self._number("responder"), sides[1].write(self._hello("responder")))
        assert resp.encode() == self._next("responder", "RESP")
        assert len(resp.encode()) <= init.size
        assert sides[0].read(resp.noise) == self._hello("responder")
        fin = d.Fin(resp.responder, sides[0].write(self._hello("initiator")))
        assert fin.encode() == self._next("initiator", "FIN")
        assert sides[1].read(fin.noise) == self._hello("initiator")
        assert sides[0].finish() == sides[1].finish()
        return sides[0].finish()

    def _ik(self) -> crypto.Secrets:
        resumption = Conversation(TRANSCRIPTS[self.v["resumes"]]).secrets.resumption
        psk = crypto.resume_psk(resumption, self.realm.psk)
        offered, number = self.hellos["initiator"].suites, self._number("initiator")
        start = d.Resume(offered, number, self.realm.tag, bytes(16), crypto.ticket(resumption), bytes(129))
        sides = [self._side(w, crypto.prologue(start.encode()), psk) for w in ("initiator", "responder")]
        resume = replace(start, noise=sides[0].write(self._hello("initiator")))
        assert resume.encode() == self._next("initiator", "RESUME")
        self._again_with_cookie(resume)
        assert sides[1].read(resume.noise) == self._hello("initiator")
        assert sides[1].remote == crypto.public_key(bytes.fromhex(self.v["initiator"]["static_private"]))
        resumed = d.Resumed(number, self._number("responder"), sides[1].write(self._hello("responder")))
        assert resumed.encode() == self._next("responder", "RESUMED")
        assert sides[0].read(resumed.noise) == self._hello("responder")
        assert sides[0].finish() == sides[1].finish()
        return sides[0].finish()


@pytest.mark.parametrize("v", named(list(TRANSCRIPTS.values())))
def test_transcript_byte_for_byte(v: Vector) -> None:
    c = Conversation(v)
    assert crypto.ticket(c.secrets.resumption).hex() == v["ticket"]
    assert c.hellos["responder"].suites == v["suite"]
    assert crypto.choose_suite(c.hellos["initiator"].suites, v["suite"]) == v["suite"]
    others = {"initiator": "responder", "responder": "initiator"}
    receivers = {w: Receiver(v["suite"], c.secrets.traffic(initiator=w == "initiator")) for w in others}
    for datagram in c.datagrams:
        check_data(c, datagram, receivers[datagram["from"]], others[datagram["from"]])


def check_data(c: Conversation, datagram: Vector, receiver: Receiver, to: str) -> None:
    raw = bytes.fromhex(datagram["hex"])
    packet = d.decode_packet(raw)
    assert isinstance(packet, d.Data)
    assert (datagram["type"], packet.session) == ("DATA", c.v[to]["session_number"])
    phase, initiator = datagram["phase"], datagram["from"] == "initiator"
    keys = crypto.PhaseKeys.of(c.v["suite"], c.secrets.traffic(initiator, phase), phase)
    assert keys.seal(packet.session, packet.number, bytes.fromhex(datagram["plaintext"])) == raw
    assert receiver.receive(0, raw).hex() == datagram["plaintext"]
    frames, broken = d.decode_frames(bytes.fromhex(datagram["plaintext"]))
    assert frames
    assert broken is None
