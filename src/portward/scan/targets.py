"""Which hosts a scan is asked to look at: words to intervals of addresses (pure, no I/O)."""

import re
from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address, NetmaskValueError, ip_network
from itertools import product
from math import prod
from typing import NamedTuple

from portward.model.errors import UsageError

MAX_ADDRESSES = 1 << 20
"""Of one scan. No IPv6 network is that small: there one asks for hosts, not for networks."""
MAX_PUBLIC = 1 << 10
"""As many as a /22 has; more public addresses are seldom all one's own."""

_MOST_SPANS = 1 << 16
"""Of one word that has ranges in its upper octets."""
_OCTETS = re.compile(r"(?:\d{1,3}(?:-\d{1,3})?\.){3}\d{1,3}(?:-\d{1,3})?", re.ASCII)
_LOOKS_LIKE_AN_ADDRESS = re.compile(r"[\d./-]+|[0-9a-fA-F:./-]*:[0-9a-fA-F:./%-]*", re.ASCII)
_NAME = re.compile(r"[^\W_][\w.-]*")
"""Any letters: names may be international (RFC 5890)."""

# What is not routed on the internet (IANA's special-purpose registries), RFC 6890 and RFC 8190.
_PRIVATE = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24"),
        *("::1/128", "fc00::/7", "fe80::/10", "2001:db8::/32"),
    )
)


class Span(NamedTuple):
    """An inclusive interval of addresses of one family."""

    version: int
    """4 or 6."""
    first: int
    last: int
    zone: str = ""
    """Name of the interface that a link-local address is meant on."""


class Name(NamedTuple):
    """A host name, still to be resolved."""

    text: str


def parse(word: str) -> tuple[Span, ...] | Name:
    """Read an address, a network, a range of addresses, or a name; UsageError for anything else.

    Ranges are written ``10.0.0.1-10.0.0.20``, ``10.0.0.1-20`` or ``10.0-3.0.1-20``.
    """
    try:
        found = _addresses(word)
    except (ValueError, AddressValueError, NetmaskValueError) as error:
        raise UsageError(f'"{word}" is no target: {error}', mend=_HOW) from None
    if found:
        return found
    if _LOOKS_LIKE_AN_ADDRESS.fullmatch(word) or not _NAME.fullmatch(word):
        raise UsageError(f'"{word}" is no target', mend=_HOW)
    return Name(word)


_HOW = "write a host name, an address, 10.0.0.0/24 or 10.0.0.1-10.0.0.20"


def _addresses(word: str) -> tuple[Span, ...]:
    """Read what is written in digits; nothing for a word that may be a name."""
    if _OCTETS.fullmatch(word):
        return tuple(_octets(word))
    word, _, zone = word.partition("%")
    if not _LOOKS_LIKE_AN_ADDRESS.fullmatch(word):
        return ()
    if "/" in word:
        network = ip_network(word, strict=False)
        return (Span(network.version, int(network[0]), int(network.broadcast_address), zone),)
    first, dash, last = word.partition("-")
    low = _address(first)
    high = _address(last) if dash else low
    if low.version != high.version or int(low) > int(high):
        raise ValueError("the range ends before it begins")
    return (Span(low.version, int(low), int(high), zone),)


def _address(text: str) -> IPv4Address | IPv6Address:
    return IPv6Address(text) if ":" in text else IPv4Address(text)


def _octets(word: str) -> Iterator[Span]:
    """Read four octets, each a number or a range of numbers."""
    ranges = []
    for text in word.split("."):
        first, dash, last = text.partition("-")
        low, high = int(first), int(last if dash else first)
        if not low <= high <= 255:  # noqa: PLR2004 - the largest octet
            raise ValueError(f'"{text}" is no octet')
        ranges.append((low, high))
    *upper, (low, high) = ranges
    if prod(last - first + 1 for first, last in upper) > _MOST_SPANS:
        raise ValueError("that is too many networks")
    for octets in product(*(range(first, last + 1) for first, last in upper)):
        base = int.from_bytes(bytes((*octets, 0)), "big")
        yield Span(4, base + low, base + high)


def without(spans: Iterable[Span], excluded: Iterable[Span]) -> tuple[Span, ...]:
    """Return the spans sorted and merged, without the excluded ones."""
    left = _merged(spans)
    for hole in excluded:
        left = [part for span in left for part in _cut(span, hole)]
    return tuple(left)


def _merged(spans: Iterable[Span]) -> list[Span]:
    result: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.version, one.zone, one.first)):
        before = result[-1] if result else None
        if (
            before
            and (before.version, before.zone) == (span.version, span.zone)
            and span.first <= before.last + 1
        ):
            result[-1] = before._replace(last=max(before.last, span.last))
        else:
            result.append(span)
    return result


def _cut(span: Span, hole: Span) -> Iterator[Span]:
    if span.version != hole.version or (hole.zone and hole.zone != span.zone):
        yield span
        return
    if span.first < hole.first:
        yield span._replace(last=min(span.last, hole.first - 1))
    if span.last > hole.last:
        yield span._replace(first=max(span.first, hole.last + 1))


def expect_modest(spans: Iterable[Span], *, authorised: bool) -> None:
    """Refuse more addresses than one scan takes, and more public ones than anyone's own."""
    spans = tuple(spans)
    total = sum(span.last - span.first + 1 for span in spans)
    if total > MAX_ADDRESSES:
        raise UsageError(
            f"{total:,} addresses are more than the {MAX_ADDRESSES:,} that one scan takes",
            mend="name the hosts, or smaller networks",
        )
    public = sum(_public(span) for span in spans)
    if public > MAX_PUBLIC and not authorised:
        raise UsageError(
            f"{public:,} public addresses are more than a /22; scan only what is your own",
            mend="say --i-am-authorised if you may",
        )


def _public(span: Span) -> int:
    """Count the addresses of a span that the internet routes."""
    holes = [
        Span(one.version, int(one[0]), int(one.broadcast_address))
        for one in _PRIVATE
        if one.version == span.version
    ]
    return sum(part.last - part.first + 1 for part in without([span], holes))


def addresses(spans: Iterable[Span]) -> Iterator[tuple[bytes, str]]:
    """Yield every address in the bytes of the wire, with its zone."""
    for span in spans:
        size = 4 if span.version == 4 else 16  # noqa: PLR2004 - IPv4
        for number in range(span.first, span.last + 1):
            yield number.to_bytes(size, "big"), span.zone


def single(packed: bytes, zone: str = "") -> Span:
    """Return the span of one address."""
    number = int.from_bytes(packed, "big")
    return Span(4 if len(packed) == 4 else 6, number, number, zone)  # noqa: PLR2004 - IPv4


def is_private(packed: bytes) -> bool:
    """Say whether the internet does not route an address."""
    return not _public(single(packed))


def packed(text: str) -> bytes:
    """Return an address in the bytes of the wire; raise ValueError for what is none."""
    return _address(text).packed


def written(packed: bytes) -> str:
    """Write an address for a person."""
    return str(IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed))  # noqa: PLR2004
