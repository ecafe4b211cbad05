"""X11: a connection without a key (X Window System Protocol, appendix B, "Connection Setup")."""

import struct

from portward.model.scan import Spoken
from portward.scan.talk.protocols import text

PORTS = tuple(range(6000, 6010))
_LITTLE_ENDIAN = ord("l")
GREETING = struct.pack("<BxHHHHxx", _LITTLE_ENDIAN, 11, 0, 0, 0)
_FAILED, _SUCCESS, _MORE = 0, 1, 2
_HEADER = struct.Struct("<BBHHH")
_VENDOR = 40


def recognise(said: bytes) -> Spoken | None:
    """Read the answer, which repeats the version of the protocol."""
    if len(said) < _HEADER.size:
        return None
    outcome, reason, major, minor, words = _HEADER.unpack_from(said)
    if outcome not in {_FAILED, _SUCCESS, _MORE} or (major, minor) != (11, 0):
        return None
    if outcome == _SUCCESS and len(said) >= _VENDOR:
        size = int.from_bytes(said[24:26], "little")
        name = text(said[_VENDOR : _VENDOR + size])
        return Spoken(protocol="x11", product=f"{name}, lets anyone in", cleartext=True)
    if outcome == _FAILED and 0 < reason <= 4 * words and said[8 : 8 + reason].isascii():
        return Spoken(protocol="x11", product=text(said[8 : 8 + reason]), cleartext=True)
    return None
