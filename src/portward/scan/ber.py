"""Values in the basic encoding rules of ASN.1 (ITU-T X.690), as SNMP, LDAP and Kerberos use them.

Only tags of one byte and definite lengths, which is all that those three need.
"""

from collections.abc import Iterator
from typing import NamedTuple

INTEGER, OCTETS, NULL, OBJECT, ENUMERATED = 0x02, 0x04, 0x05, 0x06, 0x0A
SEQUENCE = 0x30
_SHORT = 0x80
_MOST_LENGTH_BYTES = 4


class Element(NamedTuple):
    """One value with its tag."""

    tag: int
    value: bytes


def write(tag: int, *parts: bytes) -> bytes:
    """Put parts together under a tag."""
    value = b"".join(parts)
    size = len(value)
    if size < _SHORT:
        return bytes((tag, size)) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _SHORT | len(length))) + length + value


def integer(value: int, tag: int = INTEGER) -> bytes:
    """Write a whole number that is not negative."""
    return write(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(text: str | bytes, tag: int = OCTETS) -> bytes:
    """Write a string."""
    return write(tag, text.encode() if isinstance(text, str) else text)


def elements(data: bytes) -> Iterator[Element]:
    """Yield the values that stand one after another, up to the first that is cut short or odd."""
    at = 0
    while at + 2 <= len(data):
        tag, size = data[at], data[at + 1]
        at += 2
        if size >= _SHORT:
            count = size & ~_SHORT
            if not 0 < count <= _MOST_LENGTH_BYTES or at + count > len(data):
                return
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + size > len(data):
            return
        yield Element(tag, data[at : at + size])
        at += size


def inside(data: bytes, *tags: int) -> bytes | None:
    """Go down by tags, each the first of its kind; None where there is no such way."""
    for tag in tags:
        data_below = next((one.value for one in elements(data) if one.tag == tag), None)
        if data_below is None:
            return None
        data = data_below
    return data
