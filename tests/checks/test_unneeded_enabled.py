from typing import Any

import pytest

import build
from portward.checks.unneeded_enabled import check
from portward.model.finding import Finding
from portward.model.host import Unit
from portward.model.service import Distribution

CUPS = build.service(
    "ipp", "631/tcp", debian=Distribution(packages=("cups",), units=("cups.service", "cups.socket"))
)
DATABASE = build.service("db", "5432/tcp", debian=Distribution(units=("postgresql@.service",)))
CATALOGUE = build.catalogue(CUPS, DATABASE)


@pytest.mark.parametrize(
    ("unit", "found"),
    [
        (build.unit("cups.service", active="inactive"), 1),
        (build.unit("cups.service", state="disabled"), 0),
        (build.unit("cups.service", state="masked"), 0),
        (build.unit("cups.service", manager="user"), 0),
        (build.unit("postgresql@15-main.service"), 1),
        (build.unit("mystery.service"), 0),
    ],
)
def test_unit(unit: Unit, found: int) -> None:
    assert len(list(check(build.case(units=(unit,), catalogue=CATALOGUE)))) == found


def test_units_of_one_package_are_one_finding() -> None:
    units = tuple(build.unit(name, package="cups") for name in ("cups.service", "cups.socket"))
    packages = (build.package("cups"),)
    (finding,) = check(build.case(units=units, packages=packages, catalogue=CATALOGUE))
    assert isinstance(finding, Finding)
    assert finding.remedy.commands == ("systemctl disable --now cups.service cups.socket",)
    assert "apt purge cups" in finding.remedy.summary


def test_what_a_role_needs_may_start() -> None:
    policy = build.policy(build.allowance("631/tcp", service="ipp"))
    case = build.case(units=(build.unit("cups.service"),), catalogue=CATALOGUE, policy=policy)
    assert list(check(case)) == []


@pytest.mark.parametrize(
    "holder", [{"unit": "cups.service"}, {"unit": "cups.socket", "activates": "cups.service"}]
)
def test_what_listens_is_the_matter_of_another_check(holder: dict[str, Any]) -> None:
    units = (
        build.unit("cups.service", triggered_by=("cups.socket",)),
        build.unit("cups.socket"),
    )
    exposure = build.exposure(build.listener("631/tcp", **holder), CUPS)
    assert list(check(build.case(exposure, units=units, catalogue=CATALOGUE))) == []


def test_the_unit_that_starts_a_listening_instance_is_the_matter_of_another_check() -> None:
    units = (build.unit("postgresql.service"), build.unit("postgresql@15-main.service"))
    held = build.listener("5432/tcp", unit="postgresql@15-main.service")
    names = Distribution(units=("postgresql.service", "postgresql@.service"))
    catalogue = build.catalogue(build.service("db", "5432/tcp", debian=names))
    case = build.case(build.exposure(held, DATABASE), units=units, catalogue=catalogue)
    assert list(check(case)) == []
