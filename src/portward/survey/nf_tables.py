"""What nf_tables holds: cheap questions to the kernel, and the names in nft's listing.

Constants: include/uapi/linux/netfilter/nfnetlink.h, nf_tables.h and netfilter.h.
"""

import errno
import struct
from collections.abc import Mapping
from typing import NamedTuple

from msgspec import DecodeError, Raw, Struct, json

from portward.survey.netlink import NETLINK_NETFILTER, Netlink, NetlinkError, attributes, messages

_NFNL_SUBSYS_NFTABLES = 10
_NFT_MSG_GETTABLE = 1
_NFT_MSG_GETCHAIN = 4
_NFTA_TABLE_NAME = 1
_NFTA_CHAIN_TABLE, _NFTA_CHAIN_NAME, _NFTA_CHAIN_HOOK = 1, 3, 4
_NFTA_HOOK_DEV, _NFTA_HOOK_DEVS = 3, 4
_NFTA_DEVICE_PREFIX = 2  # beside NFTA_DEVICE_NAME (1): any rest may follow
_NFGENMSG = struct.Struct("=BBH")  # family (0: all), version, resource
_FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}  # NFPROTO_*

# A kernel without nf_tables knows no such subsystem, or no such protocol at all.
_NO_NF_TABLES = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT})


class Table(NamedTuple):
    """A table of nf_tables."""

    family: str
    name: str


class Chain(NamedTuple):
    """A chain of a table."""

    table: Table
    name: str


def tables() -> list[Table]:
    """Ask the kernel for the tables of this network namespace, without starting a program.

    Raises OSError (EPERM) without CAP_NET_ADMIN, and NetlinkError for a damaged answer.
    """
    request = (_NFNL_SUBSYS_NFTABLES << 8) | _NFT_MSG_GETTABLE
    try:
        with Netlink(NETLINK_NETFILTER) as kernel:
            return parse(kernel.dump(request, _NFGENMSG.pack(0, 0, 0)))
    except OSError as error:
        if error.errno in _NO_NF_TABLES:
            return []
        raise


def parse(datagrams: list[bytes]) -> list[Table]:
    """Read the answer to NFT_MSG_GETTABLE (pure); raise NetlinkError where it is damaged."""
    found = []
    for _, body in messages(datagrams):
        if len(body) < _NFGENMSG.size:
            raise NetlinkError(f"a netfilter message of {len(body)} bytes")
        name = dict(attributes(body, _NFGENMSG.size)).get(_NFTA_TABLE_NAME)
        if name is None:
            raise NetlinkError("a table without a name")
        found.append(Table(_FAMILIES.get(body[0], str(body[0])), _text(name)))
    return found


def devices() -> dict[Chain, tuple[str, ...]]:
    """Ask the kernel for the interfaces of the chains that are tied to some ("ingress").

    An interface name with a trailing ``*`` stands for all that begin so. Raises as tables() does.
    """
    request = (_NFNL_SUBSYS_NFTABLES << 8) | _NFT_MSG_GETCHAIN
    with Netlink(NETLINK_NETFILTER) as kernel:
        return parse_devices(kernel.dump(request, _NFGENMSG.pack(0, 0, 0)))


def parse_devices(datagrams: list[bytes]) -> dict[Chain, tuple[str, ...]]:
    """Read the answer to NFT_MSG_GETCHAIN (pure); raise NetlinkError where it is damaged."""
    found = {}
    for _, body in messages(datagrams):
        if len(body) < _NFGENMSG.size:
            raise NetlinkError(f"a netfilter message of {len(body)} bytes")
        of_chain = dict(attributes(body, _NFGENMSG.size))
        if _NFTA_CHAIN_TABLE not in of_chain or _NFTA_CHAIN_NAME not in of_chain:
            raise NetlinkError("a chain without a name")
        hook = dict(attributes(of_chain.get(_NFTA_CHAIN_HOOK, b"")))
        names = [
            _text(name) + ("*" if kind == _NFTA_DEVICE_PREFIX else "")
            for kind, name in attributes(hook.get(_NFTA_HOOK_DEVS, b""))
        ]
        if not names and _NFTA_HOOK_DEV in hook:
            names = [_text(hook[_NFTA_HOOK_DEV])]
        if names:
            table = Table(_FAMILIES.get(body[0], str(body[0])), _text(of_chain[_NFTA_CHAIN_TABLE]))
            found[Chain(table, _text(of_chain[_NFTA_CHAIN_NAME]))] = tuple(names)
    return found


def with_devices(listing: str, of_chains: Mapping[Chain, tuple[str, ...]]) -> str:
    """Add "dev" to the chains of a listing, where nft left it out (pure).

    Several versions of nft print no interfaces in JSON. ValueError where it is no listing.
    """
    try:
        whole = json.decode(listing, type=_Objects)
        for item in whole.nftables:
            if "chain" in item:
                chain = json.decode(item["chain"], type=dict[str, Raw])
                name = json.decode(item["chain"], type=_Name)
                names = of_chains.get(Chain(Table(name.family, name.table), name.name))
                if names and "dev" not in chain:
                    item["chain"] = Raw(json.encode({**chain, "dev": names}))
    except DecodeError as error:
        raise ValueError(f"no listing of nft: {error}") from error
    return json.encode(whole).decode()


def _text(name: bytes | memoryview) -> str:
    return bytes(name).rstrip(b"\0").decode(errors="backslashreplace")


class _Name(Struct):
    family: str
    name: str
    table: str = ""


class _Item(Struct):
    """One object of the listing; rules, sets and elements are skipped without being built."""

    table: _Name | None = None
    chain: _Name | None = None


class _Listing(Struct):
    nftables: list[_Item]


class _Objects(Struct):
    """The listing with every object as it was printed."""

    nftables: list[dict[str, Raw]]


def chains(listing: str) -> list[Chain]:
    """Name the chains of ``nft -j list ruleset`` (pure); raise ValueError where it is none."""
    try:
        items = json.decode(listing, type=_Listing).nftables
    except DecodeError as error:
        raise ValueError(f"no listing of nft: {error}") from error
    found = [item.chain for item in items if item.chain is not None]
    return [Chain(Table(chain.family, chain.table), chain.name) for chain in found]
