"""FTP (RFC 959); AUTH TLS by RFC 4217."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import Step, text

PORTS = (21, 990, 2121)
GREETING = None
SECURED = "ftps"
_SAYS = re.compile(rb"^220[ -]([^\r\n]*)")
_OTHERS = re.compile(rb"E?SMTP", re.IGNORECASE)
STARTTLS = (
    Step(b"", re.compile(rb"^220 [^\n]*\n", re.MULTILINE)),
    Step(b"AUTH TLS\r\n", re.compile(rb"^234[ -][^\n]*\n", re.MULTILINE)),
)


def recognise(said: bytes) -> Spoken | None:
    """Read the greeting."""
    found = _SAYS.match(said)
    if not found or _OTHERS.search(said):
        return None
    return Spoken(protocol="ftp", product=text(found[1].strip(b"()")), cleartext=True)
