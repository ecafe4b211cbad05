"""The checks that look at software updates, each with what it must find and what not."""

from datetime import timedelta
from typing import Any

import pytest

import build
from portward.checks import checks
from portward.model.finding import Finding, Severity, Undecided
from portward.model.host import Antivirus, PendingUpdate, StaleProcess
from portward.model.status import Exposure, Scope
from portward.model.unknown import NEEDS_ROOT, NO_DAEMON, NOT_RUNNING, NOT_TOLD

OPEN = build.exposure(build.listener("80/tcp", unit="nginx.service", package="nginx"))
NGINX = PendingUpdate(package="nginx", installed="1", candidate="2", security=True)
STALE = StaleProcess(pid=9, name="nginx", unit="nginx.service", libraries=("/lib/libssl.so.3",))
LONG_AGO = build.TAKEN - timedelta(days=8)


@pytest.mark.parametrize(
    ("check", "facts", "exposures", "severity"),
    [
        ("automatic-updates", {}, [], None),
        ("automatic-updates", {"automatic": False}, [], Severity.MEDIUM),
        ("automatic-updates", {"automatic": False, "manager": None}, [], None),
        ("stale-package-lists", {}, [], None),
        ("stale-package-lists", {"lists_updated": LONG_AGO}, [], Severity.LOW),
        ("stale-package-lists", {"lists_updated": None}, [], Severity.LOW),
        ("security-updates", {"pending": (NGINX,)}, [OPEN], Severity.HIGH),
        ("security-updates", {"pending": (NGINX,)}, [], Severity.MEDIUM),
        ("replaced-libraries", {"stale": (STALE,)}, [OPEN], Severity.MEDIUM),
        ("replaced-libraries", {"stale": (STALE,)}, [], Severity.LOW),
        ("reboot-required", {"reboot_required": True}, [], Severity.LOW),
        ("reboot-required", {}, [], None),
    ],
)
def test_updates(
    check: str, facts: dict[str, Any], exposures: list[Exposure], severity: Severity | None
) -> None:
    case = build.case(*exposures, updates=build.updates(**facts))
    found = [one for one in checks()[check].run(case) if isinstance(one, Finding)]
    assert [one.severity for one in found] == ([severity] if severity else [])


def test_ordinary_updates_are_no_finding() -> None:
    pending = PendingUpdate(package="nginx", installed="1", candidate="2", security=False)
    case = build.case(OPEN, updates=build.updates(pending=(pending,)))
    assert list(checks()["security-updates"].run(case)) == []


def test_what_exposes_most_comes_first() -> None:
    names = ["aa", "local", "running", "zlib1g"]
    pending = [
        PendingUpdate(package=name, installed="1", candidate="2", security=True) for name in names
    ]
    packages = (build.package("nginx"), build.package("zlib1g", required_by=("nginx", "x")))
    local = build.exposure(build.listener("9/tcp", package="local"), scope=Scope.HOST)
    case = build.case(
        *(OPEN, local),
        updates=build.updates(pending=tuple(pending)),
        packages=packages,
        units=(build.unit("r.service", package="running"),),
    )
    (finding,) = checks()["security-updates"].run(case)
    assert isinstance(finding, Finding)
    assert [one.text for one in finding.evidence] == [
        "zlib1g 1 -> 2, needed by nginx, open on 80/tcp",
        "local 1 -> 2",
        "running 1 -> 2",
        "aa 1 -> 2",
    ]


@pytest.mark.parametrize(("age", "found"), [(1, 0), (8, 1)])
def test_old_signatures(age: int, found: int) -> None:
    scanner = Antivirus(
        name="clamav", running=True, signatures_updated=build.TAKEN - timedelta(days=age)
    )
    case = build.case(antivirus=(scanner,))
    assert len(list(checks()["antivirus-signatures"].run(case))) == found


@pytest.mark.parametrize(
    "antivirus",
    [NEEDS_ROOT, (Antivirus(name="clamav", running=True, signatures_updated=NEEDS_ROOT),)],
)
def test_signatures_of_unknown_age_are_undecided(antivirus: Any) -> None:
    (result,) = checks()["antivirus-signatures"].run(build.case(antivirus=antivirus))
    assert isinstance(result, Undecided)


@pytest.mark.parametrize(
    ("running", "undecided"),
    [(True, 0), (NO_DAEMON, 0), (NOT_RUNNING, 0), (False, 1), (NEEDS_ROOT, 1)],
)
def test_a_scanner_that_does_not_tell_is_trusted_while_it_runs(
    running: Any, undecided: int
) -> None:
    scanner = Antivirus(name="x", running=running, signatures_updated=NOT_TOLD)
    results = list(checks()["antivirus-signatures"].run(build.case(antivirus=(scanner,))))
    assert [isinstance(one, Undecided) for one in results] == [True] * undecided


def test_package_lists_of_unknown_age_are_undecided() -> None:
    case = build.case(updates=build.updates(lists_updated=NEEDS_ROOT))
    (result,) = checks()["stale-package-lists"].run(case)
    assert isinstance(result, Undecided)
