"""Zones of firewalld: what is said to it, what its kernel rules are, and what its files hold."""

import json
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import build
from portward.backends import firewalld
from portward.backends.allowed import Groups, openings
from portward.backends.sides import present, sides
from portward.model.host import Facing, Firewall, Snapshot
from portward.model.plan import Zone
from portward.model.policy import Allowance, Sources
from portward.model.service import Audience
from portward.policy.resolve import EVERY_ROLE
from portward.reach.exposure import Exposer
from reach.captures import Capture

MACHINES = Path(__file__).parents[1] / "captures/machines"
OFFICE = Sources(audience=Audience.PRIVATE, networks=("10.1.0.0/16", "2001:db8::7"), label="office")
PUBLIC = firewalld.Bound("public", ("eth0",), (), default=True)
RICH = 'rule family="ipv4" source address="10.1.0.0/16" port port="22" protocol="tcp" accept'


def machine(name: str = "firewalld") -> Snapshot:
    found = msgspec.json.decode((MACHINES / f"{name}.json").read_bytes(), type=Capture)
    return found.snapshot


def firewall(snapshot: Snapshot) -> Firewall:
    assert isinstance(snapshot.firewall, Firewall)
    return snapshot.firewall


def zones(
    *allowances: Allowance, of: tuple[firewalld.Bound, ...] = (PUBLIC,), **facts: Any
) -> tuple[Zone, ...]:
    around = sides(build.policy(*allowances), build.snapshot(**({"interfaces": ()} | facts)))
    return firewalld.zones(openings(allowances, build.DAY, Groups()), around, of)


def test_ports_for_anyone_are_ports_and_each_network_is_a_rich_rule() -> None:
    (found,) = zones(
        build.allowance("80/tcp", "9000-9010/udp"), build.allowance("22/tcp", sources=OFFICE)
    )
    assert found.ports == ("80/tcp", "9000-9010/udp")
    assert found.rules == (
        RICH,
        'rule family="ipv6" source address="2001:db8::7" port port="22" protocol="tcp" accept',
    )


def test_answers_of_dhcpv6_servers_come_in_where_the_machine_is_a_client() -> None:
    client = build.allowance("546/udp", service="dhcpv6-client", origin=EVERY_ROLE)
    (found,) = zones(client)
    assert found.ports == ()
    assert "fe80::/10" in found.rules[0]


def test_smb_is_not_let_into_a_zone_that_faces_the_internet() -> None:
    lan = firewalld.Bound("internal", ("lan0",), (), default=False)
    public, internal = zones(
        build.allowance("445/tcp"), of=(PUBLIC, lan), interfaces=build.snapshot().interfaces
    )
    assert public.ports == ()
    assert internal.ports == ("445/tcp",)


def test_the_zones_of_a_machine_and_what_leads_to_them_are_read() -> None:
    found = firewalld.bound(firewall(machine()))
    assert found is not None
    assert {(one.name, one.interfaces, one.sources, one.default) for one in found} == {
        ("trusted", (), ("2001:db8:88::/48",), False),
        ("internal", ("lan0",), (), False),
        ("public", (), (), True),
    }
    assert firewalld.bound(build.firewall()) is None
    assert firewalld.bound(build.firewall(nft=None)) is None


def test_a_zone_of_containers_alone_is_not_ours() -> None:
    bridge = build.interface(
        "docker0",
        kind="bridge",
        facing=Facing.BRIDGE,
        addresses=("172.17.0.1/16",),
        default_route=False,
    )
    taken = build.snapshot(interfaces=(build.interface(), bridge))
    around = sides(build.policy(), taken)
    inside = present(around, taken)
    assert [one.name for one in inside] == ["docker0"]

    def inner(*interfaces: str, sources: tuple[str, ...] = (), default: bool = False) -> bool:
        zone = firewalld.Bound("x", interfaces, sources, default=default)
        return firewalld.is_inner(zone, around, inside)

    assert inner("docker0")
    assert inner("docker0", sources=("172.17.0.0/24",))
    assert not inner("docker0", "eth0")
    assert not inner("docker0", sources=("10.0.0.0/8",))
    assert not inner("docker0", sources=("@office",))
    assert not inner("docker0", default=True)
    assert not inner()


def test_what_the_kernel_will_have_is_what_is_asked_for_and_reach_reads_it() -> None:
    before = machine()
    bound = firewalld.bound(firewall(before))
    assert bound is not None
    wanted = zones(build.allowance("80/tcp"), build.allowance("5432/tcp", sources=OFFICE), of=bound)
    assert not firewalld.are_loaded(firewall(before), wanted)
    later = replace(before, firewall=firewalld.with_zones(firewall(before), wanted))
    assert firewalld.are_loaded(firewall(later), wanted)
    exposer = Exposer(later)

    def who(port: str, address: str = "0.0.0.0") -> object:
        reach = exposer.reach(build.listener(port, address, inodes=()))
        return tuple(network.partition(" ")[0] for network in reach.networks) or str(reach.scope)

    assert who("80/tcp") == "everyone"
    assert who("5432/tcp") == ("10.1.0.0/16",)
    assert who("5432/tcp", "::") == ("2001:db8::7/128",)  # and not the trusted zone's source
    assert who("22/tcp") == who("161/udp") == who("445/tcp") == "nobody"


def test_what_other_versions_say_besides_makes_no_difference() -> None:
    (wanted,) = zones(build.allowance("80/tcp"))
    held = firewalld.with_zones(firewall(machine()), (wanted,))
    document = json.loads(str(held.nft))
    new = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["new", "untracked"]}}
    for item in document["nftables"]:
        if item.get("rule", {}).get("chain") == "filter_IN_public_allow":
            item["rule"]["expr"][1:1] = [new, {"counter": {"packets": 1, "bytes": 9}}]
    assert firewalld.are_loaded(replace(held, nft=json.dumps(document)), (wanted,))


def test_a_rule_too_many_or_a_zone_that_accepts_all_is_not_what_was_asked_for() -> None:
    (wanted,) = zones(build.allowance("80/tcp"))
    held = firewalld.with_zones(firewall(machine()), (wanted,))
    more = zones(build.allowance("80/tcp"), build.allowance("81/tcp"))
    assert not firewalld.are_loaded(held, more)
    assert not firewalld.are_loaded(firewalld.with_zones(held, more), (wanted,))
    trusted = (replace(wanted, name="trusted"),)
    assert not firewalld.are_loaded(held, trusted)
    assert firewalld.are_loaded(firewalld.with_zones(held, trusted), trusted)


def test_a_kind_of_icmp_that_is_shut_out_stays_so() -> None:
    (wanted,) = zones(build.allowance("80/tcp"))
    document = json.loads(str(firewall(machine()).nft))
    block = {
        "rule": {
            "family": "inet",
            "table": "firewalld",
            "chain": "filter_IN_public_deny",
            "expr": [
                {
                    "match": {
                        "op": "==",
                        "left": {"payload": {"protocol": "icmp", "field": "type"}},
                        "right": "echo-request",
                    }
                },
                {"reject": {"type": "icmpx", "expr": "admin-prohibited"}},
            ],
        }
    }
    document["nftables"].append(block)
    held = firewalld.with_zones(build.firewall(nft=json.dumps(document)), (wanted,))
    assert firewalld.are_loaded(held, (wanted,))
    assert "echo-request" in str(held.nft)


def test_the_files_are_compared_by_what_they_let_in() -> None:
    (wanted,) = zones(build.allowance("80/tcp"), build.allowance("22/tcp", sources=OFFICE))
    # As firewalld 1.3 writes it.
    text = """<?xml version="1.0" encoding="utf-8"?>
<zone>
  <short>Public</short>
  <description>For use in public areas.</description>
  <interface name="eth0"/>
  <rule family="ipv6">
    <source address="2001:db8::7"/>
    <port port="22" protocol="tcp"/>
    <accept/>
  </rule>
  <port protocol="tcp" port="80"/>
  <icmp-block name="echo-request"/>
  <rule family="ipv4">
    <source address="10.1.0.0/16"/>
    <port port="22" protocol="tcp"/>
    <accept/>
  </rule>
</zone>
"""
    file = firewalld.file("public")
    assert firewalld.are_kept({file: text}, (wanted,))
    for wrong in (
        text.replace("<icmp-block", '<service name="ssh"/><icmp-block'),
        text.replace("<icmp-block", "<forward/><icmp-block"),
        text.replace("<zone>", '<zone target="ACCEPT">'),
        text.replace('address="10.1.0.0/16"', 'address="10.0.0.0/8"'),
        "no xml",
    ):
        assert not firewalld.are_kept({file: wrong}, (wanted,))
    assert not firewalld.are_kept({}, (wanted,))
    assert firewalld.are_kept(firewalld.with_kept({}, (wanted,)), (wanted,))


@given(
    st.lists(
        st.tuples(
            st.integers(1, 65535),
            st.integers(0, 300),
            st.sampled_from(("tcp", "udp", "sctp")),
            st.sampled_from((None, OFFICE)),
        ),
        max_size=6,
    )
)
def test_whatever_is_meant_is_loaded_and_kept_once_it_is_told(
    meant: list[tuple[int, int, str, Sources | None]],
) -> None:
    wanted = zones(
        *(
            build.allowance(
                f"{first}-{min(first + more, 65535)}/{protocol}",
                **({"sources": whom} if whom else {}),
            )
            for first, more, protocol, whom in meant
        )
    )
    later = firewalld.with_zones(firewall(machine()), wanted)
    assert firewalld.are_loaded(later, wanted)
    assert firewalld.are_kept(firewalld.with_kept({}, wanted), wanted)
