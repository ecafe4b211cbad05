"""RADIUS (RFC 2865): a user that nobody is. Only hosts that the server knows are answered."""

import struct

from portward.model.scan import Spoken

PORTS = (1812, 1645)
_NUMBER = 0x77
_REQUEST, _ACCEPT, _REJECT, _CHALLENGE = 1, 2, 3, 11
_USER_NAME, _USER_PASSWORD, _NAS_IDENTIFIER = 1, 2, 32


def _attribute(kind: int, value: bytes) -> bytes:
    return bytes((kind, 2 + len(value))) + value


_ATTRIBUTES = (
    _attribute(_USER_NAME, b"portward")
    + _attribute(_USER_PASSWORD, bytes(16))
    + _attribute(_NAS_IDENTIFIER, b"portward")
)
_HEADER = struct.Struct(">BBH16s")
GREETINGS = (
    _HEADER.pack(_REQUEST, _NUMBER, 20 + len(_ATTRIBUTES), b"portward-portwar") + _ATTRIBUTES,
)


def recognise(reply: bytes) -> Spoken | None:
    """Read an answer with our number."""
    if len(reply) < _HEADER.size:
        return None
    code, number, size, _ = _HEADER.unpack_from(reply)
    if code not in {_ACCEPT, _REJECT, _CHALLENGE} or (number, size) != (_NUMBER, len(reply)):
        return None
    return Spoken(protocol="radius", cleartext=True)
