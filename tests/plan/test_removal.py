"""Packages that a plan removes, and those that it leaves for what they are needed for."""

from typing import Any

from build import allowance, case, catalogue, exposure, listener, package, policy, service, unit
from portward.model.case import Case
from portward.model.plan import Remove
from portward.model.service import Distribution, Service
from portward.model.unknown import Unknown
from portward.plan.removal import Removal, candidates, removal

CUPS = service("ipp", "631/tcp", debian=Distribution(packages=("cups-daemon",)))
STATD = service(
    "statd", "662/tcp", debian=Distribution(packages=("nfs-common",), clients=("nfs-common",))
)


def machine(known: Service, name: str, **facts: Any) -> Case:
    port = str(known.ports[0])
    held = listener(port, exe="/usr/sbin/x", unit="x.service", package=name)
    given = {"packages": (package(name),), "units": (unit("x.service"),)}
    return case(exposure(held, known), catalogue=catalogue(known), **given | facts)


def test_what_no_role_needs_may_go() -> None:
    made = machine(CUPS, "cups-daemon")
    assert candidates(made) == ("cups-daemon",)
    along = ("cups-daemon", "cups")
    (change,) = removal(made, (Removal(package="cups-daemon", along=along),)).changes
    assert change.title == "Remove cups-daemon, and with it cups"
    assert change.steps == (Remove(packages=("cups", "cups-daemon")),)


def test_what_is_installed_for_its_client_as_well_stays() -> None:
    assert candidates(machine(STATD, "nfs-common")) == ()


def test_what_the_package_manager_protects_stays() -> None:
    for facts in ({"protected": True}, {"priority": "important"}):
        packages = (package("cups-daemon", **facts),)
        assert candidates(machine(CUPS, "cups-daemon", packages=packages)) == ()


def test_what_serves_an_allowed_service_stays() -> None:
    allowed = policy(allowance("631/tcp", service="ipp"))
    assert candidates(machine(CUPS, "cups-daemon", policy=allowed)) == ()


def test_nothing_goes_that_would_take_along_what_stays_and_the_plan_says_why() -> None:
    asked = (
        Removal(package="cups-daemon", along=("cups-daemon", "sudo")),
        Removal(package="exim4", along=Unknown("no apt-get on this machine")),
    )
    part = removal(machine(CUPS, "cups-daemon"), asked)
    assert not part.changes
    why = "administrators, updates or management may work through it"
    assert part.notes == (
        f"cups-daemon is not removed: sudo would go with it ({why}).",
        "exim4 is not removed: no apt-get on this machine.",
    )
