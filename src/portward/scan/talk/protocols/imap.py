"""IMAP (RFC 9051), which has STARTTLS of its own."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import Step, text

PORTS = (143, 993)
GREETING = None
SECURED = "imaps"
_SAYS = re.compile(rb"^\* (?:OK|PREAUTH|BYE) (?:\[[^\]\r\n]*\] ?)?([^\r\n]*)\r?\n")
STARTTLS = (
    Step(b"", _SAYS),
    Step(b"pw1 STARTTLS\r\n", re.compile(rb"^pw1 OK[^\n]*\n", re.MULTILINE | re.IGNORECASE)),
)


def recognise(said: bytes) -> Spoken | None:
    """Read the greeting."""
    found = _SAYS.match(said)
    return Spoken(protocol="imap", product=text(found[1]), cleartext=True) if found else None
