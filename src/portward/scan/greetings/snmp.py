"""SNMP: sysDescr by v1 (RFC 1157) and v2c (RFC 1901), and who answers by v3 (RFC 3414).

The first two are answered where the community is "public"; discovery by v3 needs no secret.
"""

from portward.model.scan import Spoken
from portward.scan.ber import (
    INTEGER,
    OCTETS,
    SEQUENCE,
    Element,
    elements,
    inside,
    integer,
    octets,
    write,
)

PORTS = (161, 1161)
_NUMBER = 0x70777264
"""Identifier of every request."""
_GET, _RESPONSE, _REPORT = 0xA0, 0xA2, 0xA8
_NULL, _OBJECT = b"\x05\x00", 0x06
_SYS_DESCR = write(_OBJECT, bytes.fromhex("2b06010201010100"))
"""1.3.6.1.2.1.1.1.0 (RFC 3418)."""
_V1, _V2C, _V3 = 0, 1, 3
_REPORTABLE, _USER_SECURITY_MODEL = b"\x04", 3
_MOST_BYTES = 65_507


def _request(*bindings: bytes) -> bytes:
    return write(_GET, integer(_NUMBER), integer(0), integer(0), write(SEQUENCE, *bindings))


_ASKED = write(SEQUENCE, _SYS_DESCR, _NULL)
GREETINGS = (
    write(SEQUENCE, integer(_V1), octets("public"), _request(_ASKED)),
    write(SEQUENCE, integer(_V2C), octets("public"), _request(_ASKED)),
    write(
        SEQUENCE,
        integer(_V3),
        write(
            SEQUENCE,
            integer(_NUMBER),
            integer(_MOST_BYTES),
            octets(_REPORTABLE),
            integer(_USER_SECURITY_MODEL),
        ),
        octets(
            write(SEQUENCE, octets(""), integer(0), integer(0), octets(""), octets(""), octets(""))
        ),
        write(SEQUENCE, octets(""), octets(""), _request()),
    ),
)


def recognise(reply: bytes) -> Spoken | None:
    """Read a response, or the report of a version 3 engine."""
    parts = list(elements(inside(reply, SEQUENCE) or b""))
    if len(parts) < 3 or parts[0].tag != INTEGER or len(parts[0].value) != 1:  # noqa: PLR2004
        return None
    if parts[0].value[0] == _V3:
        return _report(parts[1].value, parts[-1].value)
    return _response(parts[2]) if parts[0].value[0] in {_V1, _V2C} else None


def _report(header: bytes, scoped: bytes) -> Spoken | None:
    """Read the report; our own question, sent back by an echo service, has none."""
    about = next(elements(header), None)
    if about is None or int.from_bytes(about.value, "big") != _NUMBER:
        return None
    if inside(scoped, _REPORT) is None:
        return None
    return Spoken(protocol="snmp", product="SNMPv3", cleartext=None)


def _response(message: Element) -> Spoken | None:
    """Read the response with our number."""
    inner = list(elements(message.value)) if message.tag == _RESPONSE else []
    if not inner or int.from_bytes(inner[0].value, "big") != _NUMBER:
        return None
    binding = inside(inner[-1].value, SEQUENCE) or b""
    says = [one.value for one in elements(binding) if one.tag == OCTETS]
    product = says[0].decode("utf-8", "replace")[:200] if says else ""
    return Spoken(protocol="snmp", product=product, cleartext=True)
