"""DNS (RFC 1035): the version of the server, and the name servers of the root."""

import struct

from portward.model.scan import Spoken
from portward.scan.dns_names import question, texts

PORTS = (53, 5300, 8053)
_HEADER = struct.Struct(">HHHHHH")
_VERSION, _ROOT = 0x7077, 0x7078
"""Identifiers of the two questions."""
_TXT, _NS = 16, 2
_INTERNET, _CHAOS = 1, 3
GREETINGS = (
    # version.bind is a convention (RFC 4892); a server that will not tell refuses, which does.
    _HEADER.pack(_VERSION, 0, 1, 0, 0, 0) + question("version.bind", _TXT, _CHAOS),
    _HEADER.pack(_ROOT, 0, 1, 0, 0, 0) + question("", _NS, _INTERNET),
)
_RESPONSE, _OPCODE = 0x8000, 0x7800


def recognise(reply: bytes) -> Spoken | None:
    """Read a response to one of the two."""
    if len(reply) < _HEADER.size:
        return None
    number, flags, *_ = _HEADER.unpack_from(reply)
    if number not in {_VERSION, _ROOT} or not flags & _RESPONSE or flags & _OPCODE:
        return None
    product = next(iter(texts(reply)), "") if number == _VERSION else ""
    return Spoken(protocol="dns", product=product, cleartext=True)
