"""MongoDB: "hello" in an OP_QUERY, which all versions answer (its "Wire Protocol")."""

import struct

from portward.model.scan import Spoken

PORTS = (27017, 27018, 27019)
_NUMBER = 0x70777264
_OP_QUERY, _OP_REPLY = 2004, 1
_ELEMENT = b"\x10isMaster\0" + struct.pack("<i", 1)
_DOCUMENT = struct.pack("<i", 4 + len(_ELEMENT) + 1) + _ELEMENT + b"\0"
_BODY = struct.pack("<i", 0) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1) + _DOCUMENT
GREETING = struct.pack("<iiii", 16 + len(_BODY), _NUMBER, 0, _OP_QUERY) + _BODY
_HEADER = struct.Struct("<iiii")


def recognise(said: bytes) -> Spoken | None:
    """Read a reply to our number."""
    if len(said) < _HEADER.size:
        return None
    _, _, to, operation = _HEADER.unpack_from(said)
    if to != _NUMBER or operation != _OP_REPLY:
        return None
    return Spoken(protocol="mongodb", cleartext=True)
