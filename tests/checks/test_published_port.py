from typing import Any

import pytest
from msgspec import structs

import build
from portward.checks.published_port import check
from portward.model.finding import Severity
from portward.model.host import Container, FirewallManager, Listener, PublishedPort
from portward.model.net import Protocol
from portward.model.service import Audience
from portward.model.status import Exposure, Scope
from portward.model.unknown import Unknown
from portward.reach.published import NETFILTER

UFW = FirewallManager(
    name="ufw", enabled=True, active=True, exclusive=True, evidence="chains ufw-*"
)


def shop(address: str = "0.0.0.0") -> Container:
    published = PublishedPort(protocol=Protocol.TCP, address=address, port=8080, container_port=80)
    return Container(
        name="shop", id="c0ffee", engine="docker", image="shop:1", published=(published,)
    )


def proxy(address: str = "0.0.0.0", **facts: Any) -> Listener:
    """The program with which docker holds the port of the shop."""
    given: dict[str, Any] = {
        "exe": "/usr/bin/docker-proxy",
        "unit": "docker.service",
        "package": "docker.io",
        "container": "shop",
    }
    return build.listener("8080/tcp", address, **given | facts)


def passed_on(scope: Scope, as_input: Scope, *networks: str, **facts: Any) -> Exposure:
    return structs.replace(
        build.exposure(proxy(**facts), scope=scope, networks=networks),
        unforwarded=build.reach(as_input),
    )


@pytest.mark.parametrize(
    ("scope", "audience", "found"),
    [
        (Scope.EVERYONE, None, 1),
        (Scope.HOST, None, 0),
        (Scope.NOBODY, None, 0),
        (Scope.EVERYONE, Audience.ANYONE, 0),
        (Scope.EVERYONE, Audience.PRIVATE, 1),
        (Scope.UNKNOWN, None, 1),
    ],
)
def test_who_may_reach_it(scope: Scope, audience: Audience | None, found: int) -> None:
    allowed = build.allowance("8080/tcp", audience=audience) if audience else None
    exposure = build.exposure(proxy(), scope=scope, allowance=allowed)
    assert len(list(check(build.case(exposure, containers=(shop(),))))) == found


def test_private_networks_may_be_enough() -> None:
    allowed = build.allowance("8080/tcp", audience=Audience.PRIVATE)
    networks = ("10.0.0.0/8", "192.168.1.0/24 (eth1)")
    exposure = build.exposure(proxy(), scope=Scope.NETWORKS, networks=networks, allowance=allowed)
    assert list(check(build.case(exposure))) == []


@pytest.mark.parametrize(
    ("as_input", "severity", "words"),
    [
        (Scope.NOBODY, Severity.HIGH, "to everyone, past ufw"),
        (Scope.EVERYONE, Severity.MEDIUM, "to everyone"),
    ],
)
def test_past_ufw_only_where_ufw_would_deny_it(
    as_input: Scope, severity: Severity, words: str
) -> None:
    firewall = build.firewall(managers=(UFW,))
    exposure = passed_on(Scope.EVERYONE, as_input)
    (finding,) = check(build.case(exposure, containers=(shop(),), firewall=firewall))
    assert finding.severity == severity
    assert finding.title == f"Container shop publishes 8080/tcp {words}"
    assert "127.0.0.1" in finding.remedy.summary


def test_a_port_without_a_socket_or_a_container() -> None:
    exposure = passed_on(
        Scope.EVERYONE,
        Scope.NOBODY,
        process=NETFILTER,
        container=Unknown("rules alone pass it on"),
    )
    (finding,) = check(build.case(exposure))
    assert finding.title == (
        "Rules pass 8080/tcp on and open it to everyone, past the rules for incoming packets"
    )
    assert "as an incoming packet: eth0 keeps out: drop" in str(finding.evidence)


def test_the_proxies_of_both_families_are_one_finding() -> None:
    twins = [build.exposure(proxy(address)) for address in ("0.0.0.0", "::")]
    (finding,) = check(build.case(*twins, containers=(shop(),)))
    assert finding.listener == twins[0].listener
    assert finding.subject == "8080/tcp (container shop)"


def test_a_proxy_whose_container_is_not_known_is_found() -> None:
    twins = [proxy(address, container=None) for address in ("0.0.0.0", "::")]
    (finding,) = check(build.case(*map(build.exposure, twins)))
    assert finding.subject == "8080/tcp (container (unknown))"
