"""Interfaces and routes, against the real kernel in a namespace of the test's own."""

import json

import pytest

from own_network import in_own_network, run
from portward.model.host import Facing, Interface, Route
from portward.model.net import Family
from portward.model.unknown import Unknown
from portward.survey.interfaces import interfaces, names, packet_programs, routes

pytestmark = pytest.mark.root


def survey() -> tuple[dict[str, Interface], tuple[Route, ...]]:
    found, ways = interfaces(), routes()
    assert not isinstance(found, Unknown)
    assert not isinstance(ways, Unknown)
    assert names() == {interface.index: interface.name for interface in found}
    return {interface.name: interface for interface in found}, ways


def test_kinds_addresses_and_whom_they_face() -> None:
    def work() -> tuple[dict[str, Interface], tuple[Route, ...]]:
        run(
            "ip link set lo up",
            "ip link add up0 type veth peer name far0",
            "ip link add br0 type bridge",
            "ip link add v0 type veth peer name v1",
            "ip link set v0 master br0",
            "ip tuntap add tun0 mode tun",
            "ip tuntap add tap0 mode tap",
            "ip link set tap0 master br0",
            "ip address add 8.8.4.4/24 dev up0",
            "ip address add 2a00:1450::7/64 dev up0 nodad",
            "ip address add 10.0.0.1/24 dev br0",
            "ip address add 10.8.0.1 peer 10.8.0.2/32 dev tun0",
            *(f"ip link set {name} up" for name in ("up0", "br0", "v0", "tun0", "tap0")),
            "ip link set br0 promisc on",
            "ip route add default via 8.8.4.1 dev up0 metric 50",
            "ip -6 route add default via 2a00:1450::1 dev up0",
            "ip route add unreachable 192.168.99.0/24",
            "ip route add default dev tun0 table 100",
        )
        return survey()

    found, ways = in_own_network(work)
    judged = {name: (each.kind, each.facing) for name, each in found.items()}
    assert judged["lo"] == ("loopback", Facing.HOST)
    assert judged["up0"] == ("veth", Facing.INTERNET)
    assert judged["br0"] == ("bridge", Facing.BRIDGE)
    assert judged["v0"] == ("veth", Facing.BRIDGE)
    assert judged["tun0"] == ("tun", Facing.VPN)
    assert judged["tap0"] == ("tun", Facing.BRIDGE)
    assert judged["far0"] == ("veth", Facing.DOWN)
    assert {"8.8.4.4/24", "2a00:1450::7/64"} <= set(found["up0"].addresses)
    assert "10.8.0.1/32" in found["tun0"].addresses
    assert {name for name, each in found.items() if each.promiscuous} >= {"br0"}
    assert not found["up0"].promiscuous
    assert {name for name, each in found.items() if each.default_route} == {"up0", "tun0"}
    assert found["v0"].master == "br0"
    defaults = [way for way in ways if way.destination == "default"]
    assert defaults == [
        Route(
            destination="default", family=Family.IPV4, gateway="8.8.4.1", device="up0", metric=50
        ),
        Route(
            destination="default",
            family=Family.IPV6,
            gateway="2a00:1450::1",
            device="up0",
            metric=1024,
        ),
    ]
    assert "192.168.99.0/24" not in {way.destination for way in ways}
    assert ("8.8.4.0/24", "up0") in {(way.destination, way.device) for way in ways}


def test_ip_sees_the_same() -> None:
    def work() -> tuple[dict[str, Interface], str]:
        run(
            "ip link set lo up",
            "ip link add a0 type veth peer name b0",
            "ip address add 192.0.2.1/32 dev a0",
            "ip address add 2001:db8::1/128 dev b0 nodad",
            "ip link set a0 up",
        )
        return survey()[0], run("ip -json -details address show")

    found, listed = in_own_network(work)
    for link in json.loads(listed):
        ours = found.pop(link["ifname"])
        theirs = {f"{each['local']}/{each['prefixlen']}" for each in link["addr_info"]}
        assert ours.index == link["ifindex"]
        assert set(ours.addresses) == theirs
        assert ours.up == ("UP" in link["flags"])
    assert not found


def test_no_program_filters_in_a_new_namespace() -> None:
    assert in_own_network(packet_programs) == ()
