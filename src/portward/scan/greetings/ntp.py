"""NTP (RFC 5905): the time, and the version of the server by its control messages (RFC 9327)."""

import re
import struct

from portward.model.scan import Spoken

PORTS = (123,)
_TRANSMITTED = b"portward"
"""A client's transmit timestamp, which the server returns as the origin timestamp."""
_CLIENT, _SERVER, _CONTROL = 3, 4, 6
_VERSION_4, _VERSION_2 = 4 << 3, 2 << 3
_READ_VARIABLES = 2
_SEQUENCE = 0x7077
GREETINGS = (
    bytes((_VERSION_4 | _CLIENT,)) + bytes(39) + _TRANSMITTED,
    struct.pack(
        ">BBHHHHH", _VERSION_2 | _CONTROL, _READ_VARIABLES, _SEQUENCE, 0, 0, 0, 0
    ),
)
_PACKET = 48
_ORIGIN = slice(24, 32)
_RESPONSE = 0x80
_CONTROL_HEADER = 12
_SAYS = re.compile(rb'version="([^"]{1,100})"')


def recognise(reply: bytes) -> Spoken | None:
    """Read the time of a server, or its variables."""
    if len(reply) >= _PACKET and reply[0] & 7 == _SERVER and reply[_ORIGIN] == _TRANSMITTED:
        return Spoken(protocol="ntp", cleartext=True)
    if len(reply) < _CONTROL_HEADER or reply[0] & 7 != _CONTROL:
        return None
    operation, sequence = struct.unpack_from(">BH", reply, 1)
    if not operation & _RESPONSE or sequence != _SEQUENCE:
        return None
    version = _SAYS.search(reply)
    product = version[1].decode("ascii", "replace") if version else ""
    return Spoken(protocol="ntp", product=product, cleartext=True)
