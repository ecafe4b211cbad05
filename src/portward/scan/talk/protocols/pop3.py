"""POP3 (RFC 1939); STLS by RFC 2595."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import Step, text

PORTS = (110, 995)
GREETING = None
SECURED = "pop3s"
_SAYS = re.compile(rb"^\+OK ?([^\r\n]*)\r?\n")
STARTTLS = (Step(b"", _SAYS), Step(b"STLS\r\n", re.compile(rb"^\+OK[^\n]*\n")))


def recognise(said: bytes) -> Spoken | None:
    """Read the greeting."""
    found = _SAYS.match(said)
    return Spoken(protocol="pop3", product=text(found[1]), cleartext=True) if found else None
