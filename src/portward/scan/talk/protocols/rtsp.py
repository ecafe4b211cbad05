"""RTSP (RFC 2326): what a camera or media server can do."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import text

PORTS = (554, 8554)
GREETING = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: portward\r\n\r\n"
_STATUS = re.compile(rb"^RTSP/[12]\.0 \d{3} ")
_SERVER = re.compile(rb"^server:[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)


def recognise(said: bytes) -> Spoken | None:
    """Read the status line."""
    if not _STATUS.match(said):
        return None
    server = _SERVER.search(said)
    return Spoken(protocol="rtsp", product=text(server[1]) if server else "", cleartext=True)
