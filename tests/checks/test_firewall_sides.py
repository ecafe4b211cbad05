"""Two managers that fight, and IPv6 beside a closed IPv4."""

import pytest
from msgspec import structs

import build
from portward.checks import checks
from portward.model.host import FirewallManager, InetdLine
from portward.model.net import Family, Protocol
from portward.model.service import BackdoorPort
from portward.model.status import Entrance, Scope

ONLY_IPV4 = build.INPUT_DROP.replace('"inet"', '"ip"')
ROUTED = build.interface(addresses=("198.51.100.7/24", "2001:db8::7/64"))
LINK_ONLY = build.interface(addresses=("198.51.100.7/24", "fe80::7/64"))


def manager(name: str, *, active: bool, exclusive: bool = True) -> FirewallManager:
    return FirewallManager(
        name=name, enabled=False, active=active, exclusive=exclusive, evidence="its table"
    )


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (manager("firewalld", active=True), 1),
        (manager("firewalld", active=False), 0),
        (manager("docker", active=True, exclusive=False), 0),
    ],
)
def test_managers(second: FirewallManager, found: int) -> None:
    firewall = build.firewall(managers=(manager("ufw", active=True), second))
    case = build.case(firewall=firewall)
    assert len(list(checks()["firewall-managers"].run(case))) == found


@pytest.mark.parametrize(
    ("ruleset", "interface", "found"),
    [(ONLY_IPV4, ROUTED, 1), (ONLY_IPV4, LINK_ONLY, 0), (build.INPUT_DROP, ROUTED, 0)],
)
def test_ipv6(ruleset: str, interface: object, found: int) -> None:
    case = build.case(firewall=build.firewall(nft=ruleset), interfaces=(interface,))
    assert len(list(checks()["ipv6-unfiltered"].run(case))) == found


def test_a_service_that_is_open_over_ipv6_alone() -> None:
    six = (Entrance(device="eth0", family=Family.IPV6),)
    dual = build.listener("22/tcp", "::", family=Family.DUAL)
    leak = build.exposure(dual)
    leak = structs.replace(leak, reach=structs.replace(leak.reach, entrances=six))
    meant = structs.replace(leak, allowance=build.allowance("22/tcp"))
    both = build.exposure(dual)
    for exposure, found in ((leak, 1), (meant, 0), (both, 0)):
        case = build.case(exposure, interfaces=(ROUTED,))
        findings = list(checks()["ipv6-unfiltered"].run(case))
        assert len(findings) == found
        for finding in findings:
            assert "over IPv6, but not over IPv4" in str(finding)


@pytest.mark.parametrize(
    ("four", "found"), [(Scope.NOBODY, 1), (Scope.NETWORKS, 1), (Scope.HOST, 0), (Scope.UNKNOWN, 0)]
)
def test_the_sockets_of_both_families(four: Scope, found: int) -> None:
    twins = (
        build.exposure(build.listener("22/tcp"), scope=four),
        build.exposure(build.listener("22/tcp", "::")),
    )
    case = build.case(*twins, interfaces=(ROUTED,))
    assert len(list(checks()["ipv6-unfiltered"].run(case))) == found


@pytest.mark.parametrize(("package", "found"), [(None, 1), ("metasploit", 0)])
def test_backdoor_port(package: str | None, found: int) -> None:
    hint = BackdoorPort(port=4444, protocol=Protocol.TCP, name="a framework", note="Its default.")
    exposure = build.exposure(build.listener("4444/tcp", exe="/opt/x", unit=None, package=package))
    case = build.case(exposure, catalogue=build.catalogue(backdoors=(hint,)))
    assert len(list(checks()["backdoor-port"].run(case))) == found


@pytest.mark.parametrize(("allowed", "found"), [((), 1), ((build.allowance("79/tcp"),), 0)])
def test_a_line_of_inetd_that_does_not_listen_yet(allowed: tuple[()], found: int) -> None:
    lines = tuple(
        InetdLine(
            file="/etc/inetd.conf",
            line=number,
            service="finger",
            protocol=Protocol.TCP,
            port=79,
            user="nobody",
            program="/usr/sbin/fingerd",
            package=None,
        )
        for number in (3, 4)
    )
    case = build.case(inetd=lines, policy=build.policy(*allowed))
    assert len(list(checks()["inetd-service"].run(case))) == found
