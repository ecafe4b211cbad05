"""VNC: the remote framebuffer protocol (RFC 6143, 7.1.1)."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import text

PORTS = (5900, 5901, 5902)
GREETING = None
_SAYS = re.compile(rb"^RFB \d{3}\.\d{3}\n")


def recognise(said: bytes) -> Spoken | None:
    """Read the version; which security comes after it is for the client to choose."""
    found = _SAYS.match(said)
    return Spoken(protocol="vnc", product=text(found[0]), cleartext=None) if found else None
