"""The checks that compare allowed ports with who holds and who reaches them."""

from typing import Any

import pytest

import build
from portward.checks import checks
from portward.model.finding import Finding, Undecided
from portward.model.policy import Sources
from portward.model.service import Audience, Encryption
from portward.model.status import Exposure, Scope

HTTP = build.service("http", "80/tcp", audience=Audience.ANYONE)
FTP = build.service("ftp", "21/tcp", encryption=Encryption.NONE, secrets=("passwords",))
NAMED = build.allowance("80/tcp", program="/usr/bin/app")


def run(check: str, exposure: Exposure, **facts: Any) -> list[Finding | Undecided]:
    return list(checks()[check].run(build.case(exposure, **facts)))


def open_port(port: str = "80/tcp", **facts: Any) -> Exposure:
    return build.exposure(build.listener(port), HTTP, **facts)


@pytest.mark.parametrize(
    ("audience", "scope", "kinds"),
    [
        (Audience.PRIVATE, Scope.EVERYONE, [Finding]),
        (Audience.PRIVATE, Scope.UNKNOWN, [Undecided]),
        (Audience.PRIVATE, Scope.HOST, []),
        (Audience.ANYONE, Scope.EVERYONE, []),
    ],
)
def test_wider_than_allowed(audience: Audience, scope: Scope, kinds: list[type]) -> None:
    allowed = build.allowance("80/tcp", audience=audience)
    results = run("wider-than-allowed", open_port(scope=scope, allowance=allowed))
    assert [type(one) for one in results] == kinds


ADMIN = Sources(audience=Audience.PRIVATE, networks=("192.0.2.0/24",), label="admin")


@pytest.mark.parametrize(
    ("facts", "networks", "beyond"),
    [
        ({"sources": ADMIN}, ("0.0.0.0/1", "128.0.0.0/2"), "nearly everyone"),
        ({"audience": Audience.PRIVATE}, ("10.0.0.0/8", "fe80::/64 (eth0)"), None),
        ({"audience": Audience.PRIVATE}, ("10.0.0.0/8", "203.0.113.0/24"), "203.0.113.0/24"),
        ({"sources": ADMIN}, ("192.0.2.0/25",), None),
        ({"sources": ADMIN}, ("192.0.2.0/24", "10.8.0.0/24 (wg0)"), "10.8.0.0/24"),
        ({"sources": ADMIN}, ("192.0.2.0/23",), "192.0.3.0/24"),
    ],
)
def test_networks_beyond_the_allowance(
    facts: dict[str, Any], networks: tuple[str, ...], beyond: str | None
) -> None:
    allowed = build.allowance("80/tcp", **facts)
    exposure = open_port(scope=Scope.NETWORKS, networks=networks, allowance=allowed)
    results = run("wider-than-allowed", exposure)
    assert len(results) == (beyond is not None)
    for finding in results:
        assert isinstance(finding, Finding)
        assert f"is open to {beyond}, but allowed only for" in finding.title


@pytest.mark.parametrize(("address", "found"), [("0.0.0.0", 1), ("192.0.2.1", 0)])
def test_needless_wildcard(address: str, found: int) -> None:
    allowed = build.allowance("80/tcp", audience=Audience.HOST)
    exposure = build.exposure(build.listener("80/tcp", address), HTTP, allowance=allowed)
    assert len(run("needless-wildcard", exposure)) == found


def test_a_program_that_is_not_the_named_one() -> None:
    policy = build.policy(NAMED)
    assert len(run("unexpected-program", open_port(), policy=policy)) == 1
    assert run("open-not-allowed", open_port(), policy=policy) == []


def test_another_service_on_an_allowed_port() -> None:
    allowed = build.allowance("443/tcp", service="https")
    known = open_port("443/tcp", allowance=allowed)
    assert run("unexpected-program", known) == []  # the builder says that 443 is usual for it


@pytest.mark.parametrize(("scope", "found"), [(Scope.EVERYONE, 1), (Scope.HOST, 0)])
def test_cleartext(scope: Scope, found: int) -> None:
    exposure = build.exposure(build.listener("21/tcp"), FTP, scope=scope)
    assert len(run("cleartext-service", exposure)) == found


def test_windows_sharing_on_the_outer_side_only() -> None:
    outer = build.exposure(build.listener("445/tcp", "198.51.100.7", package="samba"))
    inner = build.exposure(build.listener("445/tcp", "10.0.0.1", package="samba"))
    assert len(run("windows-sharing-exposed", outer)) == 1
    assert run("windows-sharing-exposed", inner) == []


def test_a_port_that_nobody_holds() -> None:
    lost = build.exposure(build.listener("99/tcp", process=None, unit=None, package=None))
    (finding,) = run("ownerless-port", lost)
    assert isinstance(finding, Finding)
    assert run("ownerless-port", open_port()) == []


def test_promiscuous_mode_outside_a_bridge() -> None:
    sniffing = build.interface(promiscuous=True)
    member = build.interface(promiscuous=True, master="br0")
    check = "promiscuous-interface"
    assert len(run(check, open_port(), interfaces=(sniffing,))) == 1
    assert run(check, open_port(), interfaces=(member,)) == []
