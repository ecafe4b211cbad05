"""IRC (RFC 2812): notices before anyone has said who they are."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import text

PORTS = (6667, 6697)
GREETING = None
SECURED = "ircs"
_SAYS = re.compile(rb"^(?::(\S+) )?(?:NOTICE (?:AUTH|\*) :|ERROR :Closing Link)", re.MULTILINE)


def recognise(said: bytes) -> Spoken | None:
    """Read a notice."""
    found = _SAYS.match(said)
    return Spoken(protocol="irc", product=text(found[1] or b""), cleartext=True) if found else None
