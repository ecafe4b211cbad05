"""MySQL and MariaDB: the initial handshake packet, and a client's request for TLS.

Client/Server Protocol, "Protocol::HandshakeV10" and "Protocol::SSLRequest".
"""

import re
import struct

from portward.model.scan import Spoken
from portward.scan.talk.protocols import Step, text

PORTS = (3306,)
GREETING = None
_PROTOCOL_10, _ERROR = 0x0A, 0xFF
_SECURED, _PROTOCOL_41, _SSL = 0x8000, 0x0200, 0x0800
_MOST_BYTES, _UTF8 = 1 << 24, 33
_REQUEST = struct.pack("<IIB23x", _SECURED | _PROTOCOL_41 | _SSL, _MOST_BYTES, _UTF8)
_HEADER = 4
_VERSION = re.compile(rb"\A[ -~]{1,100}\0")


def _with_ssl() -> re.Pattern[bytes]:
    """Match a handshake whose lower capability flags hold SSL.

    They stand behind the version, connection id, eight bytes of a nonce and a zero.
    """
    high = b"".join(re.escape(bytes((one,))) for one in range(256) if one << 8 & _SSL)
    return re.compile(rb"\A...\x00\x0a[^\0]*\0.{4}.{8}\0.[" + high + rb"]", re.DOTALL)


STARTTLS = (
    Step(b"", _with_ssl()),
    # Number 1 in the sequence; TLS begins without an answer.
    Step(len(_REQUEST).to_bytes(3, "little") + b"\1" + _REQUEST, re.compile(b"")),
)


def recognise(said: bytes) -> Spoken | None:
    """Read the handshake, or the error for hosts that may not connect."""
    if len(said) < 7 or said[3] != 0:  # noqa: PLR2004 - header, and the shortest of the two
        return None
    size = int.from_bytes(said[:3], "little")
    body = said[_HEADER : _HEADER + size]
    if body[:1] == bytes((_PROTOCOL_10,)) and (version := _VERSION.match(body[1:])):
        name = text(version[0][:-1]).removeprefix("5.5.5-")  # put before it for old clients
        product = name if "MariaDB" in name else f"MySQL {name}"
        return Spoken(protocol="mysql", product=product, cleartext=True)
    if body[:1] == bytes((_ERROR,)) and size == len(said) - _HEADER and b"MySQL" in body:
        return Spoken(protocol="mysql", cleartext=True)
    if body[:1] == bytes((_ERROR,)) and size == len(said) - _HEADER and b"MariaDB" in body:
        return Spoken(protocol="mysql", product="MariaDB", cleartext=True)
    return None
