"""Services of inetd: explained by what the line starts, and by its port only as a hint."""

from typing import Any

import pytest

import build
from portward.checks.inetd_service import check
from portward.model.finding import Finding, Severity
from portward.model.host import InetdLine
from portward.model.net import Protocol
from portward.model.service import Encryption

TELNET = build.service(
    "telnet", "23/tcp", programs=("in.telnetd",), encryption=Encryption.NONE, title="Telnet"
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


def found(one: InetdLine) -> Finding:
    case = build.case(inetd=(one,), catalogue=build.catalogue(TELNET, WEB, SHELL))
    (finding,) = check(case)
    assert isinstance(finding, Finding)
    return finding


@pytest.mark.parametrize(
    "one",
    [
        line("telnet", 23, "/usr/sbin/in.telnetd"),
        line("80", 80, "/usr/sbin/in.telnetd"),  # telnet in disguise
        line("telnet", 2323, "/opt/other"),  # xinetd with a port of its own
        line("telnet", None, "internal"),
    ],
)
def test_program_and_name_say_what_it_is(one: InetdLine) -> None:
    assert found(one).why == TELNET.risk
    assert found(one).severity == Severity.MEDIUM


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
