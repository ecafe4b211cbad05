"""SSH (RFC 4253, 4.2)."""

import re

from portward.model.scan import Spoken

PORTS = (22, 2222)
GREETING = None
_SAYS = re.compile(rb"^SSH-(\d\.\d+)-([^\r\n]{1,200})", re.MULTILINE)


def recognise(said: bytes) -> Spoken | None:
    """Read the identification, which other lines may precede."""
    found = _SAYS.search(said[:8192])
    if not found:
        return None
    product = found[2].decode("utf-8", "replace").replace("_", " ", 1)
    return Spoken(protocol="ssh", product=product, cleartext=False)
