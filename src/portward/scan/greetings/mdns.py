"""Multicast DNS asked by unicast (RFC 6762): which services are announced."""

import struct

from portward.model.scan import Spoken
from portward.scan.dns_names import question

PORTS = (5353,)
_HEADER = struct.Struct(">HHHHHH")
_NUMBER = 0x706D
"""Repeated, as we do not ask from port 5353 (RFC 6762, 6.7)."""
_PTR, _INTERNET = 12, 1
GREETINGS = (
    _HEADER.pack(_NUMBER, 0, 1, 0, 0, 0)
    + question("_services._dns-sd._udp.local", _PTR, _INTERNET),
)
_RESPONSE, _OPCODE = 0x8000, 0x7800


def recognise(reply: bytes) -> Spoken | None:
    """Read a response with our number."""
    if len(reply) < _HEADER.size:
        return None
    number, flags, *_ = _HEADER.unpack_from(reply)
    if number != _NUMBER or not flags & _RESPONSE or flags & _OPCODE:
        return None
    return Spoken(protocol="mdns", cleartext=True)
