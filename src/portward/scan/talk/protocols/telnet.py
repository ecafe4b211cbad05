"""Telnet: options are negotiated (RFC 854), or a login is asked for."""

import re

from portward.model.scan import Spoken

PORTS = (23, 2323)
GREETING = None
_NEGOTIATES = re.compile(rb"^\xff[\xfb-\xfe][\x00-\x31]")
"""IAC, one of WILL, WON'T, DO, DON'T, and an option that is in use (IANA telnet options)."""
_ASKS = re.compile(rb"(?:login|username|password): ?$", re.IGNORECASE)


def recognise(said: bytes) -> Spoken | None:
    """Read the first option, or a prompt."""
    if _NEGOTIATES.match(said) or _ASKS.search(said[-64:]):
        return Spoken(protocol="telnet", cleartext=True)
    return None
