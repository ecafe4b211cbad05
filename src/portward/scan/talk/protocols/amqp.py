"""AMQP 0-9-1 (2.2.4): a protocol header, answered by a start or by the header it wants."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import text

PORTS = (5672, 5671)
SECURED = "amqps"
GREETING = b"AMQP\0\0\x09\x01"
_HEADER = re.compile(rb"^AMQP[\0\1\2\3]\d?[\0-\x0a]", re.DOTALL)
_START = re.compile(rb"^\x01\0\0\0\0..\0\x0a\0\x0a", re.DOTALL)
_PRODUCT = re.compile(rb"\x07productS\0\0\0(.)", re.DOTALL)


def recognise(said: bytes) -> Spoken | None:
    """Read the method connection.start, or another header."""
    if said == GREETING:
        return None  # an echo service
    if _HEADER.match(said) and len(said) == len(GREETING):
        return Spoken(protocol="amqp", cleartext=True)
    if not _START.match(said):
        return None
    found = _PRODUCT.search(said)
    product = text(said[found.end() : found.end() + found[1][0]]) if found else ""
    return Spoken(protocol="amqp", product=product, cleartext=True)
