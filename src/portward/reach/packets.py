"""Packets as questions are about them: the first of a connection, before any rule saw it."""

from portward.model.net import Protocol
from portward.reach.host import Host
from portward.reach.sources import Sources
from portward.reach.walk import INVALID, Fields, Packet, Spread, Undecided, Value

NUMBERS = {
    Protocol.TCP: 6,
    Protocol.UDP: 17,
    Protocol.DCCP: 33,
    Protocol.SCTP: 132,
    Protocol.UDPLITE: 136,
}
"""IP protocol numbers (IANA)."""

SYN = 2
EPHEMERAL = 49_152
"""A source port of no meaning (RFC 6335: the dynamic range begins there)."""

NEW = 8
"""The bit of IP_CT_NEW, as "ct state" has it."""

CONNTRACK = -200
"""NF_IP_PRI_CONNTRACK: when connection tracking looks at a packet."""

_OF_CONNECTION = (
    *("ct mark", "ct status", "ct direction"),
    *("original saddr", "original sport", "original daddr", "original dport"),
)
"""What a packet has once it belongs to a connection."""
NFPROTO = {32: 2, 128: 10}
"""NFPROTO_IPV4 and NFPROTO_IPV6 by the bits of an address."""
_ETHER_TYPE = {32: 0x0800, 128: 0x86DD}


def packet(
    machine: Host,
    sources: Sources,
    *,
    device: str,
    protocol: int,
    daddr: int,
    dport: int | None,
    **fields: Value,
) -> Packet:
    """Return the first packet of a connection, from all sources."""
    first: Fields = {
        "nfproto": NFPROTO[machine.bits],
        "ether type": _ETHER_TYPE[machine.bits],
        "iifname": device,
        "oifname": "",  # not None: without an output device "! -o eth0" holds (nft_meta.c)
        "l4proto": protocol,
        "saddr": Spread(sources),
        "daddr": daddr,
        "dport": Undecided("what stands where others have ports") if dport is None else dport,
        "mark": 0,
        "ct state": INVALID,
        **dict.fromkeys(_OF_CONNECTION),
        "skuid": None,
        **{name.replace("_", " "): value for name, value in fields.items()},
    }
    return Packet(first, sources.all)
