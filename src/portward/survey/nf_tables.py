"""What nf_tables holds: the cheap question to the kernel, and the names in nft's listing.

Constants: include/uapi/linux/netfilter/nfnetlink.h, nf_tables.h and netfilter.h.
"""

import errno
import struct
from typing import NamedTuple

from msgspec import DecodeError, Struct, json

from portward.survey.netlink import NETLINK_NETFILTER, Netlink, NetlinkError, attributes, messages

_NFNL_SUBSYS_NFTABLES = 10
_NFT_MSG_GETTABLE = 1
_NFTA_TABLE_NAME = 1
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
        text = bytes(name).rstrip(b"\0").decode(errors="backslashreplace")
        found.append(Table(_FAMILIES.get(body[0], str(body[0])), text))
    return found


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


def chains(listing: str) -> list[Chain]:
    """Name the chains of ``nft -j list ruleset`` (pure); raise ValueError where it is none."""
    try:
        items = json.decode(listing, type=_Listing).nftables
    except DecodeError as error:
        raise ValueError(f"no listing of nft: {error}") from error
    found = [item.chain for item in items if item.chain is not None]
    return [Chain(Table(chain.family, chain.table), chain.name) for chain in found]
