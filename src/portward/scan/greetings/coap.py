"""CoAP (RFC 7252): which resources a device offers (RFC 6690)."""

import struct

from portward.model.scan import Spoken

PORTS = (5683,)
_NUMBER, _TOKEN = 0x7077, b"portward"
_VERSION_1, _CONFIRMABLE, _GET = 1 << 6, 0 << 4, 1
_URI_PATH = 11
GREETINGS = (
    bytes((_VERSION_1 | _CONFIRMABLE | len(_TOKEN), _GET))
    + struct.pack(">H", _NUMBER)
    + _TOKEN
    + bytes((_URI_PATH << 4 | 11,))
    + b".well-known"
    + bytes((4,))
    + b"core",
)
_ACKNOWLEDGEMENT, _RESET = 2 << 4, 3 << 4


def recognise(reply: bytes) -> Spoken | None:
    """Read an acknowledgement with our number and token, or a reset of our number."""
    if len(reply) < 4 or reply[0] >> 6 != 1 or reply[2:4] != _NUMBER.to_bytes(2, "big"):  # noqa: PLR2004
        return None
    kind = reply[0] & 0x30
    if kind == _RESET and reply[1] == 0 and len(reply) == 4:  # noqa: PLR2004 - a bare header
        return Spoken(protocol="coap", cleartext=True)
    if kind == _ACKNOWLEDGEMENT and reply[4:12] == _TOKEN:
        return Spoken(protocol="coap", cleartext=True)
    return None
