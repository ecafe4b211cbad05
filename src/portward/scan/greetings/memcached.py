"""memcached over UDP (its doc/protocol.txt, "UDP protocol"): the version."""

import struct

from portward.model.scan import Spoken

PORTS = (11211,)
_FRAME = struct.Struct(">HHHH")
_NUMBER = 0x7077
GREETINGS = (_FRAME.pack(_NUMBER, 0, 1, 0) + b"version\r\n",)


def recognise(reply: bytes) -> Spoken | None:
    """Read the version behind the frame of our request."""
    if len(reply) < _FRAME.size or _FRAME.unpack_from(reply)[0] != _NUMBER:
        return None
    text = reply[_FRAME.size :]
    if not text.startswith(b"VERSION "):
        return None
    version = text[8:72].decode("ascii", "replace").strip()
    return Spoken(protocol="memcached", product=f"memcached {version}", cleartext=True)
