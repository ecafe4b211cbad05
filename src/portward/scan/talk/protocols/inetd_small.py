"""The small servers of old: daytime, chargen (RFC 867, RFC 864), which speak to whoever comes."""

import re

from portward.model.scan import Spoken

PORTS = (13, 19)
GREETING = None
_DAY = re.compile(
    rb"^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .{0,30}\d\d:\d\d:\d\d.{0,20}\d{4}\s*$"
)
_ALL = b"!\"#$%&'()*+,-./0123456789:;<=>?@"


def recognise(said: bytes) -> Spoken | None:
    """Read the date, or characters in their order without end."""
    if _DAY.match(said):
        return Spoken(protocol="daytime", cleartext=True)
    return Spoken(protocol="chargen", cleartext=True) if _ALL in said[:200] else None
