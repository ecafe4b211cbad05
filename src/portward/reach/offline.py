"""Reads the files that stand in for a machine: rulesets, and what else decides about packets.

A file of interfaces is JSON (docs/reach.md)::

    {"interfaces": [{"name": "eth0", "addresses": ["192.0.2.7/24"], "rp_filter": "strict"}],
     "routes": [{"to": "default", "interface": "eth0"}],
     "forwarding": {"ipv4": true, "ipv6": false}}
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import ip_interface, ip_network
from typing import Literal

import msgspec
from msgspec import Struct

from portward import __version__
from portward.model.errors import UsageError
from portward.model.host import Facing, Interface, Machine, Route, Sight, Snapshot, Sysctl
from portward.model.net import Family
from portward.model.unknown import Unknown
from portward.reach import nft_json, xtables
from portward.reach.load import join
from portward.reach.ruleset import Ruleset, Table

LOOPBACK = "lo"
_NOT_GIVEN = Unknown("only a ruleset was given")
_RP_FILTER = {"off": "0", "strict": "1", "loose": "2"}


class _Interface(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    addresses: tuple[str, ...] = ()
    rp_filter: Literal["off", "strict", "loose"] = "off"


class _Route(Struct, frozen=True, forbid_unknown_fields=True):
    to: str
    interface: str | None = None
    """null: the route refuses packets."""
    family: Literal["ipv4", "ipv6"] | None = None
    """Of a default route; null: both."""


class _Forwarding(Struct, frozen=True, forbid_unknown_fields=True):
    ipv4: bool = False
    ipv6: bool = False


class _Parts(Struct, frozen=True, forbid_unknown_fields=True):
    interfaces: tuple[_Interface, ...]
    routes: tuple[_Route, ...] = ()
    forwarding: _Forwarding = _Forwarding()


def host(data: bytes, where: str) -> Snapshot:
    """Read a file of interfaces as a snapshot that knows nothing else."""
    try:
        parts = msgspec.json.decode(data, type=_Parts)
        interfaces = tuple(_interface(one, parts.routes) for one in parts.interfaces)
        names = {one.name for one in interfaces}
        if names <= {LOOPBACK}:
            raise ValueError("it names no interface that packets come by")  # noqa: TRY301
        routes = tuple(route for one in parts.routes for route in _routes(one, names))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UsageError(
            f"is no file of interfaces: {error}", where=where, mend="see docs/reach.md"
        ) from None
    settings = {
        "net.ipv4.ip_forward": str(int(parts.forwarding.ipv4)),
        "net.ipv6.conf.all.forwarding": str(int(parts.forwarding.ipv6)),
        **{
            f"net.ipv4.conf.{one.name}.rp_filter": _RP_FILTER[one.rp_filter]
            for one in parts.interfaces
        },
    }
    return Snapshot(
        portward=__version__,
        taken=datetime.fromtimestamp(0, UTC),
        machine=Machine(
            hostname="",
            os_id="",
            os_like=(),
            os_version="",
            os_name="",
            kernel=None,
            architecture=None,
            boot_id=None,
            inside=None,
        ),
        sight=Sight(root="/", euid=0, owners_by="none", gaps=()),
        listeners=_NOT_GIVEN,
        namespaces=_NOT_GIVEN,
        containers=_NOT_GIVEN,
        inetd=_NOT_GIVEN,
        units=_NOT_GIVEN,
        interfaces=interfaces,
        routes=routes,
        firewall=_NOT_GIVEN,
        sysctls=tuple(Sysctl(key=key, live=live, boot=None) for key, live in settings.items()),
        packages=_NOT_GIVEN,
        updates=_NOT_GIVEN,
        antivirus=_NOT_GIVEN,
    )


def _interface(one: _Interface, routes: Iterable[_Route]) -> Interface:
    for text in one.addresses:
        ip_interface(text)
    return Interface(
        name=one.name,
        index=0,
        kind="loopback" if one.name == LOOPBACK else "physical",
        up=True,
        addresses=one.addresses,
        facing=Facing.INTERNET,
        facing_reason="given in a file",
        default_route=any(
            route.to == "default" and route.interface == one.name for route in routes
        ),
        promiscuous=False,
    )


def _routes(one: _Route, names: set[str]) -> Iterable[Route]:
    if one.interface is not None and one.interface not in names:
        raise ValueError(f'route to {one.to}: no interface is named "{one.interface}"')
    families = (Family.IPV4, Family.IPV6) if one.family is None else (Family(one.family),)
    if one.to != "default":
        version = ip_network(one.to).version
        families = (Family.IPV4,) if version == 4 else (Family.IPV6,)  # noqa: PLR2004 - IP's version
    for family in families:
        yield Route(
            destination=one.to, family=family, gateway=None, device=one.interface, metric=None
        )


def is_snapshot(data: bytes) -> bool:
    """Say whether a file is a snapshot, and not a ruleset."""
    return b'"nftables"' not in data[:256] and data.lstrip().startswith(b"{")


_NFT_WORDS = {
    "table",
    "flush",
    "define",
    "redefine",
    "include",
    "add",
    "create",
    "insert",
    "delete",
}
"""With which a line of nft's own text begins outside of any table (nft(8))."""


def is_nft_text(data: bytes) -> bool:
    """Say whether a file is a ruleset as nft prints it for people, or as a person writes it."""
    for line in data.splitlines():
        words = line.split(b"#")[0].split()
        if words:
            return words[0].decode(errors="replace") in _NFT_WORDS
    return False


def ruleset(files: Iterable[tuple[str, bytes]]) -> Ruleset:
    """Join rulesets of several files, each with its name; UsageError says what is malformed.

    Each is what ``nft -j list ruleset``, ``iptables-save`` or ``ip6tables-save`` printed. A table
    that nft lists and iptables-save saved as well is one table.
    """
    listed: list[Table] = []
    saved: dict[tuple[str, str], Table] = {}
    for where, data in files:
        text = data.decode(errors="surrogateescape")
        begin = text.lstrip()
        if not begin:
            raise UsageError(
                "is empty, as where a listing failed",
                where=where,
                mend='no rules at all are: {"nftables": []}',
            )
        if begin.startswith("{") and is_snapshot(data) and '"schema"' in begin[:256]:
            raise UsageError("is a snapshot and no ruleset", where=where, mend="use --snapshot")
        if begin.startswith("{"):
            listed += nft_json.read(text, where).tables
        elif any(line.startswith("*") for line in begin.splitlines()):
            for table in xtables.read(text, _family(where, text), where):
                if saved.setdefault((table.family, table.name), table) is not table:
                    raise UsageError(f"has table {table.name} a second time", where=where)
        else:
            raise UsageError(
                "is no ruleset of nft or iptables-save",
                where=where,
                mend="nft -j list ruleset, iptables-save and ip6tables-save write what is read",
            )
    names = {(table.family, table.name) for table in listed}
    joined = [
        join(table, saved[key]) if (key := (table.family, table.name)) in saved else table
        for table in listed
    ]
    return Ruleset(tables=(*joined, *(saved[key] for key in saved if key not in names)))


def _family(where: str, text: str) -> str:
    """Tell ip6tables-save's output by its first comment, else by the name of the file."""
    first = text.lstrip().partition("\n")[0]
    if first.startswith("#") and "tables" in first:
        return "ip6" if "ip6tables" in first else "ip"
    name = where.rpartition("/")[2]
    return "ip6" if "ip6" in name or name.endswith(".v6") else "ip"
