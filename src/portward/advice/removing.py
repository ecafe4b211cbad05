"""Whether a package may go: not what the machine, its administrators or its roles need.

The package database says most of it: what it protects, its priority, and who needs whom. Names
say the rest: no database knows that this machine boots by grub and is entered by sudo.
"""

import re
from collections.abc import Iterable

from portward.advice.needs import needed
from portward.advice.software import removal
from portward.model.case import Case
from portward.model.finding import Remedy
from portward.model.host import Package
from portward.model.unknown import NOT_RUNNING, Unknown

_BASE = {"required", "important"}
"""Debian's priorities of what is expected on any machine of its kind (Debian Policy, 2.5)."""

_RUNTIMES = re.compile(
    r"(lib)?(python|perl|ruby|php|nodejs|openjdk|java|lua|tcl|guile|mono|dotnet)[-0-9.]"
    r"|(python3?|perl|ruby|php|nodejs?|lua|tcl)$"
)
_SYSTEM = re.compile(
    r"(bash|dash|busybox|coreutils|util-linux|systemd|init|dpkg|apt|rpm|dnf5?|yum|libc6|glibc"
    r"|login|passwd|mount|procps|procps-ng|iproute2?|dbus(-broker|-daemon)?)$"
)
_BOOT = re.compile(
    r"((systemd-)?udev|systemd-sysv|systemd-boot|kmod|dracut|initramfs-tools|lvm2|mdadm"
    r"|cryptsetup|multipath-tools|device-mapper-multipath|open-iscsi|iscsi-initiator-utils"
    r"|zfsutils-linux|zfs|e2fsprogs|xfsprogs|btrfs-progs|clevis)(-|$)"
    r"|(linux-image|kernel|grub|grub2|shim|raspi-firmware|u-boot|extlinux|syslinux)(-|$)"
)
_NETWORK = re.compile(
    r"(ifupdown2?|network-manager|NetworkManager|netplan\.io|systemd-networkd|isc-dhcp-client"
    r"|dhcpcd(5|-base)?|dhclient|wpasupplicant|wpa_supplicant|iwd)$"
)
_ENTRANCE = re.compile(r"(sudo|sudo-ldap|doas|opendoas|polkitd?|policykit-1|cloud-init)$")
_NAMED = (
    (_RUNTIMES, "programs that no package brought may run by it"),
    (_SYSTEM, "no machine works without it"),
    (_BOOT, "the machine may need it to boot"),
    (_NETWORK, "it may be what connects the machine"),
    (_ENTRANCE, "administrators may work through it"),
)

_SSH = re.compile(r"(openssh-server|dropbear(-bin)?|tinysshd?)$")

_MANY = 4
"""So many dependents are named."""


def why_kept(package: str, case: Case) -> str:
    """Say why a package must not be removed; empty where it may, with all that goes with it.

    The reason is a clause: "the policy allows 22/tcp, which it holds".
    """
    known = _installed(case)
    if package not in known:
        return "the package manager is not known to have it"
    for name in (package, *_dependents(package, known)):
        if reason := _own_reason(known[name], case):
            return reason if name == package else f"{name} needs it, and {reason}"
    return ""


def goes_along(packages: Iterable[str], case: Case) -> tuple[str, ...]:
    """Name the other packages that go when these do, because they need one of them."""
    known, going = _installed(case), tuple(packages)
    found = dict.fromkeys(one for name in going for one in _dependents(name, known))
    return tuple(name for name in found if name not in going)


def command(packages: Iterable[str], case: Case) -> str:
    """Return the command that removes packages; empty where one must stay, or none is known."""
    going = tuple(packages)
    kept = any(why_kept(name, case) for name in going)
    return "" if kept else removal(going, case.snapshot.machine)


def instead(package: object, case: Case) -> str:
    """Offer to remove a package, with a space before the sentence; empty where it must stay."""
    if not isinstance(package, str) or not (words := command([package], case)):
        return ""
    along = _listed(goes_along([package], case))
    with_it = f" (with {along}, which cannot be without it)" if along else ""
    return f" If nothing needs it, remove the package instead: {words}{with_it}."


def remove(packages: tuple[str, ...], case: Case) -> Remedy:
    """Say how to remove packages, or which of them must stay and why."""
    names = ", ".join(packages)
    reasons = {name: reason for name in packages if (reason := why_kept(name, case))}
    if reasons:
        kept = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        return Remedy(summary=f"Keep it from starting; do not remove it ({kept}).")
    words = removal(packages, case.snapshot.machine)
    along = _listed(goes_along(packages, case))
    summary = f"Remove {names}" + (f"; {along} cannot be without it and would go too" * bool(along))
    return Remedy(
        summary=f"{summary}.",
        commands=(words,) if words else (),
        caution="Look at what else would be removed with it before you agree.",
    )


def _own_reason(package: Package, case: Case) -> str:
    """Say why a package must stay for its own sake."""
    if package.protected:
        return "the package manager protects it"
    if package.priority in _BASE:
        return f"the distribution counts it as {package.priority}"
    for pattern, reason in _NAMED:
        if pattern.match(package.name):
            return reason
    return _service_reason(package.name, case)


def _service_reason(name: str, case: Case) -> str:
    """Say what a package serves that somebody wants, or may be connected by right now."""
    for one in case.exposures:
        ours = one.listener.package == name
        if ours and one.allowance:
            return f"the policy allows {one.listener.port}/{one.listener.protocol}, which it holds"
    wanted = needed(case)
    for service in case.catalogue.services.values():
        brings = name in {*service.debian.packages, *service.fedora.packages}
        if brings and (service.name in wanted or service.essential):
            return f"the policy allows {service.name}"
    if _SSH.match(name) and _is_way_in(name, case):
        return "it may be your own way in"
    return ""


def _is_way_in(name: str, case: Case) -> bool:
    """Say whether an SSH server listens or will after the next boot, or that is not known."""
    units, listeners = case.snapshot.units, case.snapshot.listeners
    return (
        (isinstance(listeners, Unknown) and listeners != NOT_RUNNING)
        or isinstance(units, Unknown)
        or any(one.listener.package == name for one in case.exposures)
        or any(one.package == name and one.state.startswith("enabled") for one in units)
    )


def _installed(case: Case) -> dict[str, Package]:
    known = case.snapshot.packages
    return {} if isinstance(known, Unknown) else {one.name: one for one in known}


def _dependents(name: str, known: dict[str, Package]) -> tuple[str, ...]:
    """Name all that cannot stay without a package, near ones first; unknown ones stay unnamed."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        package = known.get(waiting.pop(0))
        needing = package.required_by if package else ()
        for one in () if isinstance(needing, Unknown) else needing:
            if one not in found and one in known and one != name:
                found[one] = None
                waiting.append(one)
    return tuple(found)


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
    return ", ".join(names[:_MANY]) + more
