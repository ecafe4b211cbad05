"""The table of a policy: what is in it, and what must never be."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import build
from portward.backends import nft_words
from portward.backends.nftables import OwnTable, table, with_table
from portward.model.host import Facing
from portward.model.net import Ports, Protocol
from portward.model.policy import Allowance, Policy
from portward.model.service import Audience
from portward.model.unknown import Unknown
from portward.policy.resolve import EVERY_ROLE
from portward.reach import load
from portward.reach.exposure import Exposer

INSIDE = build.interface(
    "lan0", index=3, addresses=("192.168.7.1/24",), facing=Facing.PRIVATE, default_route=False
)


def own(*allowances: Allowance, policy: Policy | None = None, **facts: Any) -> OwnTable:
    return table(policy or build.policy(*allowances), build.snapshot(**facts), build.DAY)


def scope(made: OwnTable, port: str, **facts: Any) -> str:
    firewall = with_table(build.firewall(nft=None), made)
    exposer = Exposer(build.snapshot(**facts, firewall=firewall))
    return str(exposer.reach(build.listener(port)).scope)


def test_what_is_allowed_is_open_to_whom_it_is_allowed_and_nothing_else_is() -> None:
    made = own(
        build.allowance("443/tcp"),
        build.allowance("5432/tcp", audience=Audience.PRIVATE),
        build.allowance("25/tcp", audience=Audience.HOST),
    )
    assert [scope(made, port) for port in ("443/tcp", "5432/tcp", "25/tcp", "80/tcp")] == [
        "everyone",
        "networks",
        "nobody",
        "nobody",
    ]


def test_an_allowance_ends_with_its_last_day() -> None:
    last = own(build.allowance("443/tcp", until=build.DAY))
    over = own(build.allowance("443/tcp", until=build.DAY - timedelta(days=1)))
    assert (scope(last, "443/tcp"), scope(over, "443/tcp")) == ("everyone", "nobody")


def test_what_every_machine_has_for_itself_opens_no_port() -> None:
    made = own(
        build.allowance(
            "53/tcp", service="resolver-stub", audience=Audience.HOST, origin=EVERY_ROLE
        ),
        build.allowance(
            "68/udp", service="dhcp-client", audience=Audience.PRIVATE, origin=EVERY_ROLE
        ),
    )
    assert scope(made, "53/tcp") == "nobody"
    assert "meta nfproto ipv4 udp sport 67 udp dport 68 accept" in made.text
    assert "sport 67" not in own().text


@pytest.mark.parametrize("number", [1, 6, 17, 58, 132])
def test_raw_sockets_of_a_protocol_with_ports_open_none_of_them(number: int) -> None:
    made = own(build.allowance(f"{number}/raw"))
    assert (scope(made, "22/tcp"), scope(made, "53/udp")) == ("nobody", "nobody")


def test_an_ip_protocol_without_ports_is_let_in_by_its_number() -> None:
    made = own(build.allowance("89/raw", audience=Audience.PRIVATE), build.allowance("50/raw"))
    assert "meta l4proto 89 jump from_private" in made.text
    assert "meta l4proto 50 accept" in made.text
    capturing = build.policy(build.allowance("1-255/raw"), build.allowance("1-65535/packet"))
    assert "l4proto 89" not in own(policy=capturing).text


def test_windows_sharing_never_crosses_the_internet() -> None:
    made = own(build.allowance("445/tcp"))
    assert scope(made, "445/tcp") == "nobody"
    (note,) = made.notes
    assert note.startswith("NetBIOS and SMB, which role web-server allows on 445/tcp, stay closed")
    assert made.kept_off == (Ports(Protocol.TCP, 445, 445),)
    wide = own(build.allowance("138-9000/udp"))
    assert [str(one) for one in wide.kept_off] == ["138-139/udp", "445/udp"]
    inside: dict[str, Any] = {"interfaces": (build.LOOPBACK, INSIDE)}
    assert not own(build.allowance("445/tcp"), **inside).notes
    assert scope(own(build.allowance("445/tcp"), **inside), "445/tcp", **inside) == "everyone"


def test_no_limit_decides_about_a_connection() -> None:
    """Whoever forges an address uses up its limit, and whoever floods a common one everybody's."""
    made = own(build.allowance("22/tcp", service="ssh"), build.allowance("443/tcp"))
    for line in made.text.splitlines():
        if "limit rate" in line:
            assert " log " in line or "echo-request" in line
            assert "@" in line or "drop" not in line


def test_it_says_which_line_of_the_policy_opens_a_port() -> None:
    made = own(build.allowance("443/tcp", origin="/etc/portward/policy.toml:7"))
    assert '443 comment "/etc/portward/policy.toml:7" : accept' in made.text


def test_it_replaces_itself_at_once_and_touches_nothing_else() -> None:
    first, second, _, third, *_ = own().text.splitlines()
    assert (first, second, third) == (
        "table inet portward { }",
        "delete table inet portward",
        "table inet portward {",
    )
    assert "flush" not in own().text


@given(st.text(max_size=300))
def test_no_word_of_the_policy_breaks_out_of_its_comment(text: str) -> None:
    said = nft_words.comment(text)
    assert '"' not in said
    assert "\n" not in said
    assert len(said.encode()) < 128


@given(st.lists(st.text(min_size=1, max_size=60), max_size=5, unique=True))
def test_no_label_becomes_more_than_the_name_of_a_set(labels: list[str]) -> None:
    allowed = [
        build.allowance(
            f"{1000 + index}/tcp", sources=build.sources((f"10.{index}.0.0/16",), label)
        )
        for index, label in enumerate(labels)
    ]
    made = own(*allowed)
    names = [body["name"] for item in made.listing for kind, body in item.items() if kind == "set"]
    assert len(names) == len(set(names))
    assert all(name.isascii() and name.replace("_", "").isalnum() for name in names)


def test_a_policy_is_the_same_table_every_time() -> None:
    allowed = [build.allowance("443/tcp"), build.allowance("22/tcp", audience=Audience.PRIVATE)]
    assert own(*allowed).text == own(*allowed).text


def test_nothing_of_outgoing_without_a_word_on_it() -> None:
    assert "hook output" not in own(build.allowance("443/tcp")).text
    made = own(policy=build.policy(outgoing=(build.outgoing("443/tcp"),)))
    assert "type filter hook output priority 0; policy drop;" in made.text


def test_a_router_translates_and_another_machine_does_not() -> None:
    router = build.policy(roles=(build.role("router", forwards=True),))
    made = own(policy=router, interfaces=(build.LOOPBACK, build.interface(), INSIDE))
    assert 'iifname "lan0" accept' in made.text
    assert 'oifname "eth0" ip saddr { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 }' in made.text
    assert "masquerade" not in own(interfaces=(build.LOOPBACK, build.interface(), INSIDE)).text


def test_containers_that_may_be_there_keep_their_networks() -> None:
    quiet = own(build.allowance("443/tcp"))
    assert "docker0" not in quiet.text
    unknown: list[dict[str, Any]] = [
        {"containers": Unknown("needs root")},
        {"interfaces": Unknown("needs root")},
    ]
    for facts in unknown:
        assert 'iifname "docker0" accept' in own(**facts).text


def test_containers_are_met_by_name_but_an_uplink_of_that_name_is_not() -> None:
    uplink = build.interface("br-ex")
    bridge = build.interface("docker0", index=5, facing=Facing.BRIDGE, default_route=False)
    made = own(interfaces=(build.LOOPBACK, uplink, bridge))
    assert 'iifname "docker0" accept' in made.text
    assert 'iifname "br-*" iifname != "br-ex" accept' in made.text
    assert 'iifname "br-*" iifname != "br-ex" jump from_inner' in made.text


def test_the_cable_of_a_container_leads_to_no_container() -> None:
    cable = build.interface(
        "veth0", kind="veth", facing=Facing.BRIDGE, default_route=False, addresses=()
    )
    inside = build.machine(inside="container")
    made = own(interfaces=(build.LOOPBACK, cable), machine=inside)
    assert "from_inner" not in made.text


def test_ranges_that_are_alike_and_touch_are_one() -> None:
    made = own(*(build.allowance(f"{port}/tcp") for port in (80, 81, 82)))
    assert '80-82 comment "role web-server" : accept' in made.text


# --- beside others -----------------------------------------------------------------------------


def test_the_planned_ruleset_keeps_what_others_wrote_and_replaces_what_is_ours() -> None:
    before, after = own(build.allowance("80/tcp")), own(build.allowance("443/tcp"))
    live = with_table(build.firewall(), before)
    planned = with_table(live, after)
    assert isinstance(planned.nft, str)
    names = [
        item["table"]["name"] for item in json.loads(planned.nft)["nftables"] if "table" in item
    ]
    assert names == ["filter", "portward"]
    assert planned == with_table(build.firewall(), after)


def test_a_ruleset_that_is_not_known_stays_so() -> None:
    unknown = build.firewall(nft=Unknown("needs root"))
    assert with_table(unknown, own()) == unknown
    assert isinstance(load.ruleset(with_table(unknown, own())), Unknown)
    broken = build.firewall(nft="{")
    assert with_table(broken, own()) == broken


def test_every_protocol_with_ports_has_its_map() -> None:
    made = own(*(build.allowance(f"99/{one}") for one in Protocol if one not in {"raw", "packet"}))
    for name in ("tcp", "udp", "sctp", "dccp", "udplite"):
        assert f"{name} dport vmap @{name}_ports" in made.text
