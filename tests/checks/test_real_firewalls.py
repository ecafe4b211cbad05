"""What the audit says of firewalls that real tools wrote, captured with the machine around them."""

from functools import cache
from pathlib import Path

import msgspec
import pytest

import build
from portward import flow
from portward.model.case import Case
from portward.model.finding import Audit
from portward.model.status import Scope
from reach.captures import Capture

MACHINES = Path(__file__).parents[1] / "captures/machines"
NAMES = sorted(file.stem for file in MACHINES.glob("*.json"))
OF_THE_FIREWALL = {"firewall-open", "ipv6-unfiltered", "published-port", "idle-rule"}


@cache
def judged(name: str) -> Audit:
    data = (MACHINES / f"{name}.json").read_bytes()
    snapshot = msgspec.json.decode(data, type=Capture).snapshot
    return flow.audit(flow.case(snapshot, day=build.DAY, roles=("web-server",)))


def titles(name: str, *checks: str) -> list[str]:
    return [one.title for one in judged(name).findings if one.check in checks]


def by_default(case: Case) -> set[Scope]:
    return {one.reach.scope for one in case.defaults}


@pytest.mark.parametrize("name", NAMES)
def test_what_happens_to_other_ports_is_known(name: str) -> None:
    audit = judged(name)
    assert len(audit.case.defaults) == 4
    assert Scope.UNKNOWN not in by_default(audit.case)
    assert not [one for one in audit.undecided if one.check in OF_THE_FIREWALL]


@pytest.mark.parametrize("name", ["bare", "docker", "fail2ban", "libvirt", "podman-cni"])
def test_open_by_default(name: str) -> None:
    assert by_default(judged(name).case) == {Scope.EVERYONE}


@pytest.mark.parametrize("name", ["docker-and-ufw", "legacy", "nftables", "podman", "ufw"])
def test_closed_by_default(name: str) -> None:
    assert by_default(judged(name).case) == {Scope.NOBODY}


def test_published_ports_are_past_the_rules_that_would_stop_them() -> None:
    assert titles("docker", "published-port") == [
        "Container shop publishes 8080/tcp, 8161/udp to everyone",
        "Container app publishes 8082/tcp, 8083/tcp to everyone",
    ]
    for name, manager in (("docker-and-ufw", "ufw"), ("docker-and-firewalld", "firewalld")):
        found = titles(name, "published-port")
        assert len(found) == 2
        assert all(f"to everyone, past {manager}" in title for title in found)
    for name, past in (("podman", ", past nftables"), ("podman-cni", "")):
        assert titles(name, "published-port") == [
            f"Rules pass {port} on and open it to everyone{past}"
            for port in ("8092/tcp", "8093/tcp")
        ]


@pytest.mark.parametrize("name", NAMES)
def test_tools_write_no_idle_rules_of_a_person(name: str) -> None:
    assert titles(name, "idle-rule") == []
