from pathlib import Path
from typing import Any

import pytest

import build
from portward.checks.unneeded_installed import check
from portward.knowledge import catalogue
from portward.model.finding import Finding, Undecided
from portward.model.service import Audience, Distribution

TFTP = build.service(
    "tftp",
    "69/udp",
    debian=Distribution(packages=("tftpd-hpa", "git"), units=("tftpd-hpa.service",)),
)
STUB = build.service("stub", "53/udp", essential=True, debian=Distribution(packages=("resolved",)))
IDLE = (build.unit("tftpd-hpa.service", state="disabled", package="tftpd-hpa"),)
STARTS = (build.unit("tftpd-hpa.service", package="tftpd-hpa"),)


def run(*names: str, listens: bool = False, **facts: Any) -> list[Finding | Undecided]:
    sockets = [build.exposure(build.listener("69/udp", package="tftpd-hpa"), TFTP)] * listens
    given = {"units": IDLE, "packages": tuple(map(build.package, names))}
    return list(check(build.case(*sockets, **given | facts, catalogue=build.catalogue(TFTP, STUB))))


@pytest.mark.parametrize(
    ("name", "found"), [("tftpd-hpa", 1), ("tftp-hpa", 0), ("git", 0), ("resolved", 0)]
)
def test_servers_are_named_and_clients_are_not(name: str, found: int) -> None:
    results = run(name)
    assert len(results) == found
    for result in results:
        assert isinstance(result, Finding)
        assert result.remedy.commands == ("apt purge tftpd-hpa",)


def test_not_while_it_listens_starts_or_is_needed() -> None:
    needed = build.policy(build.allowance("69/udp", service="tftp"))
    assert run("tftpd-hpa", listens=True) == []
    assert run("tftpd-hpa", units=STARTS) == []
    assert run("tftpd-hpa", policy=needed) == []


def test_no_removal_is_advised_of_what_a_machine_may_need() -> None:
    service = build.service(
        "console",
        "70/tcp",
        audience=Audience.NOBODY,
        debian=Distribution(packages=("console-server", "dropbear-bin")),
    )
    packages = tuple(map(build.package, ("console-server", "dropbear-bin")))
    case = build.case(packages=packages, units=(), catalogue=build.catalogue(service))
    (finding,) = (one for one in check(case) if isinstance(one, Finding))
    assert finding.remedy.commands == ("apt purge console-server",)
    assert "Leave dropbear-bin installed" in finding.remedy.summary


def test_a_package_that_is_also_a_client_is_left_alone() -> None:
    known = catalogue.load(Path("/nonexistent"))
    for package, unit in (("nfs-common", "rpc-statd.service"), ("rsync", "rsync.service")):
        units = (build.unit(unit, state="disabled", package=package),)
        case = build.case(units=units, packages=(build.package(package),), catalogue=known)
        assert list(check(case)) == []
