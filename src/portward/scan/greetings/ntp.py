"""NTP (RFC 5905): the time."""

from portward.model.scan import Spoken

PORTS = (123,)
_TRANSMITTED = b"portward"
"""A client's transmit timestamp, which the server returns as the origin timestamp."""
_CLIENT, _SERVER = 3, 4
_VERSION_4 = 4 << 3
GREETINGS = (bytes((_VERSION_4 | _CLIENT,)) + bytes(39) + _TRANSMITTED,)
_PACKET = 48
_ORIGIN = slice(24, 32)


def recognise(reply: bytes) -> Spoken | None:
    """Read the time of a server."""
    if len(reply) < _PACKET or reply[0] & 7 != _SERVER or reply[_ORIGIN] != _TRANSMITTED:
        return None
    return Spoken(protocol="ntp", cleartext=True)
