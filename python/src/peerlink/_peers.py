"""What is known of a peer."""

from __future__ import annotations

from dataclasses import dataclass

from . import _lib


@dataclass(frozen=True)
class PeerInfo:
    """A peer, as it was when it was asked for."""

    name: str
    uuid: str
    """New with each start of the peer."""
    addr: str
    """Its IP address."""
    port: int
    """Its UDP port."""
    tcp_port: int
    legacy: bool
    """It is a 1.x node."""
    encrypted: bool
    """There is an encrypted session with it: made when it is found, or at the first call."""
    authenticated: bool
    """It has proved that it has our secret."""
    fingerprint: str
    """Of its key, 64 hexadecimal digits; empty while there is no session."""
    rtt: float | None
    """Round-trip time in seconds; None if it was not measured yet."""
    loss: float
    """Which share of the packets to it had to be sent again, 0 to 1."""


def peer_info(record: _lib.PeerRecord) -> PeerInfo:
    """Translate what the C library knows."""
    return PeerInfo(
        name=_text(record.name),
        uuid=_text(record.id),
        addr=_text(record.addr),
        port=record.udp_port,
        tcp_port=record.tcp_port,
        legacy=bool(record.flags & _lib.PEER_LEGACY),
        encrypted=bool(record.flags & _lib.PEER_ENCRYPTED),
        authenticated=bool(record.flags & _lib.PEER_AUTHENTICATED),
        fingerprint=_text(record.fingerprint),
        rtt=record.rtt_us / 1e6 if record.rtt_us else None,
        loss=record.loss_ppm / 1e6,
    )


def _text(field: bytes) -> str:
    return field.decode("utf-8", "replace")
