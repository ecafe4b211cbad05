"""What LDAP (RFC 4511) says and hears over TCP and UDP alike: the root entry of a directory."""

from portward.model.scan import Spoken
from portward.scan.ber import ENUMERATED, SEQUENCE, elements, inside, integer, octets, write

_SEARCH, _ENTRY, _DONE, _EXTENDED = 0x63, 0x64, 0x65, 0x78
_PRESENT = 0x87
"""Filter: the attribute is there."""
_TYPES_ONLY = b"\x01\x01\x00"
_SECONDS, _ENTRIES = 5, 1


def search_root(number: int) -> bytes:
    """Ask for the vendor's name and version in the root entry (RFC 4512, 5.1; RFC 3045)."""
    return write(
        SEQUENCE,
        integer(number),
        write(
            _SEARCH,
            octets(""),
            integer(0, ENUMERATED),  # the entry itself
            integer(0, ENUMERATED),  # no alias is followed
            integer(_ENTRIES),
            integer(_SECONDS),
            _TYPES_ONLY,
            octets("objectClass", _PRESENT),
            write(SEQUENCE, octets("vendorName"), octets("vendorVersion")),
        ),
    )


def recognise_entry(reply: bytes, number: int) -> Spoken | None:
    """Read the answer to search_root() with its number."""
    message = inside(reply, SEQUENCE)
    parts = list(elements(message or b""))
    if len(parts) < 2 or parts[0].tag != 0x02:  # noqa: PLR2004 - number and operation
        return None
    if int.from_bytes(parts[0].value, "big") not in {number, 0} or parts[1].tag not in {
        _ENTRY,
        _DONE,
        _EXTENDED,
    }:
        return None
    words = []
    for attribute in elements(inside(parts[1].value, SEQUENCE) or b""):
        values = inside(attribute.value, 0x31, 0x04)  # the first of a set of strings
        if attribute.tag == SEQUENCE and values:
            words.append(values.decode("utf-8", "replace"))
    return Spoken(protocol="ldap", product=" ".join(words)[:200], cleartext=True)
