"""What "fib saddr type" has for sources that no route leads to."""

import socket
import struct

import pytest

from own_network import in_own_network, run
from portward.model.net import Protocol
from portward.reach import nft_json
from portward.reach.answer import Machine
from portward.reach.host import BROADCAST, LOCAL, UNICAST, UNREACHABLE, Host, Way, number
from portward.reach.path import Paths
from portward.reach.ruleset import Ruleset
from portward.reach.sources import Sources

NAMES = {UNICAST: "unicast", LOCAL: "local", BROADCAST: "broadcast", UNREACHABLE: "unreachable"}
NO_ROUTE, BLACKHOLE, OWN, LIMITED = "203.0.113.9", "198.51.100.7", "127.0.0.5", "255.255.255.255"
SOURCES = (NO_ROUTE, BLACKHOLE, OWN, LIMITED)
HOST = Host(
    bits=32,
    devices=(),
    own={number("127.0.0.1"): "lo"},
    ways=(
        Way(number(LIMITED), number(LIMITED), None, BROADCAST),
        Way(number("198.51.100.0"), number("198.51.100.255"), None, UNREACHABLE),
        Way(number("127.0.0.0"), number("127.255.255.255"), "lo", LOCAL),
    ),
    forwards=False,
)


def kernel_s() -> dict[str, str]:
    """Return the type of each source, by the counters of the kernel."""

    def send(source: str) -> None:
        addresses = socket.inet_aton(source) + socket.inet_aton("127.0.0.1")
        header = struct.pack("!BBHHHBBH", 0x45, 0, 28, 1, 0, 64, 17, 0) + addresses
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender:
            sender.sendto(header + struct.pack("!HHHH", 1, 2, 8, 0), ("127.0.0.1", 0))

    def work() -> dict[str, str]:
        rules = [
            f"add rule ip t p ip saddr {source} fib saddr type {name} counter"
            for source in SOURCES
            for name in NAMES.values()
        ]
        chain = "add chain ip t p { type filter hook prerouting priority -250; }"
        run("ip link set lo up", "ip route add blackhole 198.51.100.0/24")
        run("nft -f -", text="\n".join(["add table ip t", chain, *rules, ""]))
        for source in SOURCES:
            send(source)
        found = [line.split() for line in run("nft list table ip t").splitlines()]
        return {words[2]: words[6] for words in found if "packets 1" in " ".join(words)}

    return in_own_network(work)


@pytest.mark.root
def test_types_of_sources_are_the_kernel_s() -> None:
    sources = Sources.of_points(map(number, SOURCES))
    spread = Paths(Ruleset(), HOST, sources).spread("type", "lo")

    modelled = {
        source: name
        for source in SOURCES
        for kind, name in NAMES.items()
        if spread.bits(((kind, kind),)) & sources.bits(number(source), number(source))
    }

    assert modelled == kernel_s()
    assert modelled[BLACKHOLE] == modelled[NO_ROUTE] == "unicast"


STRONG = """{"nftables": [
  {"table": {"family": "ip", "name": "t", "handle": 1}},
  {"chain": {"family": "ip", "table": "t", "name": "p", "handle": 1, "type": "filter",
             "hook": "prerouting", "prio": -300, "policy": "accept"}},
  {"rule": {"family": "ip", "table": "t", "chain": "p", "handle": 2, "expr": [
    {"match": {"op": "!=", "left": {"fib": {"result": "type", "flags": ["daddr", "iif"]}},
               "right": "local"}},
    {"drop": null}]}}
]}"""
"""What nft(8) gives as an example of "fib": only the addresses of the interface itself."""


@pytest.mark.parametrize("device", ["eth0", "eth1"])
def test_each_interface_is_asked_for_its_own_address(device: str) -> None:
    own = {number("192.0.2.7"): "eth0", number("198.51.100.7"): "eth1"}
    host = Host(
        bits=32,
        devices=("eth0", "eth1"),
        own=own,
        ways=(
            *(Way(address, address, name, LOCAL) for address, name in own.items()),
            Way(0, (1 << 32) - 1, "eth0"),
        ),
        forwards=False,
    )
    door = Machine(nft_json.read(STRONG), host).door(device, Protocol.TCP, 22, "")
    assert door.yes
    assert not door.perhaps
