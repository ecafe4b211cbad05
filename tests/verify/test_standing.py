"""From which addresses a machine looks at itself: nobody's, and each for somebody."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import build
from portward.model.errors import UsageError
from portward.model.host import Peer, Route
from portward.model.net import Family, Protocol
from portward.model.policy import Policy
from portward.model.unknown import NEEDS_ROOT
from portward.verify import standing


def policy(*networks: str) -> Policy:
    one = build.allowance("22/tcp")
    return build.policy(replace(one, sources=replace(one.sources, networks=networks)))


def chosen(*networks: str, **facts: object) -> dict[str, str]:
    snapshot = build.snapshot(**facts)
    found = standing.standings(snapshot, policy(*networks), standing.targets(snapshot))
    return {one.stands_for: one.address for one in found}


def test_one_for_everyone_one_for_private_networks_and_one_for_each_of_the_policy() -> None:
    found = chosen("192.0.2.0/24", "10.9.0.0/16")
    assert list(found) == [
        "everyone",
        "private networks",
        "192.0.2.0/24 of the policy",
        "10.9.0.0/16 of the policy",
    ]
    assert ip_address(found["192.0.2.0/24 of the policy"]) in ip_network("192.0.2.0/24")
    assert ip_address(found["everyone"]) not in ip_network("192.0.2.0/24")


def test_none_is_of_a_network_that_the_machine_is_in_or_has_a_route_to() -> None:
    routes = (
        Route(
            destination="10.0.0.0/8",
            family=Family.IPV4,
            gateway="198.51.100.1",
            device="eth0",
            metric=None,
        ),
    )
    inside = build.interface("eth0", addresses=("203.0.113.7/24", "192.168.0.7/16"))
    found = chosen(interfaces=(build.LOOPBACK, inside), routes=routes)
    assert ip_address(found["everyone"]) in ip_network("198.51.100.0/24")
    assert ip_address(found["private networks"]) in ip_network("172.16.0.0/12")


def test_none_is_somebody_who_is_connected() -> None:
    first = chosen("192.0.2.5/32")
    assert first["192.0.2.5/32 of the policy"] == "192.0.2.5"
    peers = (Peer(protocol=Protocol.TCP, port=22, address="192.0.2.5", connections=1),)
    assert "192.0.2.5/32 of the policy" not in chosen("192.0.2.5/32", peers=peers)


def test_both_families_where_the_machine_has_both() -> None:
    both = build.interface("eth0", addresses=("198.51.100.7/24", "2001:db8:1::7/64", "fe80::1/64"))
    snapshot = build.snapshot(interfaces=(build.LOOPBACK, both))
    assert standing.targets(snapshot) == ("198.51.100.7", "2001:db8:1::7")
    found = standing.standings(snapshot, policy(), standing.targets(snapshot))
    assert [ip_address(one.address).version for one in found] == [4, 4, 6, 6]
    for one in found:
        (target,) = standing.same_family(standing.targets(snapshot), one)
        assert ip_address(target).version == ip_address(one.address).version


def test_a_machine_without_an_address_cannot_be_looked_at() -> None:
    with pytest.raises(UsageError, match="no address"):
        standing.targets(build.snapshot(interfaces=(build.LOOPBACK,)))
    with pytest.raises(UsageError, match="needs root"):
        standing.targets(build.snapshot(interfaces=NEEDS_ROOT))


@given(st.integers(0, 32), st.integers(0, 2**32 - 1))
def test_an_address_for_a_network_is_a_host_of_it(length: int, number: int) -> None:
    network = ip_network((number, length), strict=False)
    found = chosen(str(network)).get(f"{network} of the policy")
    if found:
        assert ip_address(found) in network
        if length < 31:
            assert ip_address(found) not in {network[0], network[-1]}
