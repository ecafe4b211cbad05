"""SSDP asked by unicast (UPnP Device Architecture 1.1, 1.3.2): which root devices there are."""

import re

from portward.model.scan import Spoken

PORTS = (1900,)
_SEARCH = (
    b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"
    b'MAN: "ssdp:discover"\r\nMX: 1\r\nST: %s\r\n\r\n'
)
GREETINGS = (_SEARCH % b"upnp:rootdevice", _SEARCH % b"ssdp:all")
_SERVER = re.compile(rb"^server:[ \t]*([^\r\n]{1,200})", re.IGNORECASE | re.MULTILINE)
_NAMED = re.compile(rb"^usn:", re.IGNORECASE | re.MULTILINE)


def recognise(reply: bytes) -> Spoken | None:
    """Read an answer to a search."""
    if not reply.startswith(b"HTTP/1.1 200 OK\r\n") or not _NAMED.search(reply):
        return None
    server = _SERVER.search(reply)
    product = server[1].decode("utf-8", "replace").strip() if server else ""
    return Spoken(protocol="ssdp", product=product, cleartext=True)
