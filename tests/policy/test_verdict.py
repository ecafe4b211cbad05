"""What the policy says of a listener."""

from datetime import date, timedelta
from typing import Any

import pytest
from msgspec import structs

import build
from portward.model.host import Listener
from portward.model.policy import Allowance
from portward.model.service import Service
from portward.model.status import Basis, Reach, Recognition, Scope, Verdict
from portward.model.unknown import NEEDS_ROOT
from portward.policy.resolve import EVERY_ROLE
from portward.policy.verdict import verdict

HTTPS = build.service("https", "443/tcp")
SSH = build.service("ssh", "22/tcp")
DHCP = build.service("dhcp-client", "68/udp", essential=True)
MOUNTD = build.service("mountd", dynamic=True)
STUB = build.service("resolver-stub", "53/udp", essential=True)

FOR_HTTPS = build.allowance("443/tcp", service="https")
FOR_DHCP = build.allowance("68/udp", service="dhcp-client", origin=EVERY_ROLE)
FOR_STUB = build.allowance("53/udp", service="resolver-stub", origin=EVERY_ROLE)
FOR_RANGE = build.allowance("400-500/tcp")
FOR_MOUNTD = build.allowance(service="mountd")
FOR_NGINX = build.allowance("443/tcp", program="/usr/sbin/nginx")
FOR_SCRIPT = build.allowance("443/tcp", program="/usr/bin/gunicorn")
CAPTURES = build.allowance("1-255/raw", "1-65535/packet")

EVERYONE = Reach(scope=Scope.EVERYONE, reason="it listens everywhere")


def known(service: Service, basis: Basis = Basis.UNIT) -> Recognition:
    return Recognition(service=service, basis=basis, usual_port=True)


def judge(
    of: Listener,
    *allowances: Allowance,
    as_: Recognition | None = None,
    scope: Scope = Scope.EVERYONE,
    day: date = build.DAY,
) -> tuple[Verdict, Allowance | None]:
    reach = Reach(scope=scope, reason="the test says so")
    return verdict(of, as_, reach, build.policy(*allowances), day)


def script(*cmdline: str) -> dict[str, Any]:
    return {"process": build.process("/usr/bin/python3.11", cmdline=cmdline)}


@pytest.mark.parametrize(
    ("port", "allowance", "as_", "expected"),
    [
        ("443/tcp", FOR_HTTPS, known(HTTPS), Verdict.ALLOWED),
        ("443/tcp", FOR_RANGE, None, Verdict.ALLOWED),
        ("443/udp", FOR_HTTPS, known(HTTPS), Verdict.NOT_ALLOWED),
        ("8443/tcp", FOR_HTTPS, known(HTTPS), Verdict.NOT_ALLOWED),
        ("501/tcp", FOR_RANGE, None, Verdict.NOT_ALLOWED),
        # Whoever holds an allowed port is allowed; a check reports the wrong holder.
        ("443/tcp", FOR_HTTPS, known(SSH), Verdict.ALLOWED),
        ("443/tcp", FOR_HTTPS, None, Verdict.ALLOWED),
        # What every role has is for the service, not for its port.
        ("53/udp", FOR_STUB, known(STUB), Verdict.ALLOWED),
        ("53/udp", FOR_STUB, known(build.service("dns", "53/udp")), Verdict.NOT_ALLOWED),
        ("53/udp", FOR_STUB, known(STUB, Basis.PORT), Verdict.NOT_ALLOWED),
        ("53/udp", FOR_STUB, None, Verdict.NOT_ALLOWED),
        # Without a port the service decides.
        ("2048/packet", FOR_DHCP, known(DHCP), Verdict.ALLOWED),
        ("2048/packet", FOR_DHCP, None, Verdict.NOT_ALLOWED),
        ("1/raw", CAPTURES, None, Verdict.ALLOWED),
        ("40001/tcp", FOR_MOUNTD, known(MOUNTD), Verdict.ALLOWED),
        ("40001/tcp", FOR_MOUNTD, known(MOUNTD, Basis.PORT), Verdict.NOT_ALLOWED),
    ],
)
def test_ports_and_services(
    port: str, allowance: Allowance, as_: Recognition | None, expected: Verdict
) -> None:
    found = judge(build.listener(port), allowance, as_=as_)
    assert found == (expected, allowance if expected == Verdict.ALLOWED else None)


@pytest.mark.parametrize(
    ("facts", "allowance", "expected"),
    [
        ({"exe": "/usr/sbin/nginx"}, FOR_NGINX, Verdict.ALLOWED),
        ({"exe": "/sbin/nginx"}, FOR_NGINX, Verdict.ALLOWED),
        ({"exe": "/tmp/nginx"}, FOR_NGINX, Verdict.NOT_ALLOWED),
        ({"process": None}, FOR_NGINX, Verdict.NOT_ALLOWED),
        ({"process": NEEDS_ROOT}, FOR_NGINX, Verdict.UNKNOWN),
        ({"process": structs.replace(build.process(), exe=NEEDS_ROOT)}, FOR_NGINX, Verdict.UNKNOWN),
        (script("python3", "-I", "/usr/bin/gunicorn", "app"), FOR_SCRIPT, Verdict.ALLOWED),
        (script("python3", "/tmp/x", "/usr/bin/gunicorn"), FOR_SCRIPT, Verdict.NOT_ALLOWED),
        (script("python3"), FOR_SCRIPT, Verdict.NOT_ALLOWED),
    ],
)
def test_a_port_for_one_program(
    facts: dict[str, Any], allowance: Allowance, expected: Verdict
) -> None:
    assert judge(build.listener("443/tcp", **facts), allowance)[0] == expected


def test_an_unseen_holder_of_a_housekeeping_port_goes_by_its_number() -> None:
    dhcp = build.listener("68/udp", process=NEEDS_ROOT, unit=NEEDS_ROOT, package=NEEDS_ROOT)
    assert judge(dhcp, FOR_DHCP, as_=known(DHCP, Basis.PORT)) == (Verdict.ALLOWED, FOR_DHCP)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope.NOBODY, Verdict.CLOSED),
        (Scope.HOST, Verdict.LOCAL),
        (Scope.NETWORKS, Verdict.NOT_ALLOWED),
        (Scope.EVERYONE, Verdict.NOT_ALLOWED),
        (Scope.UNKNOWN, Verdict.NOT_ALLOWED),
    ],
)
def test_what_no_allowance_covers_depends_on_who_reaches_it(
    scope: Scope, expected: Verdict
) -> None:
    assert judge(build.listener(), FOR_HTTPS, scope=scope) == (expected, None)


def test_a_network_of_its_own_is_not_judged_by_the_policy_of_the_host() -> None:
    inside = build.listener("443/tcp", namespace="shop")
    assert judge(inside, FOR_HTTPS, as_=known(HTTPS)) == (Verdict.INSIDE, None)


def test_an_allowance_holds_through_its_last_day() -> None:
    last = build.allowance("22/tcp", until=build.DAY)
    ssh = build.listener("22/tcp")
    assert judge(ssh, last)[0] == Verdict.ALLOWED
    assert judge(ssh, last, day=build.DAY + timedelta(days=1))[0] == Verdict.NOT_ALLOWED


def test_of_several_the_one_for_the_service_then_the_first() -> None:
    bare = build.allowance("443/tcp", reason="first")
    web = build.listener("443/tcp")
    assert judge(web, FOR_RANGE, bare, FOR_HTTPS, as_=known(HTTPS))[1] == FOR_HTTPS
    assert judge(web, FOR_RANGE, bare, FOR_HTTPS)[1] == FOR_RANGE
    assert judge(web, bare, FOR_RANGE)[1] == bare
