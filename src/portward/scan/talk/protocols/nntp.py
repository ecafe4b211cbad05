"""NNTP (RFC 3977); STARTTLS by RFC 4642."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import Step, text

PORTS = (119, 563)
GREETING = None
SECURED = "nntps"
_SAYS = re.compile(rb"^20[01] ([^\r\n]*(?:NNTP|InterNetNews|news)[^\r\n]*)\r?\n", re.IGNORECASE)
STARTTLS = (
    Step(b"", _SAYS),
    Step(b"STARTTLS\r\n", re.compile(rb"^382 [^\n]*\n", re.MULTILINE)),
)


def recognise(said: bytes) -> Spoken | None:
    """Read the greeting."""
    found = _SAYS.match(said)
    return Spoken(protocol="nntp", product=text(found[1]), cleartext=True) if found else None
