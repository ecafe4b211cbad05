"""rsync's own daemon: the version of its protocol comes first (rsync's clientserver.c)."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import text

PORTS = (873,)
GREETING = None
_SAYS = re.compile(rb"^@RSYNCD: (\d+(?:\.\d+)?)[^\n]*\n")


def recognise(said: bytes) -> Spoken | None:
    """Read the greeting."""
    found = _SAYS.match(said)
    if not found:
        return None
    return Spoken(protocol="rsync", product=f"protocol {text(found[1])}", cleartext=True)
