"""IKE: the first message of IKEv2 (RFC 7296) and of IKEv1's main mode (RFC 2409).

Whether or not a server likes the proposal, it answers with our cookie in front.
"""

import struct

from portward.model.scan import Spoken

PORTS = (500, 4500)
_COOKIE = b"portward"
"""Our security parameter index, chosen by the one who asks."""
_HEADER = struct.Struct(">8s8sBBBBII")
_SA_INIT, _MAIN_MODE = 34, 2
_V2, _V1 = 0x20, 0x10
_INITIATOR, _RESPONSE = 0x08, 0x20
_SA, _KE, _NONCE, _SA_V1 = 33, 34, 40, 1


def _payload(following: int, body: bytes) -> bytes:
    return struct.pack(">BBH", following, 0, 4 + len(body)) + body


def _transform(last: int, kind: int, number: int, *, key_bits: int = 0) -> bytes:
    attribute = struct.pack(">HH", 0x800E, key_bits) if key_bits else b""
    return struct.pack(">BBHBBH", last, 0, 8 + len(attribute), kind, 0, number) + attribute


_TRANSFORMS = (
    _transform(3, 1, 12, key_bits=256)  # AES-CBC
    + _transform(3, 2, 5)  # PRF HMAC-SHA2-256
    + _transform(3, 3, 12)  # HMAC-SHA2-256-128
    + _transform(0, 4, 14)  # 2048-bit MODP group
)
_PROPOSAL = struct.pack(">BBHBBBB", 0, 0, 8 + len(_TRANSFORMS), 1, 1, 0, 4) + _TRANSFORMS
_GROUP_14_BYTES = 256
_KEY = struct.pack(">HH", 14, 0) + b"\x5a" * _GROUP_14_BYTES
_BODY_V2 = _payload(_KE, _PROPOSAL) + _payload(_NONCE, _KEY) + _payload(0, b"portward-portward" * 2)


def _attribute(kind: int, value: int) -> bytes:
    return struct.pack(">HH", 0x8000 | kind, value)


# AES-CBC 256, SHA-1, pre-shared key, group 14, one hour
_ATTRIBUTES = b"".join(
    (
        _attribute(1, 7),
        _attribute(14, 256),
        _attribute(2, 2),
        _attribute(3, 1),
        _attribute(4, 14),
        _attribute(11, 1),
        _attribute(12, 3600),
    )
)
_TRANSFORM_V1 = struct.pack(">BBHBBH", 0, 0, 8 + len(_ATTRIBUTES), 1, 1, 0) + _ATTRIBUTES
_PROPOSAL_V1 = struct.pack(">BBHBBBB", 0, 0, 8 + len(_TRANSFORM_V1), 1, 1, 0, 1) + _TRANSFORM_V1
_BODY_V1 = _payload(0, struct.pack(">II", 1, 1) + _PROPOSAL_V1)


def _message(first: int, version: int, exchange: int, flags: int, body: bytes) -> bytes:
    size = _HEADER.size + len(body)
    return _HEADER.pack(_COOKIE, bytes(8), first, version, exchange, flags, 0, size) + body


_MESSAGES = (
    _message(_SA, _V2, _SA_INIT, _INITIATOR, _BODY_V2),
    _message(_SA_V1, _V1, _MAIN_MODE, 0, _BODY_V1),
)
_NO_ESP = bytes(4)
"""What marks IKE on port 4500 (RFC 3948, 2.2); port 500 takes it for damaged and is silent."""
GREETINGS = (*_MESSAGES, *(_NO_ESP + one for one in _MESSAGES))


def recognise(reply: bytes) -> Spoken | None:
    """Read any message with our cookie."""
    reply = reply.removeprefix(_NO_ESP)
    if len(reply) < _HEADER.size or not reply.startswith(_COOKIE):
        return None
    _, _, _, version, exchange, flags, _, _ = _HEADER.unpack_from(reply)
    # Our own message, sent back by an echo service, has no flag of a response.
    if version == _V2 and exchange == _SA_INIT and flags & _RESPONSE:
        return Spoken(protocol="ipsec", product="IKEv2", cleartext=False)
    if version == _V1 and reply[8:16] != bytes(8):
        return Spoken(protocol="ipsec", product="IKEv1", cleartext=False)
    return None
