from typing import Any

import pytest

import build
from portward.checks.inetd_service import check
from portward.model.finding import Finding, Severity
from portward.model.host import InetdLine
from portward.model.net import Protocol
from portward.model.policy import Policy
from portward.model.service import Distribution, Encryption

TELNET = build.service(
    "telnet",
    "23/tcp",
    encryption=Encryption.NONE,
    programs=("telnetd",),
    debian=Distribution(packages=("telnetd",)),
)
WEB = build.service("http", "80/tcp")
CATALOGUE = build.catalogue(TELNET, WEB)


def run(policy: Policy | None = None, **facts: Any) -> list[Finding]:
    given: dict[str, Any] = {
        "file": "/etc/inetd.conf",
        "line": 7,
        "service": "telnet",
        "protocol": Protocol.TCP,
        "port": 23,
        "user": "root",
        "program": "/usr/sbin/telnetd",
        "package": "telnetd",
    }
    case = build.case(
        inetd=(InetdLine(**given | facts),),
        catalogue=CATALOGUE,
        policy=policy or build.policy(),
    )
    return [one for one in check(case) if isinstance(one, Finding)]


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"package": None, "program": "/opt/telnetd"},
        {"service": "http", "port": 80},
        {"service": "8023", "port": 8023, "program": "/opt/x"},
        {"package": None, "program": "internal"},
        {"port": None},
    ],
)
def test_the_program_or_the_name_tells_what_it_is(facts: dict[str, Any]) -> None:
    (finding,) = run(**facts)
    assert (finding.why, finding.severity) == (TELNET.risk, Severity.MEDIUM)


def test_what_it_is_stands_in_the_title_where_its_name_says_otherwise() -> None:
    (finding,) = run(service="http", port=80)
    assert "serve http (80/tcp), which is TELNET, and" in finding.title


def test_a_port_alone_is_a_hint() -> None:
    (finding,) = run(service="23", program="/opt/backup", package=None)
    assert finding.severity == Severity.LOW
    assert "usually TELNET" in finding.why
    assert TELNET.risk not in finding.why


@pytest.mark.parametrize(
    ("allowance", "facts", "found"),
    [
        (build.allowance("23/tcp", service="telnet"), {}, 0),
        (build.allowance("23/tcp"), {}, 0),
        (build.allowance("23/tcp", program="/usr/sbin/telnetd"), {}, 0),
        (build.allowance("23/tcp", program="/opt/other"), {}, 1),
        (build.allowance("80/tcp", service="http"), {"service": "http", "port": 80}, 1),
        (build.allowance("80/tcp"), {}, 1),
    ],
)
def test_an_allowance_is_for_what_the_line_serves(
    allowance: Any, facts: dict[str, Any], found: int
) -> None:
    assert len(run(build.policy(allowance), **facts)) == found
