"""Services of inetd: explained by what the line starts, and by its port only as a hint."""

from typing import Any

import pytest

import build
from portward.checks.inetd_service import check
from portward.model.finding import Finding, Severity
from portward.model.host import InetdLine
from portward.model.net import Protocol
from portward.model.policy import Allowance, Policy
from portward.model.service import Distribution, Encryption

TELNET = build.service(
    "telnet",
    "23/tcp",
    programs=("in.telnetd",),
    encryption=Encryption.NONE,
    title="Telnet",
    debian=Distribution(packages=("telnetd",)),
)
WEB = build.service("web", "80/tcp", programs=("webd",), title="Web")
SHELL = build.service("rsh", "514/tcp", encryption=Encryption.NONE, title="rsh")


def line(service: str, port: int | None, program: str, **facts: Any) -> InetdLine:
    return InetdLine(
        file="/etc/inetd.conf",
        line=5,
        service=service,
        protocol=Protocol.TCP,
        port=port,
        user="root",
        program=program,
        **{"package": None} | facts,
    )


def findings(one: InetdLine, policy: Policy | None = None) -> list[Finding]:
    case = build.case(
        inetd=(one,),
        catalogue=build.catalogue(TELNET, WEB, SHELL),
        policy=policy or build.policy(),
    )
    return [found for found in check(case) if isinstance(found, Finding)]


def found(one: InetdLine) -> Finding:
    (finding,) = findings(one)
    return finding


@pytest.mark.parametrize(
    "one",
    [
        line("telnet", 23, "/usr/sbin/in.telnetd"),
        line("80", 80, "/usr/sbin/in.telnetd"),  # telnet in disguise
        line("telnet", 2323, "/opt/other"),  # xinetd with a port of its own
        line("telnet", None, "internal"),
        line("web", 80, "/opt/other", package="telnetd"),
    ],
)
def test_program_and_name_say_what_it_is(one: InetdLine) -> None:
    assert found(one).why == TELNET.risk
    assert found(one).severity == Severity.MEDIUM


def test_what_it_is_stands_in_the_title_where_its_name_says_otherwise() -> None:
    disguised = line("web", 80, "/usr/sbin/in.telnetd")
    assert "serve web (80/tcp), which is Telnet, and" in found(disguised).title
    assert "which is" not in found(line("telnet", 23, "/usr/sbin/in.telnetd")).title
    assert "which is" not in found(line("shell", 514, "/opt/other")).title


def test_the_port_alone_is_a_hint() -> None:
    finding = found(line("shell", 514, "/opt/other"))
    assert finding.why.startswith("The port is that of rsh; what /opt/other does there is not")
    assert finding.severity == Severity.MEDIUM


def test_what_inetd_serves_itself_is_what_the_port_says() -> None:
    assert found(line("shell", 514, "internal")).why == SHELL.risk


def test_a_line_that_nothing_tells_of() -> None:
    finding = found(line("odd", 9999, "/opt/other"))
    assert "as soon as the super-server runs" in finding.why
    assert finding.severity == Severity.LOW


@pytest.mark.parametrize(
    ("allowance", "one", "number"),
    [
        (build.allowance("23/tcp", service="telnet"), line("telnet", 23, "/opt/other"), 0),
        (build.allowance("23/tcp"), line("telnet", 23, "/opt/other"), 0),
        (build.allowance("23/tcp", program="/opt/other"), line("telnet", 23, "/opt/other"), 0),
        (build.allowance("23/tcp", program="/opt/meant"), line("telnet", 23, "/opt/other"), 1),
        (build.allowance("80/tcp", service="web"), line("web", 80, "/usr/sbin/in.telnetd"), 1),
        (build.allowance("80/tcp", service="web"), line("80", 80, "/opt/other"), 0),
        (build.allowance("80/tcp"), line("telnet", 23, "/usr/sbin/in.telnetd"), 1),
        (build.allowance("80/tcp"), line("web", 80, "/usr/sbin/in.telnetd"), 0),
    ],
)
def test_an_allowance_is_for_what_the_line_serves(
    allowance: Allowance, one: InetdLine, number: int
) -> None:
    assert len(findings(one, build.policy(allowance))) == number
