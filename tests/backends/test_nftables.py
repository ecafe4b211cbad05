import json

import pytest

from build import DAY, LOOPBACK, allowance, interface, policy, role, snapshot
from portward.backends import nftables
from portward.model.host import Facing, Interface
from portward.model.policy import Allowance, Sources
from portward.model.service import Audience

NET = ("192.0.2.0/24", "2001:db8::/48")


def named(port: str, label: str, networks: tuple[str, ...] = NET) -> Allowance:
    sources = Sources(audience=Audience.PRIVATE, networks=networks, label=label)
    return allowance(port, sources=sources)


def text(*allowances: Allowance, interfaces: tuple[Interface, ...] = (), **facts: object) -> str:
    host = snapshot(interfaces=(LOOPBACK, *(interfaces or (interface(),))))
    return nftables.table(policy(*allowances, **facts), host, DAY).text


@pytest.mark.parametrize("label", ["seen", "drop", "accept", "a" * 300, "10.0.0.0/8, office", "ä"])
def test_whatever_a_network_is_called_its_set_has_a_name_of_its_own(label: str) -> None:
    written = text(named("22/tcp", label), named("25/tcp", label, ("198.51.100.0/24",)))
    names = [
        line.split()[1] for line in written.splitlines() if line.startswith(("\tset", "\tmap"))
    ]
    assert len(names) == len(set(names))
    assert all(len(name) < 128 for name in names)


def test_a_comment_names_the_line_and_ends_no_string() -> None:
    one = allowance("22/tcp", origin='policy.toml:14 "; drop')
    assert 'comment "policy.toml:14 ?; drop"' in text(one)


def test_windows_sharing_is_never_for_the_internet() -> None:
    assert 'iifname "eth0" tcp dport { 137-139, 445 } jump refused' in text(allowance("445/tcp"))
    private = interface(facing=Facing.PRIVATE)
    assert "never to the internet" not in text(allowance("445/tcp"), interfaces=(private,))


def test_a_host_that_serves_nobody_passes_nothing_on() -> None:
    forward = text().partition("chain forward")[2]
    assert forward.split("{", 1)[1].split("}")[0].split("\n")[2].strip() == "jump refused"


def test_containers_are_met_by_name_but_an_uplink_of_that_name_is_not() -> None:
    uplink = interface("br-ex")
    bridge = interface("docker0", index=5, facing=Facing.BRIDGE, default_route=False)
    written = text(interfaces=(uplink, bridge))
    assert 'iifname "docker0" accept' in written
    assert 'iifname "br-*" iifname != "br-ex" accept' in written


def test_a_router_hides_its_networks_and_nobody_else_does() -> None:
    inner = interface("lan0", index=3, facing=Facing.PRIVATE, default_route=False)
    router = (role("router", forwards=True, autoconf=False),)
    written = text(interfaces=(interface(), inner), roles=router)
    assert 'oifname "eth0" ip saddr { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 } masquerade' in (
        written
    )
    assert 'iifname "lan0" accept' in written
    assert "masquerade" not in text()


def test_the_table_takes_the_place_of_a_former_one_and_of_no_other() -> None:
    written = text()
    assert written.startswith("table inet portward { }\ndelete table inet portward\n")
    assert written.count("delete") == 1
    assert "flush" not in written


def test_the_listing_of_a_machine_keeps_what_others_wrote() -> None:
    host = snapshot()
    own = nftables.table(policy(), host, DAY)
    once = nftables.with_table(host.firewall, own)  # type: ignore[arg-type]
    twice = nftables.with_table(once, own)
    assert twice.nft == once.nft
    tables = [
        item["table"]["name"] for item in json.loads(str(once.nft))["nftables"] if "table" in item
    ]
    assert tables == ["filter", "portward"]
