"""Rulesets of real tools, with what a client of the same network really reached."""

import json
from pathlib import Path

import pytest

from portward.model.host import Firewall
from portward.model.unknown import NOT_SURVEYED
from portward.reach import load
from portward.reach.host import LOCAL, Host, Way, number
from portward.reach.packets import packet
from portward.reach.path import arrive
from portward.reach.ruleset import Base, Chain, Kind, Ruleset, Table
from portward.reach.sources import Sources

CAPTURES = Path(__file__).parent.parent / "captures" / "rulesets"
CLIENT, SERVER = "10.99.2.1", "10.99.2.2"
BRIDGES = {"docker0": ("172.17.0.1", 16), "podman0": ("10.88.0.1", 16)}


def way(address: str, length: int, device: str) -> Way:
    size = 1 << (32 - length)
    first = number(address) & -size
    return Way(first, first + size - 1, device)


HOST = Host(
    bits=32,
    devices=("host0", *BRIDGES),
    own={number(SERVER): "host0"} | {number(one): name for name, (one, _) in BRIDGES.items()},
    ways=(
        Way(number(SERVER), number(SERVER), "host0", LOCAL),
        *(Way(number(one), number(one), name, LOCAL) for name, (one, _) in BRIDGES.items()),
        way(SERVER, 24, "host0"),
        *(way(one, length, name) for name, (one, length) in BRIDGES.items()),
        way("0.0.0.0", 0, "host0"),
    ),
    forwards=True,
)


def ruleset(name: str) -> Ruleset:
    found = load.ruleset(
        Firewall(
            nft=(CAPTURES / f"{name}.json").read_text(),
            iptables=(CAPTURES / f"{name}.iptables").read_text(),
            ip6tables=None,
            iptables_legacy=None,
            ip6tables_legacy=None,
            managers=NOT_SURVEYED,
        )
    )
    assert isinstance(found, Ruleset)
    return found


def with_drop(given: Ruleset, hook: str) -> Ruleset:
    """Add "table inet extra" with one chain that drops everything new on a hook."""
    base = Base(hook=hook, type="filter", priority=0, policy=Kind.DROP)
    extra = Table(family="inet", name="extra", chains=(Chain(name="all", base=base, rules=()),))
    return Ruleset(tables=(*given.tables, extra))


def endings(given: Ruleset, port: int) -> set[tuple[str, str, int | None, str | None]]:
    """Return how the client's first packet may end: verdict, hook, port and interface."""
    sources = Sources.of_points([number(CLIENT)])
    sent = packet(
        HOST,
        sources,
        device="host0",
        protocol=6,
        daddr=number(SERVER),
        dport=port,
        sport=40_000,
        tcp_flags=2,
    )
    journey = arrive(given, HOST, sources, sent)
    return {(one.kind.value, one.hook, one.port, one.device) for one in journey.endings if one.live}


@pytest.mark.parametrize(
    ("name", "dropping", "port", "expected"),
    [
        ("docker_ufw", None, 8090, ("accept", "forward", 8090, "docker0")),
        ("docker_ufw", None, 8091, ("drop", "input", 8091, None)),
        ("docker_ufw", None, 22, ("accept", "input", 22, None)),
        ("podman", None, 8092, ("accept", "forward", 8092, "podman0")),
        ("podman_inet_input_drop", None, 8092, ("accept", "forward", 8092, "podman0")),
        ("podman_inet_input_drop", None, 8091, ("drop", "input", 8091, None)),
        ("podman_inet_input_drop", "forward", 8092, ("drop", "forward", 8092, None)),
        ("docker", "input", 8090, ("accept", "forward", 8090, "docker0")),
        ("docker", "input", 8091, ("drop", "input", 8091, None)),
    ],
)
def test_the_way_of_a_packet_ends_where_the_tools_mean_it_to(
    name: str, dropping: str | None, port: int, expected: tuple[str, str, int, str | None]
) -> None:
    given = ruleset(name) if dropping is None else with_drop(ruleset(name), dropping)

    assert endings(given, port) == {expected}


@pytest.mark.parametrize(
    ("section", "key", "name", "dropping", "port"),
    [
        ("docker_ufw", "8090/tcp docker -p", "docker_ufw", None, 8090),
        ("docker_ufw", "8091/tcp native listener", "docker_ufw", None, 8091),
        ("podman", "8092/tcp podman -p", "podman", None, 8092),
        ("podman_inet_input_drop", "8092/tcp podman -p", "podman_inet_input_drop", None, 8092),
        (
            "podman_inet_input_drop + inet forward policy drop",
            "8092/tcp",
            "podman_inet_input_drop",
            "forward",
            8092,
        ),
        ("docker + inet input policy drop", "8090/tcp docker -p", "docker", "input", 8090),
    ],
)
def test_what_was_open_gets_through_and_what_was_blocked_does_not(
    section: str, key: str, name: str, dropping: str | None, port: int
) -> None:
    measured = json.loads((CAPTURES / "verdicts.json").read_text())[section][key]
    given = ruleset(name) if dropping is None else with_drop(ruleset(name), dropping)

    verdicts = {verdict for verdict, *_ in endings(given, port)}

    assert verdicts == {{"open": "accept", "blocked": "drop"}[measured]}
