"""What a policy opens as parts of a table: sets of networks, chains that ask who, maps of ports.

A packet is looked up once by its port, whatever their number, and once by its address.
"""

from typing import NamedTuple

from portward.backends import nft_words as nft
from portward.backends.allowed import Group, Opening
from portward.backends.nft_words import (
    ACCEPT,
    Chain,
    Element,
    Parts,
    Rule,
    Set,
    Words,
)
from portward.model.net import Protocol

HEADERS = {4: "ip", 6: "ip6"}
"""The names of both families' headers in nft."""
_MOST_LETTERS = 40
"""Letters of a network's own name that stay in the name of its set."""

DHCP_SERVER = 67


class Doors(NamedTuple):
    """Maps from ports to verdicts in one direction, and the chains that they lead to."""

    parts: Parts
    maps: tuple[tuple[Protocol, str], ...]
    """Protocols with ports, and the name of each one's map."""
    raw: tuple[Rule, ...]
    """Rules for IP protocols without ports."""
    serves_dhcp: bool
    """Port 67 of UDP is among them."""

    def by_port(self, name: str) -> tuple[Rule, ...]:
        """Return the rules that look up a port of the header, "dport" or "sport"."""
        looked = [
            (nft.dispatch(nft.field(str(protocol), name), found),) for protocol, found in self.maps
        ]
        return (*map(Rule, looked), *self.raw)

    def by_first_port(self) -> tuple[Rule, ...]:
        """Return the rules that look up the port that a translated packet was sent to at first."""
        looked = [
            (
                nft.meta("l4proto", nft.value(str(protocol))),
                nft.dispatch(nft.FIRST_PORT, found),
            )
            for protocol, found in self.maps
        ]
        return tuple(map(Rule, looked))


class Names:
    """Names of sets and chains, after the policy's own words, each once."""

    def __init__(self) -> None:
        """Begin with none."""
        self._groups: dict[Group, str] = {}
        self._sets: set[str] = set()
        self._chains: set[str] = set()

    def of(self, group: Group) -> str:
        """Name a group of networks."""
        if group not in self._groups:
            plain = group.label.replace("-", "_")
            fit = plain.isascii() and plain.replace("_", "").isalnum()
            name = f"net_{plain[:_MOST_LETTERS]}" if fit else "networks"
            self._groups[group] = _free(name, self._sets)
        return self._groups[group]

    def chain(self, wanted: str) -> str:
        """Name a chain."""
        return _free(wanted, self._chains)

    def sets(self) -> Parts:
        """Return the sets of all groups that were named."""
        return Parts(
            sets=tuple(
                Set(
                    f"{name}_v{version}",
                    f"ipv{version}_addr",
                    tuple(map(Element, nft.addresses(group.addresses.of(version), version))),
                )
                for group, name in self._groups.items()
                for version in HEADERS
                if group.addresses.of(version)
            )
        )


def _free(wanted: str, taken: set[str]) -> str:
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    taken.add(name)
    return name


class _Way(NamedTuple):
    """A direction."""

    word: str
    """Begins the names of its chains."""
    address: str
    """The field of a header that tells the other side."""
    table: str
    """Ends the names of its maps."""


_IN, _OUT = _Way("from", "saddr", "ports"), _Way("to", "daddr", "out")


def incoming(opened: tuple[Opening, ...], names: Names) -> Doors:
    """Return the doors for what comes to this machine, by who sends it."""
    return _Maker(names, _IN).doors(opened)


def outgoing(opened: tuple[Opening, ...], names: Names) -> Doors:
    """Return the doors for what leaves, by where it goes."""
    return _Maker(names, _OUT).doors(opened)


class _Maker:
    """Makes the doors of one direction."""

    def __init__(self, names: Names, way: _Way) -> None:
        self._names = names
        self._way = way
        self._chains: dict[tuple[Group, ...], Chain] = {}

    def doors(self, opened: tuple[Opening, ...]) -> Doors:
        maps: dict[Protocol, list[Element]] = {}
        raw = []
        for one in opened:
            verdict = self._verdict(one)
            said = nft.comment(", ".join(one.origins))
            if one.protocol == Protocol.RAW:
                raw.append(Rule((nft.meta("l4proto", nft.value(one.first)), verdict), said))
            else:
                element = Element(nft.span(one.first, one.last), verdict, said)
                maps.setdefault(one.protocol, []).append(element)
        named = {protocol: f"{protocol}_{self._way.table}" for protocol in maps}
        sets = [Set(named[of], "inet_service", tuple(held)) for of, held in maps.items()]
        chains = tuple(self._chains.values())
        return Doors(
            Parts(tuple(sets), chains),
            tuple(named.items()),
            tuple(raw),
            serves_dhcp=any(
                one.protocol == Protocol.UDP and one.first <= DHCP_SERVER <= one.last
                for one in opened
            ),
        )

    def _verdict(self, one: Opening) -> Words:
        """Say what becomes of packets to an opening; a chain asks who where that matters."""
        if one.anyone:
            return ACCEPT
        if one.groups not in self._chains:
            self._chains[one.groups] = self._chain(one.groups)
        return nft.jump(self._chains[one.groups].name)

    def _chain(self, groups: tuple[Group, ...]) -> Chain:
        words = [self._names.of(group) for group in groups]
        rules = [
            Rule((nft.is_in(nft.field(header, self._way.address), f"{name}_v{version}"), ACCEPT))
            for group, name in zip(groups, words, strict=True)
            for version, header in HEADERS.items()
            if group.addresses.of(version)
        ]
        plain = [name.removeprefix("net_") for name in words]
        wanted = "_or_".join(plain[:2]) if len(plain) <= 2 else "several"  # noqa: PLR2004 - readable
        return Chain(self._names.chain(f"{self._way.word}_{wanted}"), tuple(rules))
