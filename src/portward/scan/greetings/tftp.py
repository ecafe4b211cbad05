"""TFTP (RFC 1350): a file that nobody has. The answer comes from a port of its own."""

import struct

from portward.model.scan import Spoken

PORTS = (69,)
_READ, _DATA, _ERROR = 1, 3, 5
GREETINGS = (struct.pack(">H", _READ) + b"portward-asks-for-no-file\0octet\0",)
_LAST_CODE = 8
"""RFC 1350 has errors 0 to 7, RFC 2347 one more."""
_MOST_DATA = 516


def recognise(reply: bytes) -> Spoken | None:
    """Read an error, or the first block of the file that there is after all."""
    if len(reply) < 4:  # noqa: PLR2004 - operation, and code or block
        return None
    operation, number = struct.unpack_from(">HH", reply)
    refused = operation == _ERROR and number <= _LAST_CODE and reply[-1:] == b"\0"
    sends = operation == _DATA and number == 1 and len(reply) <= _MOST_DATA
    text = reply[4:-1]
    if sends or (refused and b"\0" not in text and (len(text) == 0 or text.isascii())):
        return Spoken(protocol="tftp", cleartext=True)
    return None
