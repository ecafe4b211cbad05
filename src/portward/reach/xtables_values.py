"""Values as iptables-save writes them: addresses, ports, marks, lists of names."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address

from portward.reach import names
from portward.reach.ruleset import Bits, Field, Part, Range, Test
from portward.reach.xtables_words import Option

WORD = 0xFFFF_FFFF
"""Marks and flags have 32 bits."""
ANY: tuple[Range, ...] = ((0, (1 << 128) - 1),)
SOME: tuple[Range, ...] = ((1, (1 << 128) - 1),)
"""Every number but zero: what a mask leaves where one of its bits is set."""
MAX_PORT = 0xFFFF


def one_of(part: Part | str, ranges: Iterable[Range], *, negated: bool = False) -> Test:
    """Return the question whether a field, or a part of it, has one of the numbers."""
    return Test((Field(part) if isinstance(part, str) else part,), ((tuple(ranges),),), negated)


def number(text: str, largest: int = WORD) -> int:
    """Read a number in decimal or, after 0x, hexadecimal."""
    try:
        found = int(text, 0)
    except ValueError:
        found = -1
    if not 0 <= found <= largest:
        raise ValueError(f"{text!r} is no number from 0 to {largest:#x}")
    return found


def span(text: str, separator: str, largest: int) -> Range:
    """Read a number or a range of numbers, either end of which may be missing."""
    first, dash, last = text.partition(separator)
    if not dash:
        return number(first, largest), number(first, largest)
    low = number(first, largest) if first else 0
    high = number(last, largest) if last else largest
    if low > high:
        raise ValueError(f"{text!r} runs backwards")
    return low, high


def ports(text: str) -> tuple[Range, ...]:
    """Read "22", "1024:65535" or a list of such."""
    return tuple(span(one, ":", MAX_PORT) for one in text.split(","))


def masked(text: str) -> tuple[int, int]:
    """Read "0x4000/0xff00", a value and its mask."""
    value, slash, mask = text.partition("/")
    return number(value), number(mask) if slash else WORD


@lru_cache(maxsize=4096)
def address(text: str, bits: int) -> int:
    """Read an address of the family with so many bits."""
    try:
        found = ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is no address") from None
    if found.max_prefixlen != bits:
        raise ValueError(f"{text!r} is of the other address family")
    return int(found)


def addresses(text: str, bits: int) -> Range:
    """Read an address or a range "a-b"."""
    first, dash, last = text.partition("-")
    low = address(first, bits)
    high = address(last, bits) if dash else low
    if low > high:
        raise ValueError(f"{text!r} runs backwards")
    return low, high


def network_test(field: str, text: str, bits: int, *, negated: bool) -> Test:
    """Return the question whether an address is in a network, or one of several."""
    spans = []
    for one in text.split(","):
        given, slash, mask_text = one.partition("/")
        mask = _mask(mask_text, bits) if slash else (1 << bits) - 1
        value = address(given, bits) & mask
        host = mask ^ ((1 << bits) - 1)
        if host & (host + 1) == 0:
            spans.append((value, value | host))
        elif "," in text:
            raise ValueError(f"{text!r} has a mask that is no prefix")
        else:
            return one_of(Bits(Field(field), mask), ((value, value),), negated=negated)
    return one_of(field, spans, negated=negated)


def _mask(text: str, bits: int) -> int:
    if not text.isdigit():
        return address(text, bits)
    length = number(text, bits)
    return ((1 << length) - 1) << (bits - length)


def bits_of(text: str, known: Mapping[str, int]) -> int:
    """Join the bits of a list of names."""
    found = 0
    for name in text.split(","):
        if name not in known:
            raise ValueError(f"{name!r} is not known here")
        found |= known[name]
    return found


def protocol(text: str) -> int | None:
    """Read a protocol; None where its name is not known."""
    if text.isdigit():
        return number(text, 255)
    return names.PROTOCOLS.get(text.lower())


def rate(text: str) -> str:
    """Write out the unit of a rate: "3/min" is "3/minute"."""
    amount, slash, unit = text.partition("/")
    units = ("second", "minute", "hour", "day")
    return amount + slash + next((one for one in units if unit and one.startswith(unit)), unit)


def ranges_test(field: str, option: Option, separator: str, largest: int) -> Test:
    """Return the question whether a field lies in the range that an option gives."""
    return one_of(field, (span(option.value, separator, largest),), negated=option.negated)
