"""Networks as ranges of addresses that neither overlap nor touch, as the kernel's sets keep them.

A policy may name a hundred thousand networks, so addresses are plain numbers here.
"""

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_network
from typing import NamedTuple

Range = tuple[int, int]
"""The first and the last address."""

BITS = {4: 32, 6: 128}


class Addresses(NamedTuple):
    """Who is meant, in both families; a family may be empty."""

    v4: tuple[Range, ...]
    v6: tuple[Range, ...]

    def of(self, version: int) -> tuple[Range, ...]:
        """Return the ranges of one family."""
        return self.v4 if version == 4 else self.v6  # noqa: PLR2004 - IP's version


def addresses(networks: Iterable[str]) -> Addresses:
    """Read prefixes in their canonical spelling; an address alone is a prefix of one address."""
    found: dict[bool, list[Range]] = {False: [], True: []}
    for text in networks:
        six = ":" in text
        found[six].append(_six(text) if six else _four(text))
    return Addresses(_joined(found[False]), _joined(found[True]))


def _four(text: str) -> Range:
    address, _, length = text.partition("/")
    one, two, three, four = address.split(".")
    first = int(one) << 24 | int(two) << 16 | int(three) << 8 | int(four)
    return first, first | (1 << (32 - int(length or 32))) - 1


def _six(text: str) -> Range:
    network = ip_network(text)
    first = int(network.network_address)
    return first, first | (1 << (128 - network.prefixlen)) - 1


def _joined(ranges: list[Range]) -> tuple[Range, ...]:
    ranges.sort()
    joined: list[Range] = []
    for first, last in ranges:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(last, joined[-1][1])
        else:
            joined.append((first, last))
    return tuple(joined)


def written(number: int, version: int) -> str:
    """Write an address as nft does."""
    if version == 4:  # noqa: PLR2004 - as above
        # Three times as fast as ipaddress, of which a hundred thousand are a third of a second.
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return str(IPv6Address(number))


def length(first: int, last: int, version: int) -> int | None:
    """Return the length of the prefix that is exactly a range; None: it takes several."""
    size = last - first + 1
    if size & (size - 1) or first & (size - 1):
        return None
    return BITS[version] - size.bit_length() + 1
