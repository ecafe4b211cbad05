"""What a policy opens, and the names and comments of its table."""

import json
from datetime import timedelta
from typing import Any

import pytest

from build import DAY, LOOPBACK, allowance, firewall, interface, policy, role, snapshot
from portward.backends.addresses import addresses
from portward.backends.allowed import Groups, Opening, openings
from portward.backends.nftables import OwnTable, table, with_table
from portward.model.net import Protocol
from portward.model.policy import Allowance, Sources
from portward.model.service import Audience
from portward.plan.firewall import is_loaded
from portward.policy.networks import PRIVATE_NETWORKS
from portward.policy.resolve import EVERY_ROLE


def named(label: str, *networks: str) -> Sources:
    return Sources(audience=Audience.PRIVATE, networks=networks, label=label)


def opened(*allowances: Allowance) -> list[tuple[str, int, int, list[str]]]:
    return [
        (
            str(one.protocol),
            one.first,
            one.last,
            ["anyone"] if one.anyone else [group.label for group in one.groups],
        )
        for one in found(*allowances)
    ]


def found(*allowances: Allowance) -> tuple[Opening, ...]:
    return openings(policy(*allowances).allowances, DAY, Groups())


OFFICE = named("office", "10.1.0.0/16")
ADMIN = named("admin", "10.2.0.0/16", "2001:db8::/32")


# --- openings ------------------------------------------------------------------------------------


def test_overlapping_ranges_are_cut_where_one_begins_or_ends() -> None:
    assert opened(
        allowance("10-20/tcp", sources=OFFICE), allowance("15-30/tcp", sources=ADMIN)
    ) == [
        ("tcp", 10, 14, ["office"]),
        ("tcp", 15, 20, ["office", "admin"]),
        ("tcp", 21, 30, ["admin"]),
    ]


def test_ranges_that_leave_a_gap_leave_it() -> None:
    assert opened(allowance("10-11/tcp", "13/tcp", sources=OFFICE)) == [
        ("tcp", 10, 11, ["office"]),
        ("tcp", 13, 13, ["office"]),
    ]


def test_neighbours_that_are_alike_are_one() -> None:
    assert opened(allowance("137-138/udp", "139/udp", sources=OFFICE)) == [
        ("udp", 137, 139, ["office"])
    ]


def test_neighbours_that_different_lines_open_stay_apart() -> None:
    lines = [allowance(f"{port}/tcp", sources=OFFICE, origin=f"p:{port}") for port in (1, 2)]
    assert [(one.first, one.origins) for one in found(*lines)] == [(1, ("p:1",)), (2, ("p:2",))]


def test_who_lets_anyone_in_lets_in_all_others() -> None:
    both = allowance("80/tcp", sources=OFFICE, origin="p:1"), allowance("80/tcp", origin="p:2")
    (one,) = found(*both)
    assert one.anyone
    assert one.origins == ("p:1", "p:2")


def test_protocols_do_not_mix() -> None:
    assert opened(allowance("53/tcp", "53/udp", "53/sctp")) == [
        (name, 53, 53, ["anyone"]) for name in ("tcp", "udp", "sctp")
    ]


def test_the_first_and_the_last_port() -> None:
    assert opened(allowance("1-65535/tcp"), allowance("65535/tcp", sources=OFFICE)) == [
        ("tcp", 1, 65_535, ["anyone"]),
    ]


@pytest.mark.parametrize(
    "closed",
    [
        allowance("80/tcp", until=DAY - timedelta(days=1)),
        allowance("80/tcp", audience=Audience.HOST),
        allowance("80/tcp", audience=Audience.NOBODY),
        allowance("68/udp", service="dhcp-client", origin=EVERY_ROLE),
        allowance("1/raw"),
        allowance("58/raw"),
        allowance("1-255/raw"),
        allowance("2048/packet"),
    ],
    ids=lambda one: f"{one.ports[0]} {one.sources.audience} {one.origin} {one.until or ''}",
)
def test_not_opened(closed: Allowance) -> None:
    assert found(closed) == ()


@pytest.mark.parametrize("until", [None, DAY, DAY + timedelta(days=1)])
def test_opened_up_to_its_last_day(until: object) -> None:
    assert opened(allowance("80/tcp", until=until)) == [("tcp", 80, 80, ["anyone"])]


def test_private_without_networks_of_its_own() -> None:
    (one,) = found(allowance("22/tcp", audience=Audience.PRIVATE))
    assert one.groups[0].addresses == addresses(PRIVATE_NETWORKS)


def test_networks_are_written_as_the_kernel_keeps_them() -> None:
    wide = named("x", "2001:db8::/33", "192.0.2.128/25", "2001:db8:8000::/33", "192.0.2.0/25")
    (one,) = found(allowance("22/tcp", sources=wide))
    assert one.groups[0].addresses == addresses(["192.0.2.0/24", "2001:db8::/32"])


def test_one_ip_protocol() -> None:
    (one,) = found(allowance("47/raw", sources=OFFICE))
    assert (one.protocol, one.first) == (Protocol.RAW, 47)


# --- the table -----------------------------------------------------------------------------------


def made(*allowances: Allowance, **facts: Any) -> OwnTable:
    roles = facts.pop("roles", (role(),))
    return table(policy(*allowances, roles=roles), snapshot(**facts), DAY)


def names(own: OwnTable, kind: str) -> list[str]:
    return [item[kind]["name"] for item in own.listing if kind in item]


def test_sets_are_named_after_the_policy() -> None:
    own = made(allowance("22/tcp", sources=ADMIN), allowance("80/tcp", sources=OFFICE))
    assert names(own, "set")[:3] == ["net_admin_v4", "net_admin_v6", "net_office_v4"]
    assert {"from_admin", "from_office"} <= set(names(own, "chain"))
    assert names(own, "map") == ["tcp_ports"]


def test_no_two_things_have_one_name() -> None:
    labels = ["a-b", "a_b", "seen", "private_n2", "private", "private", "networks", "10.0.0.0/8"]
    labels += ["a", "b", "a_or_b", "input", "é", "1", "x" * 300, "y" * 300, "y" * 300 + "z"]
    lines = [
        allowance(f"{port}/tcp", sources=named(label, f"10.{port}.0.0/16"))
        for port, label in enumerate(labels, 1)
    ]
    lines.append(allowance("300/tcp", sources=named("a", "10.9.0.0/16")))
    lines.append(allowance("300/tcp", sources=named("b", "10.10.0.0/16")))
    lines += [allowance("400/tcp", sources=line.sources) for line in lines]
    own = made(*lines)
    for kinds in (("set", "map"), ("chain",)):
        taken = [name for kind in kinds for name in names(own, kind)]
        assert len(taken) == len(set(taken))
        assert max(map(len, taken)) < 256
    assert {"seen_v4", "net_seen_v4"} <= set(names(own, "set"))


def test_a_port_says_in_its_comment_who_opened_it() -> None:
    own = made(
        allowance("80/tcp", origin="role web-server"),
        allowance("80/tcp", origin='/etc/"odd" policy.toml:7'),
    )
    assert '80 comment "role web-server, /etc/?odd? policy.toml:7" : accept' in own.text


def test_a_long_comment_is_cut_to_what_the_kernel_takes() -> None:
    own = made(*(allowance("80/tcp", origin=f"/etc/portward/policy.toml:{n}") for n in range(20)))
    (said,) = (line for line in own.text.splitlines() if "80 comment" in line)
    assert len(said.split('"')[1]) == 120


def test_an_uplink_that_is_called_like_a_bridge_is_no_inner_network() -> None:
    host = role("container-host", forwards=True)
    own = made(roles=(host,), interfaces=(LOOPBACK, interface("br-ex")))
    lines = [line.strip() for line in own.text.splitlines() if 'iifname "br-*"' in line]
    assert len(lines) == 2  # to this host, and passed on
    assert all(line.startswith('iifname "br-*" iifname != "br-ex" ') for line in lines)


def test_only_a_router_hides_networks_behind_its_address() -> None:
    assert "postrouting" not in names(made(), "chain")
    assert "postrouting" in names(made(roles=(role("router", forwards=True),)), "chain")


def test_the_text_takes_the_place_of_a_former_table() -> None:
    lines = made().text.splitlines()
    assert lines[:2] == ["table inet portward { }", "delete table inet portward"]


def test_only_its_own_table_changes_in_a_ruleset() -> None:
    other, own = made(allowance("80/tcp")), made(allowance("22/tcp"))
    before = firewall()
    both = with_table(with_table(before, other), own)
    assert isinstance(both.nft, str)
    assert isinstance(before.nft, str)
    kept = json.loads(before.nft)["nftables"]
    assert json.loads(both.nft)["nftables"] == [*kept, *own.listing]
    assert is_loaded(both, own)
    assert not is_loaded(both, other)
    assert not is_loaded(before, own)
