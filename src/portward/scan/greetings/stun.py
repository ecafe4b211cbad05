"""STUN (RFC 8489): where the question came from; TURN servers answer too."""

import struct

from portward.model.scan import Spoken

PORTS = (3478, 3479, 19302)
_REQUEST, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111
_COOKIE = 0x2112A442
_NUMBER = b"portward-stn"
_HEADER = struct.Struct(">HHI12s")
GREETINGS = (_HEADER.pack(_REQUEST, 0, _COOKIE, _NUMBER),)
_SOFTWARE = 0x8022


def recognise(reply: bytes) -> Spoken | None:
    """Read a response with our number."""
    if len(reply) < _HEADER.size:
        return None
    kind, size, cookie, number = _HEADER.unpack_from(reply)
    if kind not in {_SUCCESS, _ERROR} or (cookie, number) != (_COOKIE, _NUMBER):
        return None
    product, at = "", _HEADER.size
    while at + 4 <= min(len(reply), _HEADER.size + size):
        attribute, length = struct.unpack_from(">HH", reply, at)
        if attribute == _SOFTWARE:
            product = reply[at + 4 : at + 4 + length].decode("utf-8", "replace").strip(" \0")
        at += 4 + length + -length % 4
    return Spoken(protocol="turn", product=product, cleartext=True)
