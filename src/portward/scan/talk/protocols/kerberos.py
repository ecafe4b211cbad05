"""Kerberos over TCP (RFC 4120, 7.2.2): the same request as by UDP, behind its length."""

from portward.model.scan import Spoken
from portward.scan.greetings import kerberos

PORTS = (88,)
GREETING = len(kerberos.GREETINGS[0]).to_bytes(4, "big") + kerberos.GREETINGS[0]


def recognise(said: bytes) -> Spoken | None:
    """Read the error behind its length."""
    return kerberos.recognise(said[4:])
