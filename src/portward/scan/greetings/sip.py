"""SIP (RFC 3261, 11): what a server can do."""

import re

from portward.model.scan import Spoken

PORTS = (5060,)
GREETINGS = (
    (
        b"OPTIONS sip:portward@portward.invalid SIP/2.0\r\n"
        # rport: the answer comes to where this came from (RFC 3581).
        b"Via: SIP/2.0/UDP portward.invalid;branch=z9hG4bKportward;rport\r\n"
        b"Max-Forwards: 70\r\n"
        b"To: <sip:portward@portward.invalid>\r\n"
        b"From: <sip:portward@portward.invalid>;tag=portward\r\n"
        b"Call-ID: portward\r\nCSeq: 1 OPTIONS\r\n"
        b"Contact: <sip:portward@portward.invalid>\r\n"
        b"Accept: application/sdp\r\nContent-Length: 0\r\n\r\n"
    ),
)
_STATUS = re.compile(rb"SIP/2\.0 [1-6]\d\d ")
_SERVER = re.compile(
    rb"^(?:server|user-agent):[ \t]*([^\r\n]{1,200})", re.IGNORECASE | re.MULTILINE
)


def recognise(reply: bytes) -> Spoken | None:
    """Read a response."""
    if not _STATUS.match(reply):
        return None
    server = _SERVER.search(reply)
    product = server[1].decode("utf-8", "replace").strip() if server else ""
    return Spoken(protocol="sip", product=product, cleartext=True)
