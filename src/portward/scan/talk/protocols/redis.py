"""Redis and its kin (its "Redis serialization protocol")."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import text

PORTS = (6379, 6380, 26379)
GREETING = b"PING\r\nINFO server\r\n"
_ANSWERS = re.compile(rb"^(?:\+PONG|-NOAUTH |-DENIED Redis|-NOPERM |-LOADING )")
_VERSION = re.compile(rb"^(redis|valkey|keydb)_version:([^\r\n]+)", re.MULTILINE)


def recognise(said: bytes) -> Spoken | None:
    """Read the answer to a ping, and the version where anyone is told."""
    if not _ANSWERS.match(said):
        return None
    found = _VERSION.search(said)
    product = f"{text(found[1]).capitalize()} {text(found[2])}" if found else ""
    return Spoken(protocol="redis", product=product, cleartext=True)
