from datetime import date
from typing import Any

import pytest

from build import (
    allowance,
    case,
    exposure,
    listener,
    policy,
    process,
    service,
    unit,
)
from portward.model.case import Case
from portward.model.host import InetdLine, Listener
from portward.model.net import Protocol
from portward.model.plan import Enabling, SetUnits, UnitState
from portward.model.service import Service
from portward.model.status import Basis, Scope, Verdict
from portward.model.unknown import Unknown
from portward.plan.services import services
from portward.plan.units import stopping

POSTGRES = service("postgresql", "5432/tcp")


def database(**facts: Any) -> Listener:
    given: dict[str, Any] = {
        "exe": "/usr/lib/postgresql/15/bin/postgres",
        "unit": "postgresql@15-main.service",
        "package": "postgresql-15",
    }
    return listener("5432/tcp", **given | facts)


UNITS = (
    unit("ssh.service"),
    unit("postgresql.service"),
    unit("postgresql@15-main.service", state="enabled-runtime"),
    unit("rc-local.service", manager="rc", file="/etc/rc.local"),
)


def steps(made: Case) -> list[UnitState]:
    return [
        state
        for change in services(made).changes
        for step in change.steps
        if isinstance(step, SetUnits)
        for state in step.units
    ]


def test_a_service_that_no_role_needs_is_stopped_with_the_unit_of_all_its_instances() -> None:
    made = case(exposure(database(), POSTGRES), units=UNITS)
    assert steps(made) == [
        UnitState(unit="postgresql@15-main.service", active=False, enabling=Enabling.MASKED),
        UnitState(unit="postgresql.service", active=False, enabling=Enabling.MASKED),
    ]
    (change,) = services(made).changes
    assert change.subject == "unit postgresql@15-main.service"


def test_what_starts_a_unit_again_is_stopped_with_it() -> None:
    held = listener("631/tcp", exe="/usr/sbin/cupsd", unit="cups.service", package="cups-daemon")
    starters = ("cups.socket", "cups.path")
    made = case(
        exposure(held, service("ipp", "631/tcp")),
        units=(unit("cups.service", triggered_by=starters), *map(unit, starters)),
    )
    assert [one.unit for one in steps(made)] == ["cups.service", "cups.socket", "cups.path"]


def test_a_unit_of_the_administrator_is_disabled_as_a_mask_would_take_its_place() -> None:
    own = unit("shop.service", file="/etc/systemd/system/shop.service")
    held = listener("6379/tcp", exe="/opt/redis", unit="shop.service", package=None)
    made = case(exposure(held, service("redis", "6379/tcp")), units=(own,))
    assert steps(made) == [UnitState(unit="shop.service", active=False, enabling=Enabling.DISABLED)]


@pytest.mark.parametrize(
    ("facts", "known", "why"),
    [
        ({"unit": "ssh.service"}, service("ssh", "22/tcp"), "SSH may be the way in"),
        ({"unit": "shop.service"}, None, "the catalogue does not know it"),
        ({"unit": "x.service", "unit_user": "anna"}, service("x", "9/tcp"), "the user anna"),
        ({"unit": "session-3.scope"}, service("x", "9/tcp"), "no unit holds it"),
        ({"unit": "systemd-resolved.service"}, service("dns", "53/tcp"), "never stopped"),
        ({"unit": "rc-local.service"}, service("x", "9/tcp"), "/etc/rc.local starts it"),
    ],
)
def test_what_is_left_running_is_said_with_its_reason(
    facts: dict[str, Any], known: Service | None, why: str
) -> None:
    held = listener("9/tcp", exe="/opt/x", package=None, **facts)
    part = services(case(exposure(held, known), units=UNITS))
    assert not part.changes
    assert any(why in note for note in part.notes), part.notes


def test_a_unit_that_also_holds_an_allowed_port_keeps_running() -> None:
    unneeded = listener("8080/tcp", exe="/usr/sbin/nginx", unit="nginx.service", package="nginx")
    needed = listener("443/tcp", exe="/usr/sbin/nginx", unit="nginx.service", package="nginx")
    allowed = allowance("443/tcp")
    made = case(
        exposure(unneeded, service("http-alt", "8080/tcp")),
        exposure(needed, service("https", "443/tcp"), verdict=Verdict.ALLOWED, allowance=allowed),
        units=(unit("nginx.service"),),
        policy=policy(allowed),
    )
    part = services(made)
    assert not part.changes
    assert any("443/tcp, which the policy allows" in note for note in part.notes)


def test_what_only_this_host_reaches_is_left_alone_and_named() -> None:
    held = database(address="127.0.0.1")
    local = exposure(held, POSTGRES, scope=Scope.HOST, verdict=Verdict.LOCAL)
    part = services(case(local, units=UNITS))
    assert not part.changes
    assert any("only this host reaches them" in note for note in part.notes)


def test_a_service_behind_a_firewall_is_stopped_all_the_same() -> None:
    shut = exposure(database(), POSTGRES, scope=Scope.NOBODY, verdict=Verdict.CLOSED)
    assert steps(case(shut, units=UNITS))


def test_without_systemd_nothing_is_stopped_and_the_plan_says_so() -> None:
    made = case(exposure(database(), POSTGRES), units=Unknown("no systemd"))
    part = services(made)
    assert not part.changes
    assert "systemd does not run here" in part.notes[0]


def test_a_line_of_inetd_is_not_its_super_servers_end() -> None:
    line = InetdLine(
        file="/etc/inetd.conf",
        line=1,
        service="telnet",
        protocol=Protocol.TCP,
        port=23,
        user="root",
        program="/usr/sbin/telnetd",
        package="telnetd",
    )
    held = listener("23/tcp", unit="inetd.service", inetd=line, process=process("/usr/sbin/inetd"))
    telnet = exposure(held, service("telnet", "23/tcp"), basis=Basis.INETD)
    assert not services(case(telnet, units=(unit("inetd.service"),))).changes


def test_a_unit_that_is_stopped_for_good_already_needs_no_step() -> None:
    done = unit("cups.service", active="inactive", state="masked")
    assert stopping(["cups.service"], case(units=(done,), day=date(2026, 1, 1))) == ()
