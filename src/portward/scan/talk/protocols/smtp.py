"""SMTP (RFC 5321); STARTTLS by RFC 3207."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import Step, text

PORTS = (25, 465, 587, 2525)
GREETING = None
SECURED = "submissions"
_SAYS = re.compile(rb"^(?:220|554|421)[ -]([^\r\n]*)")
_MAIL = re.compile(rb"E?SMTP|mail", re.IGNORECASE)
STARTTLS = (
    Step(b"", re.compile(rb"^220 [^\n]*\n", re.MULTILINE)),
    Step(
        b"EHLO portward.invalid\r\n",
        re.compile(rb"^250[ -]STARTTLS\b", re.MULTILINE | re.IGNORECASE),
    ),
    Step(b"STARTTLS\r\n", re.compile(rb"^220 [^\n]*\n", re.MULTILINE)),
)


def recognise(said: bytes) -> Spoken | None:
    """Read the greeting; FTP begins alike, so it must speak of mail."""
    found = _SAYS.match(said)
    if not found or not _MAIL.search(found[1]):
        return None
    return Spoken(protocol="smtp", product=text(found[1].partition(b" ")[2]), cleartext=True)
