import pytest

import build
from portward.checks.published_port import check
from portward.model.finding import Severity
from portward.model.host import Container, FirewallManager, PublishedPort
from portward.model.net import Protocol
from portward.model.service import Audience

UFW = FirewallManager(
    name="ufw", enabled=True, active=True, exclusive=True, evidence="chains ufw-*"
)


def shop(address: str = "0.0.0.0") -> Container:
    published = PublishedPort(protocol=Protocol.TCP, address=address, port=8080, container_port=80)
    return Container(
        name="shop", id="c0ffee", engine="docker", image="shop:1", published=(published,)
    )


@pytest.mark.parametrize(
    ("address", "audience", "found"),
    [
        ("0.0.0.0", None, 1),
        ("127.0.0.1", None, 0),
        ("0.0.0.0", Audience.ANYONE, 0),
        ("0.0.0.0", Audience.PRIVATE, 1),
    ],
)
def test_who_may_reach_it(address: str, audience: Audience | None, found: int) -> None:
    allowed = (build.allowance("8080/tcp", audience=audience),) if audience else ()
    case = build.case(containers=(shop(address),), policy=build.policy(*allowed))
    assert len(list(check(case))) == found


def test_ufw_does_not_see_it() -> None:
    firewall = build.firewall(managers=(UFW,))
    (finding,) = check(build.case(containers=(shop(),), firewall=firewall))
    assert finding.severity == Severity.HIGH
    assert "past ufw" in finding.title
    assert "127.0.0.1" in finding.remedy.summary


def test_the_proxy_on_the_host_is_the_same_finding() -> None:
    proxy = build.listener(
        "8080/tcp", exe="/usr/bin/docker-proxy", unit="docker.service", package="docker.io"
    )
    (finding,) = check(build.case(build.exposure(proxy), containers=(shop(),)))
    assert finding.listener == proxy


def test_a_proxy_whose_container_is_not_known_is_found() -> None:
    twins = [
        build.listener("8080/tcp", address, exe="/usr/bin/docker-proxy", package="docker.io")
        for address in ("0.0.0.0", "::")
    ]
    (finding,) = check(build.case(*map(build.exposure, twins)))
    assert finding.subject == "8080/tcp (container (unknown))"
