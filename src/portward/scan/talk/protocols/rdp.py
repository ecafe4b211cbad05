"""RDP: a connection request that asks for TLS ([MS-RDPBCGR] 2.2.1.1; X.224 in TPKT, RFC 2126)."""

import re
import struct

from portward.model.scan import Spoken
from portward.scan.talk.protocols import Step

PORTS = (3389,)
_TLS, _CREDSSP = 1, 2
_NEGOTIATION = struct.pack("<BBHI", 1, 0, 8, _TLS | _CREDSSP)
_CONNECT = bytes((6 + len(_NEGOTIATION), 0xE0)) + bytes(5) + _NEGOTIATION
GREETING = struct.pack(">BBH", 3, 0, 4 + len(_CONNECT)) + _CONNECT
_CONFIRMED = re.compile(rb"^\x03\0\0.[\x06-\x0e]\xd0", re.DOTALL)
_CHOSEN = re.compile(rb"^\x03\0\0\x13\x0e\xd0.{5}\x02.\x08\0([\x01\x02\x08])\0\0\0", re.DOTALL)
STARTTLS = (Step(GREETING, _CHOSEN),)


def recognise(said: bytes) -> Spoken | None:
    """Read the confirmation, and whether it chose TLS."""
    if not _CONFIRMED.match(said):
        return None
    return Spoken(protocol="rdp", cleartext=not _CHOSEN.match(said))
