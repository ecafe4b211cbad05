"""ManageSieve (RFC 5804): capabilities come first."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import Step, text

PORTS = (4190,)
GREETING = None
_SAYS = re.compile(rb'^"IMPLEMENTATION" "([^"\r\n]*)"', re.MULTILINE)
STARTTLS = (
    Step(b"", re.compile(rb'^"STARTTLS"(?:.|\n)*^OK', re.MULTILINE)),
    Step(b"STARTTLS\r\n", re.compile(rb"^OK", re.MULTILINE)),
)


def recognise(said: bytes) -> Spoken | None:
    """Read the implementation."""
    found = _SAYS.search(said)
    return Spoken(protocol="managesieve", product=text(found[1]), cleartext=True) if found else None
