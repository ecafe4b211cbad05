"""memcached (its doc/protocol.txt)."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import text

PORTS = (11211,)
GREETING = b"version\r\n"
_SAYS = re.compile(rb"^VERSION ([^\r\n]+)\r\n")


def recognise(said: bytes) -> Spoken | None:
    """Read the version."""
    found = _SAYS.match(said)
    if not found:
        return None
    return Spoken(protocol="memcached", product=f"memcached {text(found[1])}", cleartext=True)
