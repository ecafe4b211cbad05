"""What may be removed, what must stay and why, and what goes along."""

from typing import Any

import pytest

import build
from portward.advice.removing import command, goes_along, instead, remove, why_kept
from portward.model.case import Case
from portward.model.service import Distribution
from portward.model.unknown import NOT_LOOKED_UP, Unknown

NEEDED = [
    *("bash", "busybox", "libc6", "systemd", "udev", "systemd-udev", "dbus", "e2fsprogs"),
    *("libpython3.11-stdlib", "nodejs", "openjdk-17-jre-headless", "perl-base", "php8.2-cli"),
    *("python3.11-minimal", "ruby3.1"),
    *("grub-efi-amd64", "grub2-common", "shim-signed", "linux-image-amd64", "kernel-core"),
    *("initramfs-tools", "dracut", "lvm2", "cryptsetup-initramfs", "mdadm", "open-iscsi"),
    *("network-manager", "NetworkManager", "netplan.io", "ifupdown", "isc-dhcp-client"),
    *("sudo", "doas", "policykit-1", "polkitd", "cloud-init"),
]
SERVERS = ["apt-cacher-ng", "cups-daemon", "samba", "telnetd", "isc-dhcp-server", "udevil"]
SSH = build.service("ssh", "22/tcp", debian=Distribution(packages=("openssh-server",)))
WEB = build.service("http", "80/tcp", debian=Distribution(packages=("nginx",)))


def machine(*names: str, **facts: Any) -> Case:
    return build.case(packages=tuple(map(build.package, names)), **facts)


@pytest.mark.parametrize("name", NEEDED)
def test_what_the_machine_needs_stays(name: str) -> None:
    case = machine(name, "samba")
    assert why_kept(name, case)
    assert command(["samba", name], case) == instead(name, case) == ""
    assert not remove((name,), case).commands
    assert name in remove((name,), case).summary


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_may_go(name: str) -> None:
    case = machine(name)
    assert not why_kept(name, case)
    assert command([name], case) == f"apt purge {name}"


@pytest.mark.parametrize(
    "facts", [{"protected": True}, {"priority": "required"}, {"priority": "important"}]
)
def test_what_the_distribution_holds_to_be_needed_stays(facts: dict[str, Any]) -> None:
    assert why_kept("thing", build.case(packages=(build.package("thing", **facts),)))


def test_what_such_a_package_needs_stays_too() -> None:
    packages = (
        build.package("library", required_by=("tool",)),
        build.package("tool", required_by=("init",)),
        build.package("init"),
    )
    case = build.case(packages=packages)
    assert why_kept("library", case).startswith("init needs it, and ")
    assert command(["library"], case) == ""


def test_what_goes_along_is_named() -> None:
    names = [f"printer-{number}" for number in range(6)]
    packages = (
        build.package("cups-daemon", required_by=("cups",)),
        build.package("cups", required_by=(*names, "cups-daemon")),
        *(build.package(name, required_by=()) for name in names),
    )
    case = build.case(packages=packages)
    assert goes_along(["cups-daemon"], case) == ("cups", *names)
    assert goes_along(["cups-daemon", "cups", *names], case) == ()
    along = "cups, printer-0, printer-1, printer-2 and 3 more"
    assert f"apt purge cups-daemon (with {along}, which" in instead("cups-daemon", case)
    assert along in remove(("cups-daemon",), case).summary


def test_who_needs_it_may_be_unknown() -> None:
    case = build.case(packages=(build.package("samba", required_by=NOT_LOOKED_UP),))
    assert remove(("samba",), case).caution


@pytest.mark.parametrize("packages", [(), Unknown("needs root")])
def test_what_the_package_manager_does_not_have_it_cannot_remove(packages: Any) -> None:
    assert instead("a-snap", build.case(packages=packages)) == ""


def test_what_holds_an_allowed_port_stays() -> None:
    socket = build.listener("8080/tcp", package="app")
    exposure = build.exposure(socket, allowance=build.allowance("8080/tcp"))
    case = build.case(exposure, packages=(build.package("app"),))
    assert "8080/tcp" in why_kept("app", case)


def test_what_serves_an_allowed_service_stays() -> None:
    allowed = build.policy(build.allowance("80/tcp", service="http"))
    assert why_kept("nginx", machine("nginx", policy=allowed, catalogue=build.catalogue(WEB)))
    assert not why_kept("nginx", machine("nginx", catalogue=build.catalogue(WEB)))


def test_the_way_in_stays() -> None:
    known = build.catalogue(SSH)
    case = machine("openssh-server", catalogue=known)
    assert why_kept("openssh-server", case) == "it may be your own way in"
    allowed = build.policy(build.allowance("22/tcp", service="ssh"))
    case = machine("openssh-server", catalogue=known, policy=allowed)
    assert why_kept("openssh-server", case) == "the policy allows ssh"


def test_the_housekeeping_of_every_machine_stays() -> None:
    packages = Distribution(packages=("systemd-resolved",))
    stub = build.service("resolver-stub", "53/udp", essential=True, debian=packages)
    case = machine("systemd-resolved", catalogue=build.catalogue(stub))
    assert "housekeeping" in why_kept("systemd-resolved", case)


def test_of_several_some_may_go() -> None:
    remedy = remove(("telnetd", "sudo"), machine("telnetd", "sudo"))
    assert remedy.commands == ("apt purge telnetd",)
    assert remedy.summary.startswith("Remove telnetd. Leave sudo installed: administrators")
