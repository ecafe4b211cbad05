"""IRC (RFC 2812; ircv3.net, "Capability Negotiation"): what the server can do."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import text

PORTS = (6667, 6697)
GREETING = b"CAP LS 302\r\nQUIT\r\n"
SECURED = "ircs"
_SAYS = re.compile(
    rb"^(?::(\S+) )?(?:CAP \* LS :|NOTICE (?:AUTH|\*) :|ERROR :Closing Link)", re.MULTILINE
)


def recognise(said: bytes) -> Spoken | None:
    """Read the capabilities, or a notice."""
    found = _SAYS.match(said)
    return Spoken(protocol="irc", product=text(found[1] or b""), cleartext=True) if found else None
