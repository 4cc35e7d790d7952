"""Realms, handshakes and sealed packets of the native protocol, from docs/PROTOCOL.md and the RFCs alone.

The primitives are those of `cryptography` and hashlib; Noise on top of them is written from its revision 34. Anything
that does not verify is a CryptoError.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from decoder import AES_256_GCM, CHACHA20_POLY1305, Data, DecodeError, data_header

XX = "Noise_XXpsk3_25519_ChaChaPoly_BLAKE2s"
IK = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"


class CryptoError(DecodeError):
    """A tag or a public key is wrong."""


# -- HKDF of RFC 5869 with SHA-256 ------------------------------------------------------------------------------------


def hkdf_extract(salt: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt, secret, "sha256")


def hkdf_expand(key: bytes, info: str, size: int) -> bytes:
    out, block = b"", b""
    for i in range(1, 256):
        if len(out) >= size:
            break
        block = hmac.digest(key, block + info.encode() + bytes([i]), "sha256")
        out += block
    return out[:size]


# -- Realms, §6 -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Realm:
    """What is made of a secret; *root* is None in the open realm."""

    root: bytes | None = None
    psk: bytes = bytes(32)
    tag: bytes = bytes(8)


def realm(secret: str | None) -> Realm:
    """The realm of *secret*, the open one for None; takes 64 MiB and some time for a secret that people chose."""
    if secret is None:
        return Realm()
    root = _random_root(secret) if secret.startswith(_RANDOM) else _chosen_root(secret.encode())
    return Realm(root, hkdf_expand(root, "peerlink 1 psk", 32), hkdf_expand(root, "peerlink 1 realm tag", 8))


_RANDOM = "plk1_"


def _random_root(secret: str) -> bytes:
    encoded = secret.removeprefix(_RANDOM)
    if re.fullmatch("[A-Za-z0-9_-]{43}", encoded):
        root = base64.urlsafe_b64decode(encoded + "=")
        if base64.urlsafe_b64encode(root).decode() == encoded + "=":
            return root
    raise ValueError("a damaged secret")


def _chosen_root(secret: bytes) -> bytes:
    if not 1 <= len(secret) <= 1024:
        raise ValueError("a secret has 1 to 1024 bytes")
    kdf = Argon2id(salt=b"PeerLink realm 1", length=32, iterations=2, lanes=1, memory_cost=64 * 1024)
    return kdf.derive(secret)


def choose_suite(offered: int, own: int) -> int:
    """The responder's choice, §5; 0 if it refuses the handshake. Bits that nobody knows do not count."""
    for suite in (AES_256_GCM, CHACHA20_POLY1305):
        if offered & own & suite:
            return suite
    return 0


# -- Noise, revision 34 -----------------------------------------------------------------------------------------------

# Tokens of each message; the first is the initiator's, then they take turns.
_PATTERNS = {
    XX: ("e", "e ee s es", "s se psk"),
    IK: ("e es s ss", "e ee se psk"),
}


def public_key(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def fingerprint(static: bytes) -> bytes:
    """Of a node with this static public key."""
    return hashlib.sha256(static).digest()


def _dh(private: bytes, public: bytes) -> bytes:
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as e:  # a point of low order
        raise CryptoError(str(e)) from e


def _aead_open(aead: AESGCM | ChaCha20Poly1305, nonce: bytes, sealed: bytes, ad: bytes) -> bytes:
    try:
        return aead.decrypt(nonce, sealed, ad)
    except (InvalidTag, ValueError) as e:
        raise CryptoError("the tag does not verify") from e


class _Symmetric:
    """SymmetricState of Noise, with the CipherState inside."""

    def __init__(self, name: str) -> None:
        raw = name.encode()
        self.h = raw.ljust(32, b"\0") if len(raw) <= 32 else hashlib.blake2s(raw).digest()
        self.ck = self.h
        self.k: bytes | None = None
        self.n = 0

    def mix_hash(self, data: bytes) -> None:
        self.h = hashlib.blake2s(self.h + data).digest()

    def mix_key(self, secret: bytes) -> None:
        self.ck, self.k = self._hkdf(secret, 2)
        self.n = 0

    def mix_key_and_hash(self, secret: bytes) -> None:
        self.ck, temp, self.k = self._hkdf(secret, 3)
        self.mix_hash(temp)
        self.n = 0

    def seal(self, plaintext: bytes) -> bytes:
        sealed = plaintext if self.k is None else ChaCha20Poly1305(self.k).encrypt(self._nonce(), plaintext, self.h)
        self.mix_hash(sealed)
        return sealed

    def open(self, sealed: bytes) -> bytes:
        plaintext = sealed if self.k is None else _aead_open(ChaCha20Poly1305(self.k), self._nonce(), sealed, self.h)
        self.mix_hash(sealed)
        return plaintext

    def split(self) -> tuple[bytes, bytes]:
        k1, k2 = self._hkdf(b"", 2)
        return k1, k2

    def _nonce(self) -> bytes:
        self.n += 1
        return bytes(4) + (self.n - 1).to_bytes(8, "little")

    def _hkdf(self, secret: bytes, count: int) -> list[bytes]:
        temp = hmac.digest(self.ck, secret, "blake2s")
        out = [b""]
        for i in range(1, count + 1):
            out.append(hmac.digest(temp, out[-1] + bytes([i]), "blake2s"))
        return out[1:]


@dataclass
class Handshake:
    """One side of a handshake; all keys are given, so that it is the same each time.

    *remote* is the static key of the responder for the initiator of IK; else it is learned.
    """

    name: str
    initiator: bool
    prologue: bytes
    psk: bytes
    static: bytes
    ephemeral: bytes
    remote: bytes | None = None
    remote_ephemeral: bytes | None = None
    _step: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._state = _Symmetric(self.name)
        self._state.mix_hash(self.prologue)
        if self.name == IK:
            known = self.remote if self.initiator else public_key(self.static)
            if known is None:
                raise ValueError("IK needs the static key of the responder")
            self._state.mix_hash(known)

    @property
    def done(self) -> bool:
        return self._step == len(_PATTERNS[self.name])

    def write(self, payload: bytes) -> bytes:
        """The next message."""
        writers: dict[str, Callable[[], bytes]] = {"e": self._write_e, "s": self._write_s}
        out = b""
        for token in self._next():
            if token in writers:
                out += writers[token]()
            else:
                self._mix(token)
        return out + self._state.seal(payload)

    def read(self, message: bytes) -> bytes:
        """The payload of the other side's next message."""
        for token in self._next():
            if token == "e":
                message = self._read_e(message)
            elif token == "s":
                message = self._read_s(message)
            else:
                self._mix(token)
        return self._state.open(message)

    def finish(self) -> Secrets:
        """The secrets of the session."""
        k1, k2 = self._state.split()
        return Secrets(k1, k2, self._state.h)

    def _next(self) -> list[str]:
        self._step += 1
        return _PATTERNS[self.name][self._step - 1].split()

    def _write_e(self) -> bytes:
        public = public_key(self.ephemeral)
        self._state.mix_hash(public)
        self._state.mix_key(public)  # as every handshake with a psk does, Noise §9.2
        return public

    def _read_e(self, message: bytes) -> bytes:
        if len(message) < 32:
            raise CryptoError("no key")
        self.remote_ephemeral, message = message[:32], message[32:]
        self._state.mix_hash(self.remote_ephemeral)
        self._state.mix_key(self.remote_ephemeral)
        return message

    def _write_s(self) -> bytes:
        return self._state.seal(public_key(self.static))

    def _read_s(self, message: bytes) -> bytes:
        if len(message) < 48:
            raise CryptoError("no key")
        self.remote = self._state.open(message[:48])
        return message[48:]

    def _mix(self, token: str) -> None:
        if token == "psk":
            self._state.mix_key_and_hash(self.psk)
            return
        # The first letter is the key of the initiator, the second that of the responder.
        mine, theirs = list(token) if self.initiator else list(reversed(token))
        private = self.static if mine == "s" else self.ephemeral
        public = self.remote if theirs == "s" else self.remote_ephemeral
        if public is None:
            raise CryptoError("a key of the other side is missing")
        self._state.mix_key(_dh(private, public))


def prologue(first: bytes) -> bytes:
    """Of the INIT or RESUME *first*."""
    return b"PeerLink 1" + first[:16]


# -- Keys, §7 ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Secrets:
    """What Noise ends with, and what is made of it."""

    k1: bytes
    k2: bytes
    h: bytes

    @property
    def exporter(self) -> bytes:
        return hkdf_extract(self.h, self.k1 + self.k2)

    @property
    def resumption(self) -> bytes:
        return hkdf_expand(self.exporter, "peerlink 1 resumption", 32)

    def export(self, label: str, size: int) -> bytes:
        """A secret for another use, as the README of the vectors has it."""
        return hkdf_expand(self.exporter, f"peerlink 1 export {label}", size)

    def traffic(self, initiator: bool, phase: int = 0) -> bytes:
        """The traffic secret of what the initiator sends, or of what the responder sends."""
        return traffic_secret(self.k1 if initiator else self.k2, phase)


def traffic_secret(key: bytes, phase: int) -> bytes:
    """Of *phase*, from k1 or k2."""
    secret = hkdf_expand(key, "peerlink 1 traffic", 32)
    for _ in range(phase):
        secret = next_secret(secret)
    return secret


def next_secret(secret: bytes) -> bytes:
    """The traffic secret of the phase behind that of *secret*."""
    return hkdf_expand(secret, "peerlink 1 update", 32)


def ticket(resumption: bytes) -> bytes:
    return hkdf_expand(resumption, "peerlink 1 ticket", 16)


def resume_psk(resumption: bytes, realm_psk: bytes) -> bytes:
    return hkdf_expand(resumption + realm_psk, "peerlink 1 resume psk", 32)


@dataclass(frozen=True)
class PhaseKeys:
    """Seals and opens the packets of one direction in one phase."""

    suite: int
    key: bytes
    iv: bytes
    phase: int

    @classmethod
    def of(cls, suite: int, secret: bytes, phase: int) -> PhaseKeys:
        """From the traffic secret of the phase."""
        return cls(suite, hkdf_expand(secret, "peerlink 1 key", 32), hkdf_expand(secret, "peerlink 1 iv", 12), phase)

    def seal(self, session: int, number: int, plaintext: bytes) -> bytes:
        """The whole datagram."""
        header = data_header(self.phase, session, number)
        return header + self._aead().encrypt(self._nonce(number), plaintext, header)

    def open(self, datagram: bytes) -> bytes:
        """The frames in a DATA packet; CryptoError if the tag does not verify."""
        packet = Data.decode(datagram)
        return _aead_open(self._aead(), self._nonce(packet.number), packet.sealed, datagram[:16])

    def _aead(self) -> AESGCM | ChaCha20Poly1305:
        if self.suite == AES_256_GCM:
            return AESGCM(self.key)
        if self.suite == CHACHA20_POLY1305:
            return ChaCha20Poly1305(self.key)
        raise ValueError(f"suite {self.suite}")

    def _nonce(self, number: int) -> bytes:
        return bytes(a ^ b for a, b in zip(self.iv, bytes(4) + number.to_bytes(8, "big"), strict=True))
