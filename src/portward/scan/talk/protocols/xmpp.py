"""XMPP (RFC 6120): an opened stream; STARTTLS by section 5."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import Step

PORTS = (5222, 5269, 5223)
GREETING = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='localhost' version='1.0' "
    b"xmlns:stream='http://etherx.jabber.org/streams'>"
)
_SAYS = re.compile(rb"<stream:stream\b[^>]{0,1000}etherx\.jabber\.org")
_SERVER = re.compile(rb"xmlns=['\"]jabber:server['\"]")
STARTTLS = (
    Step(GREETING, re.compile(rb"<starttls\b")),
    Step(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", re.compile(rb"<proceed\b")),
)


def recognise(said: bytes) -> Spoken | None:
    """Read the stream that the server opens."""
    if not _SAYS.search(said[:4096]):
        return None
    name = "xmpp-server" if _SERVER.search(said[:4096]) else "xmpp-client"
    return Spoken(protocol=name, cleartext=True)
