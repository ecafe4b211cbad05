"""Kerberos (RFC 4120): a ticket for nobody of no realm, which every KDC refuses by an error."""

from portward.model.scan import Spoken
from portward.scan.ber import SEQUENCE, inside, integer, octets, write

PORTS = (88,)
_APPLICATION = 0x60
_AS_REQ, _ERROR = _APPLICATION | 10, _APPLICATION | 30
_VERSION = 5
_GENERAL_STRING, _GENERALIZED_TIME, _BIT_STRING = 0x1B, 0x18, 0x03
_REALM = "PORTWARD.INVALID"
_AES256 = 18


def _at(number: int, *parts: bytes) -> bytes:
    return write(0xA0 | number, *parts)


def _name(kind: int, *words: str) -> bytes:
    strings = (octets(word, _GENERAL_STRING) for word in words)
    return write(SEQUENCE, _at(0, integer(kind)), _at(1, write(SEQUENCE, *strings)))


GREETINGS = (
    write(
        _AS_REQ,
        write(
            SEQUENCE,
            _at(1, integer(_VERSION)),
            _at(2, integer(10)),
            _at(
                4,
                write(
                    SEQUENCE,
                    _at(0, write(_BIT_STRING, bytes(5))),
                    _at(1, _name(1, "portward")),
                    _at(2, octets(_REALM, _GENERAL_STRING)),
                    _at(3, _name(2, "krbtgt", _REALM)),
                    _at(5, octets("20370913024805Z", _GENERALIZED_TIME)),
                    _at(7, integer(0x70777264)),
                    _at(8, write(SEQUENCE, integer(_AES256))),
                ),
            ),
        ),
    ),
)


def recognise(reply: bytes) -> Spoken | None:
    """Read an error of the protocol."""
    error = inside(reply, _ERROR, SEQUENCE)
    if error is None or inside(error, 0xA0) != integer(_VERSION):
        return None
    return Spoken(protocol="kerberos", cleartext=None)
