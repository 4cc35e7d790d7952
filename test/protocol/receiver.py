"""What a receiver of DATA packets remembers, from docs/PROTOCOL.md §7 and §8 alone: replays and phases of keys."""

from __future__ import annotations

import crypto
import decoder as d

WINDOW = 2048
OLD_KEYS = 10.0  # s


class Replays:
    """Which packet numbers were accepted."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def accept(self, number: int) -> bool:
        """Whether *number* is new; it is not any more afterwards."""
        highest = max(self._seen, default=-1)
        if number in self._seen or number <= highest - WINDOW:
            return False
        self._seen = {n for n in self._seen if n > number - WINDOW} | {number}
        return True


class Receiver:
    """One direction of a session, and the phase of the other, which follows; time is in seconds."""

    def __init__(self, suite: int, secret: bytes) -> None:
        self.sending_phase = 0
        self._suite = suite
        self._phase = 0
        self._secret = secret  # traffic secret of the phase
        self._lowest: int | None = None  # number opened in the phase
        self._old: crypto.PhaseKeys | None = None
        self._moved = 0.0
        self._replays = Replays()

    def receive(self, now: float, datagram: bytes) -> bytes:
        """The frames; DecodeError if the packet is to be dropped."""
        packet = d.decode_packet(datagram)
        if not isinstance(packet, d.Data):
            raise d.DecodeError("not DATA")
        phase = self._phase_of(packet)
        plaintext = self._keys(now, phase).open(datagram)
        if not self._replays.accept(packet.number):
            raise d.DecodeError("a replay")
        if phase > self._phase:
            self._move(now)
        if phase == self._phase:
            self._lowest = packet.number if self._lowest is None else min(self._lowest, packet.number)
        return plaintext

    def _phase_of(self, packet: d.Data) -> int:
        """The only one that can be right, as numbers rise with phases."""
        if packet.phase == self._phase & 1:
            return self._phase
        below = self._lowest is not None and packet.number < self._lowest
        return self._phase - 1 if below and self._phase else self._phase + 1

    def _keys(self, now: float, phase: int) -> crypto.PhaseKeys:
        if phase == self._phase:
            return self._now()
        if phase > self._phase:
            return crypto.PhaseKeys.of(self._suite, crypto.next_secret(self._secret), phase)
        if self._old is None or now - self._moved > OLD_KEYS:
            raise crypto.CryptoError("the keys of the phase before are gone")
        return self._old

    def _now(self) -> crypto.PhaseKeys:
        return crypto.PhaseKeys.of(self._suite, self._secret, self._phase)

    def _move(self, now: float) -> None:
        self._old, self._moved, self._lowest = self._now(), now, None
        self._secret = crypto.next_secret(self._secret)
        self._phase += 1
        self.sending_phase = max(self.sending_phase, self._phase)
