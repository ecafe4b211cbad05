"""NetBIOS name service (RFC 1002, 4.2.17): the names that a node holds."""

import struct

from portward.model.scan import Spoken

PORTS = (137,)
_NUMBER = 0x706E
_HEADER = struct.Struct(">HHHHHH")
_NBSTAT, _INTERNET = 0x21, 1
_ANY_NODE = b"\x20CK" + b"A" * 30 + b"\0"
"""The name "*" filled with zeros, half a byte a letter (RFC 1001, 14.1)."""
GREETINGS = (
    _HEADER.pack(_NUMBER, 0, 1, 0, 0, 0) + _ANY_NODE + struct.pack(">HH", _NBSTAT, _INTERNET),
)
_RESPONSE = 0x8000
_NAMES = 12 + len(_ANY_NODE) + 10
"""Where the count of names stands: behind the header, the name, and a record's fixed part."""
_NAME = 15


def recognise(reply: bytes) -> Spoken | None:
    """Read the status of a node."""
    if len(reply) < _NAMES or not reply.startswith(_NUMBER.to_bytes(2, "big")):
        return None
    if not int.from_bytes(reply[2:4], "big") & _RESPONSE or reply[12:46] != _ANY_NODE:
        return None
    name = reply[_NAMES + 1 : _NAMES + 1 + _NAME].decode("latin-1").strip(" \0")
    return Spoken(protocol="netbios-ns", product=name, cleartext=True)
