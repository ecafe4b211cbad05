from typing import Any

import pytest

import build
from portward.checks.allowed_but_blocked import check
from portward.model.finding import Finding, Severity
from portward.model.host import FirewallManager
from portward.model.policy import Sources
from portward.model.service import Audience
from portward.model.status import Exposure, Scope

HTTP = build.service("http", "80/tcp", audience=Audience.ANYONE)
ADMIN = Sources(audience=Audience.PRIVATE, networks=("192.0.2.0/24",), label="admin")


def allowed(scope: Scope, *networks: str, address: str = "0.0.0.0", **facts: Any) -> Exposure:
    return build.exposure(
        build.listener("80/tcp", address),
        HTTP,
        scope=scope,
        networks=networks,
        allowance=build.allowance("80/tcp", **facts),
    )


def findings(*exposures: Exposure, **facts: Any) -> list[Finding]:
    return list(check(build.case(*exposures, **facts)))


@pytest.mark.parametrize(
    ("exposure", "found"),
    [
        (allowed(Scope.NOBODY), 1),
        (allowed(Scope.NETWORKS, "10.0.0.0/8"), 1),
        (allowed(Scope.NETWORKS, "0.0.0.0/1", "128.0.0.0/2"), 0),
        (allowed(Scope.EVERYONE), 0),
        (allowed(Scope.HOST), 0),
        (allowed(Scope.UNKNOWN), 0),
        (allowed(Scope.NOBODY, audience=Audience.HOST), 0),
        (allowed(Scope.NETWORKS, "10.1.0.0/16", audience=Audience.PRIVATE), 0),
        (allowed(Scope.NETWORKS, "203.0.113.0/24", audience=Audience.PRIVATE), 1),
        (allowed(Scope.NETWORKS, "192.0.2.0/24 (eth1)", sources=ADMIN), 0),
        (allowed(Scope.NETWORKS, "192.0.2.128/25", "192.0.2.0/26", sources=ADMIN), 0),
        (allowed(Scope.NETWORKS, "192.0.2.0/26", sources=ADMIN), 1),
        (build.exposure(build.listener("80/tcp"), HTTP, scope=Scope.NOBODY), 0),
    ],
)
def test_who_is_shut_out(exposure: Exposure, found: int) -> None:
    assert len(findings(exposure)) == found


def test_the_rule_that_drops_is_named() -> None:
    (finding,) = findings(allowed(Scope.NOBODY, required=True))
    assert (
        finding.title == "HTTP (80/tcp) is allowed for anyone, but the firewall keeps everyone out"
    )
    assert finding.severity == Severity.LOW
    facts = [(one.text, one.where) for one in finding.evidence]
    assert ("eth0 keeps out: drop", "inet filter input, handle 7") in facts


def test_one_family_alone_only_informs() -> None:
    (finding,) = findings(allowed(Scope.EVERYONE), allowed(Scope.NOBODY, address="::"))
    assert finding.title.endswith("keeps everyone out over IPv6")
    assert finding.severity == Severity.INFO


def test_ufw_gets_its_command() -> None:
    ufw = FirewallManager(name="ufw", enabled=True, active=True, exclusive=True, evidence="")
    (finding,) = findings(
        allowed(Scope.NOBODY, sources=ADMIN), firewall=build.firewall(managers=(ufw,))
    )
    assert finding.remedy.commands == ("ufw allow from 192.0.2.0/24 to any port 80 proto tcp",)
