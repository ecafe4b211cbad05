"""The first words of TLS, written and read by hand, so that old versions can be asked for; pure.

A library of today does not speak SSL 3.0 any more, and a server that still does is what has to be
found. RFC 8446 (TLS 1.3), RFC 5246 (1.2), RFC 2246 (1.0), RFC 6101 (SSL 3.0).
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from portward.scan.talk import ciphers

VERSIONS = {
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
}
"""The oldest first."""
SSL_3, TLS_1_0, TLS_1_2, TLS_1_3 = 0x0300, 0x0301, 0x0303, 0x0304
RANDOM_BYTES = 64
"""What client_hello() needs: its random, and a key share (any 32 bytes are one of X25519)."""

_ALERT, _HANDSHAKE = 21, 22
_CLIENT_HELLO, _SERVER_HELLO, _CERTIFICATE, _DONE = 1, 2, 11, 14
_SERVER_NAME, _GROUPS, _POINT_FORMATS, _SIGNATURES = 0, 10, 11, 13
_SUPPORTED_VERSIONS, _KEY_SHARE = 43, 51
_X25519, _P256, _P384, _P521 = 29, 23, 24, 25
_SIGNATURE_SCHEMES = (
    *(0x0403, 0x0503, 0x0603, 0x0807, 0x0808),  # ECDSA with SHA-2, Ed25519, Ed448
    *(0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601),  # RSA-PSS, RSA with SHA-2
    *(0x0203, 0x0201),  # with SHA-1
)
_RECORD = struct.Struct(">BHH")
_MOST_RECORD = (1 << 14) + 2048
_SESSION = 32
_SUITES_OF_1_3 = 0x13
"""The first byte of their numbers."""


class Answer(NamedTuple):
    """What a server said to a ClientHello."""

    version: int | None = None
    """That it chose; None: it declined."""
    cipher: str = ""
    certificate: bytes | None = None
    """The first that it showed, in DER; None: none was seen (TLS 1.3 encrypts it)."""
    complete: bool = False
    """Nothing more can come before the client speaks again."""
    alert: int | None = None
    """Why it declined (RFC 8446, 6)."""


def client_hello(version: int, random: bytes, name: str = "") -> bytes:
    """Ask for exactly one version; a name that is not empty goes into it (RFC 6066)."""
    new = version == TLS_1_3
    suites = b"".join(
        struct.pack(">H", number)
        for number in ciphers.NAMES
        if (number >> 8 == _SUITES_OF_1_3) == new
    )
    body = struct.pack(">H", min(version, TLS_1_2)) + random[:32]
    # With a session as 1.2 has it, so that nothing on the way takes offence (RFC 8446, D.4).
    body += bytes((_SESSION,)) + random[32:64] if new else b"\0"
    body += struct.pack(">H", len(suites)) + suites + b"\1\0"
    if version > SSL_3:
        extensions = b"".join(_extensions(version, random, name))
        body += struct.pack(">H", len(extensions)) + extensions
    message = bytes((_CLIENT_HELLO,)) + len(body).to_bytes(3, "big") + body
    return _RECORD.pack(_HANDSHAKE, min(version, TLS_1_0), len(message)) + message


def _extensions(version: int, random: bytes, name: str) -> Iterator[bytes]:
    if name:
        host = name.encode("idna") if not name.isascii() else name.encode()
        yield _extension(_SERVER_NAME, _listed(b"\0" + _listed(host)))
    groups = struct.pack(">HHHH", _X25519, _P256, _P384, _P521)
    yield _extension(_GROUPS, _listed(groups))
    yield _extension(_POINT_FORMATS, b"\1\0")
    if version >= TLS_1_2:
        schemes = b"".join(struct.pack(">H", one) for one in _SIGNATURE_SCHEMES)
        yield _extension(_SIGNATURES, _listed(schemes))
    if version == TLS_1_3:
        yield _extension(_SUPPORTED_VERSIONS, b"\2" + struct.pack(">H", TLS_1_3))
        share = struct.pack(">H", _X25519) + _listed(random[32:64])
        yield _extension(_KEY_SHARE, _listed(share))


def _extension(kind: int, data: bytes) -> bytes:
    return struct.pack(">H", kind) + _listed(data)


def _listed(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def is_tls(said: bytes) -> bool:
    """Say whether a server answers in TLS at all: with a handshake, or an alert."""
    if len(said) < _RECORD.size:
        return False
    kind, version, size = _RECORD.unpack_from(said)
    if version >> 8 != SSL_3 >> 8 or not 0 < size <= _MOST_RECORD:
        return False
    if kind == _ALERT:
        return size == 2 and len(said) >= 7 and said[5] in {1, 2}  # noqa: PLR2004 - level, reason
    return kind == _HANDSHAKE and said[5:6] == bytes((_SERVER_HELLO,))


def read(said: bytes) -> Answer:
    """Read what a server said up to now; whatever is cut short or odd ends the reading."""
    handshake = b""
    at = 0
    while at + _RECORD.size <= len(said):
        kind, _, size = _RECORD.unpack_from(said, at)
        body = said[at + _RECORD.size : at + _RECORD.size + size]
        at += _RECORD.size + size
        if kind == _ALERT and len(body) == 2 and not handshake:  # noqa: PLR2004 - level, reason
            return Answer(alert=body[1], complete=True)
        if kind != _HANDSHAKE:
            break
        handshake += body
    found = Answer()
    for kind, message in _messages(handshake):
        if kind == _SERVER_HELLO:
            found = _server_hello(message)
            if found.version == TLS_1_3:
                return found._replace(complete=True)
        elif kind == _CERTIFICATE and len(message) > 6:  # noqa: PLR2004 - two lengths of three bytes
            size = int.from_bytes(message[3:6], "big")
            if size <= len(message) - 6:
                found = found._replace(certificate=message[6 : 6 + size])
        elif kind == _DONE:
            found = found._replace(complete=True)
    return found


def _messages(handshake: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(handshake):
        size = int.from_bytes(handshake[at + 1 : at + 4], "big")
        if at + 4 + size > len(handshake):
            return
        yield handshake[at], handshake[at + 4 : at + 4 + size]
        at += 4 + size


def _server_hello(message: bytes) -> Answer:
    """Read the version and the cipher suite; one of 1.3 says so in an extension."""
    try:
        version = int.from_bytes(message[:2], "big")
        at = 34 + 1 + message[34]
        suite = int.from_bytes(message[at : at + 2], "big")
        at += 3
        end = at + 2 + int.from_bytes(message[at : at + 2], "big")
        at += 2
        while at + 4 <= min(end, len(message)):
            kind, size = struct.unpack_from(">HH", message, at)
            if kind == _SUPPORTED_VERSIONS:
                version = int.from_bytes(message[at + 4 : at + 4 + size], "big")
            at += 4 + size
    except IndexError:
        return Answer()
    return Answer(
        version=version if version in VERSIONS else None,
        cipher=ciphers.NAMES.get(suite, f"0x{suite:04X}"),
    )
