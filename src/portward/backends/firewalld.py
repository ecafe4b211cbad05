"""A policy as zones of firewalld: as its command line takes them, and as they stand in the kernel.

Only firewalld's own backend, nftables, is read. The names of its chains and the order of what a
zone asks are those of firewalld 0.9 to 2: ``filter_IN_<zone>`` leads to ``_pre``, ``_log``,
``_deny``, ``_allow`` and ``_post``.
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import Any, NamedTuple

from msgspec.structs import replace

from portward.backends import nft_words as nft
from portward.backends.allowed import Opening
from portward.backends.grants import Grant, grants, in_charge, sender, transport, version
from portward.backends.incoming import WINDOWS
from portward.backends.sides import Sides
from portward.model.errors import UsageError
from portward.model.host import Firewall, Interface
from portward.model.net import Protocol
from portward.model.plan import Zone
from portward.reach import nft_json

NAME = "firewalld"
FOLDER = "/etc/firewalld/zones"

_IN, _FORWARD, _REDIRECT = "filter_IN_", "filter_FWD_", "nat_PRE_"
_ASKED = ("pre", "log", "deny", "allow", "post")
"""The chains of a zone, in the order in which they are asked."""
_ZONES = "filter_INPUT_ZONES"
_ICMP = frozenset({"icmp", "icmpv6"})
_DHCPV6_CLIENT = "dhcpv6-client"
_ANSWERS = 'rule family="ipv6" source address="fe80::/10" port port="546" protocol="udp" accept'
"""Answers of DHCPv6 servers (RFC 9915), as portward's own table has them."""


class Bound(NamedTuple):
    """A zone that packets are led to, and by what."""

    name: str
    interfaces: tuple[str, ...]
    """By which they come in; a ``*`` for any ending."""
    sources: tuple[str, ...]
    """Prefixes that packets come from, or the name of a set of them with an "@"."""
    default: bool
    """All packets that no other rule chooses a zone for."""
    accepts: bool = False
    """It lets everything in, whatever it holds."""


# --- which zones -------------------------------------------------------------------------------


def bound(firewall: Firewall) -> tuple[Bound, ...] | None:
    """Return the zones of the kernel's rules; None where firewalld has no table of nftables."""
    rules = [body for kind, body in _items(firewall) if kind == "rule" and _is_own(body)]
    if not any(kind == "chain" and body["name"] == _ZONES for kind, body in _items(firewall)):
        return None
    by: dict[str, list[str]] = {}
    of: dict[str, list[str]] = {}
    default = ""
    for body in rules:
        if body["chain"] != _ZONES:
            continue
        target = next((one["goto"]["target"] for one in body["expr"] if "goto" in one), "")
        if not target.startswith(_IN):
            continue
        name = target.removeprefix(_IN)
        matches = [one["match"] for one in body["expr"] if "match" in one]
        if not matches:
            default = name
        for match in matches:
            found = by if match["left"] == {"meta": {"key": "iifname"}} else of
            found.setdefault(name, []).append(_plainly(match["right"]))
    names = dict.fromkeys((*by, *of, *([default] if default else [])))
    return tuple(
        Bound(
            name,
            tuple(by.get(name, ())),
            tuple(of.get(name, ())),
            default=name == default,
            accepts=any(body["chain"] == _IN + name and _accepts_all(body) for body in rules),
        )
        for name in names
    )


def _plainly(right: Any) -> str:  # noqa: ANN401 - of nft's listing
    """Write an interface or a network as a person does."""
    if isinstance(right, dict) and "prefix" in right:
        return f"{right['prefix']['addr']}/{right['prefix']['len']}"
    return str(right)


def is_inner(zone: Bound, around: Sides, inner: Iterable[Interface]) -> bool:
    """Say whether only containers and virtual machines of this host come by a zone."""
    if zone.default or not (zone.interfaces or zone.sources):
        return False
    networks = [
        ip_interface(address.partition("%")[0]).network
        for one in inner
        for address in one.addresses
    ]
    return all(around.has_inner(one) for one in zone.interfaces) and all(
        _is_within(source, networks) for source in zone.sources
    )


def _is_within(source: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    try:
        asked = ip_network(source)
    except ValueError:
        return False
    return any(
        asked.subnet_of(one)  # type: ignore[arg-type]  # of one version, both of them
        for one in networks
        if one.version == asked.version
    )


def zones(opened: Iterable[Opening], around: Sides, found: Iterable[Bound]) -> tuple[Zone, ...]:
    """Return what these zones let in, and nothing else; NetBIOS and SMB not from the internet."""
    granted = list(grants(opened))
    inside = [one for one in granted if not _is_windows(one)]
    return tuple(
        _zone(one.name, granted if _is_inside(one, around) else inside, around) for one in found
    )


def _is_inside(zone: Bound, around: Sides) -> bool:
    """Say whether nobody from the internet comes to a zone."""
    if not around.internet:
        return True
    return not zone.default and not zone.sources and not set(zone.interfaces) & set(around.internet)


def _is_windows(one: Grant) -> bool:
    return one.protocol in {Protocol.TCP, Protocol.UDP} and any(
        one.first <= last and first <= one.last for first, last in WINDOWS
    )


def _zone(name: str, granted: list[Grant], around: Sides) -> Zone:
    anyone = [one for one in granted if not one.source]
    raw = [one for one in anyone if one.protocol == Protocol.RAW]
    answers = (_ANSWERS,) if _DHCPV6_CLIENT in around.clients else ()
    return Zone(
        name=name,
        ports=tuple(
            f"{_span(one)}/{one.protocol}" for one in anyone if one.protocol != Protocol.RAW
        ),
        protocols=tuple(str(one.first) for one in raw),
        rules=(*answers, *(_rich(one) for one in granted if one.source)),
    )


def _rich(one: Grant) -> str:
    family = f"ipv{version(one.source)}"
    what = (
        f'protocol value="{one.first}"'
        if one.protocol == Protocol.RAW
        else f'port port="{_span(one)}" protocol="{one.protocol}"'
    )
    return f'rule family="{family}" source address="{one.source}" {what} accept'


def _span(one: Grant) -> str:
    return str(one.first) if one.first == one.last else f"{one.first}-{one.last}"


# --- whether it is so --------------------------------------------------------------------------


def are_loaded(firewall: Firewall, wanted: Iterable[Zone]) -> bool:
    """Say whether the kernel has exactly these zones."""
    items = _items(firewall)
    try:
        return all(_shape(items, one.name) == _shape(_meant(one), one.name) for one in wanted)
    except UsageError:
        return False


def _shape(items: list[tuple[str, Any]], zone: str) -> object:
    """Return what a zone does with packets, without what differs between two loads of it."""
    rules = [body for kind, body in items if kind == "rule" and _decides(body, zone)]
    listed: list[Any] = [{"table": {"family": "inet", "name": NAME}}]
    names = dict.fromkeys(body["chain"] for body in rules)
    listed += [{"chain": {"family": "inet", "table": NAME, "name": one}} for one in names]
    listed += [{"rule": {**body, "expr": _plain(body["expr"])}} for body in rules]
    (table,) = nft_json.read(json.dumps({"nftables": listed})).tables
    accepts = any(
        _accepts_all(body)
        for kind, body in items
        if kind == "rule" and body["chain"] in {_IN + zone, _FORWARD + zone}
    )
    held = {chain.name: sorted(repr(rule.steps) for rule in chain.rules) for chain in table.chains}
    return accepts, held


def _decides(body: Any, zone: str) -> bool:  # noqa: ANN401 - of nft's listing
    """Say whether a rule is one of those that a zone's settings make."""
    if not _is_own(body):
        return False
    chain = str(body["chain"])
    for start in (_IN, _FORWARD, _REDIRECT):
        if chain in {f"{start}{zone}_{one}" for one in _ASKED}:
            return not _is_block(body)
    return False


def _is_block(body: Any) -> bool:  # noqa: ANN401 - of nft's listing
    """Say whether a rule shuts out a kind of ICMP, which is the administrator's own choice."""
    matches = [one["match"]["left"] for one in body["expr"] if "match" in one]
    closes = any("reject" in one or "drop" in one for one in body["expr"])
    asked = [left.get("payload", {}) for left in matches if isinstance(left, dict)]
    return closes and any(one.get("protocol") in _ICMP for one in asked)


def _plain(expressions: list[Any]) -> list[Any]:
    """Leave out what some versions of firewalld say besides: counters, and that it is new."""
    return [
        one
        for one in expressions
        if "counter" not in one and one.get("match", {}).get("left") != {"ct": {"key": "state"}}
    ]


def _accepts_all(body: Any) -> bool:  # noqa: ANN401 - of nft's listing
    return _is_own(body) and _plain(body["expr"]) == [nft.ACCEPT.json]


def _meant(zone: Zone) -> list[tuple[str, Any]]:
    """Return the rules of a zone as nft's listing has them."""
    chain = f"{_IN}{zone.name}_allow"
    return [
        (
            "rule",
            {"family": "inet", "table": NAME, "chain": chain, "expr": [*words, {"accept": None}]},
        )
        for words in _words(zone)
    ]


def _words(zone: Zone) -> Iterator[list[nft.Json]]:
    for grant in _granted(zone):
        raw = nft.meta("l4proto", nft.value(grant.first))
        yield [one.json for one in (*sender(grant.source), *transport(grant, raw))]


def _granted(zone: Zone) -> Iterator[Grant]:
    """Read what a zone lets in back from firewalld's own words for it."""
    for text in zone.ports:
        span, _, protocol = text.partition("/")
        yield _grant(Protocol(protocol), span, "")
    for number in zone.protocols:
        yield _grant(Protocol.RAW, number, "")
    for rule in zone.rules:
        said = dict(word.split("=", 1) for word in rule.split() if "=" in word)
        given = {name: value.strip('"') for name, value in said.items()}
        span = given.get("port") or given["value"]
        protocol = Protocol(given.get("protocol", Protocol.RAW))
        yield _grant(protocol, span, given["address"])


def _grant(protocol: Protocol, span: str, source: str) -> Grant:
    first, _, last = span.partition("-")
    return Grant(protocol, int(first), int(last or first), source, "")


def are_kept(files: dict[str, str], wanted: Iterable[Zone]) -> bool:
    """Say whether firewalld's files hold these zones for the next boot."""
    return all(_is_kept(files.get(file(one.name), ""), one) for one in wanted)


def file(zone: str) -> str:
    """Return the path of a zone's own file."""
    return f"{FOLDER}/{zone}.xml"


def _is_kept(text: str, zone: Zone) -> bool:
    try:
        root = ET.fromstring(text)  # noqa: S314 - root's own file, of limited size
    except ET.ParseError:
        return False
    stays = {"short", "description", "interface", "source", "masquerade"}
    kept = [one for one in root if one.tag not in stays and not one.tag.startswith("icmp-block")]
    return root.get("target") != "ACCEPT" and sorted(map(_element, kept)) == sorted(_elements(zone))


def _element(one: ET.Element) -> str:
    inner = "".join(_element(child) for child in one)
    return f"<{one.tag} {sorted(one.items())}>{inner}"


def _elements(zone: Zone) -> Iterator[str]:
    for child in ET.fromstring(xml(zone)):  # noqa: S314 - written by ourselves
        yield _element(child)


def xml(zone: Zone) -> str:
    """Write a zone as firewalld.zone(5) has it."""
    root = ET.Element("zone")
    for grant in _granted(zone):
        parent = root
        if grant.source:
            parent = ET.SubElement(root, "rule", family=f"ipv{version(grant.source)}")
            ET.SubElement(parent, "source", address=grant.source)
        if grant.protocol == Protocol.RAW:
            ET.SubElement(parent, "protocol", value=str(grant.first))
        else:
            ET.SubElement(parent, "port", port=_span(grant), protocol=str(grant.protocol))
        if grant.source:
            ET.SubElement(parent, "accept")
    return ET.tostring(root, encoding="unicode")


# --- how it will be ----------------------------------------------------------------------------


def with_zones(firewall: Firewall, wanted: tuple[Zone, ...]) -> Firewall:
    """Return the kernel's rules as they are once firewalld has these zones."""
    names = [one.name for one in wanted]
    items = []
    for kind, body in _items(firewall):
        if kind == "rule" and any(_decides(body, one) for one in names):
            continue
        closed = body
        if kind == "rule" and body["chain"] in {s + one for one in names for s in (_IN, _FORWARD)}:
            closed = _closing(body)
        items.append({kind: closed})
    items += [{kind: body} for one in wanted for kind, body in _meant(one)]
    firewall = replace(firewall, nft=json.dumps({"nftables": items}))
    return in_charge(firewall, NAME)


def with_kept(files: dict[str, str], wanted: Iterable[Zone]) -> dict[str, str]:
    """Return firewalld's files with these zones; of what they hold, what are_kept() asks."""
    return {**files, **{file(one.name): xml(one) for one in wanted}}


def _closing(body: Any) -> Any:  # noqa: ANN401 - of nft's listing
    """End a zone that let everything pass as every other does."""
    return {**body, "expr": [nft.UNREACHABLE.json]} if _accepts_all(body) else body


def _items(firewall: Firewall) -> list[tuple[str, Any]]:
    if not isinstance(firewall.nft, str):
        return []
    return [next(iter(item.items())) for item in json.loads(firewall.nft)["nftables"]]


def _is_own(body: Any) -> bool:  # noqa: ANN401 - of nft's listing
    return bool(body.get("table") == NAME and body.get("family") == "inet")
