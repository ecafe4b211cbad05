"""Kernel setting of the network that helps an attacker.

Why it matters
    Redirects and source routes let someone on the way turn traffic to himself; without a reverse
    path filter forged senders pass; without SYN cookies a few packets keep everyone out.

How it is found
    The value that counts on each interface is worked out as the kernel does (ip-sysctl.rst): the
    larger of "all" and the interface's own for rp_filter, both for source routes, either for
    others. What it is now and what it will be after a boot are two facts: wrong now is one
    finding, right now but gone after the next boot is a lesser one. A container does not own
    these settings, so nothing is judged there.

Remedy
    Write the lines into a file of /etc/sysctl.d and load it. Nothing is proposed that the role
    needs otherwise: a router, a container host or a VPN gateway keeps forwarding and may send
    redirects, and hosts with automatic addresses keep router advertisements. TCP timestamps stay
    on: switching them off protects nothing and costs performance.

False positives
    Machines with several ways to one network (asymmetric routing) need rp_filter 2, not 1; both
    are accepted.
"""

from collections.abc import Iterator
from typing import NamedTuple

from portward.advice.effective import (
    Fault,
    Setting,
    boot,
    both,
    either,
    faults,
    larger,
    live,
    redirects,
    redirects_ipv6,
)
from portward.advice.undecided import unless_known
from portward.model.case import Case
from portward.model.finding import Confidence, Finding, Remedy, Severity, Undecided
from portward.model.host import Facing, Snapshot
from portward.model.unknown import Unknown

ID = "kernel-settings"

_INTERFACE_KEY_PARTS = 5
"""net.ipv4.conf.eth0.rp_filter"""

_FILE = "/etc/sysctl.d/60-portward.conf"
_ROUTER_LINK = frozenset({Facing.INTERNET, Facing.PRIVATE, Facing.VPN})
"""Sides of the machine where others may send forged packets."""


class _Family(NamedTuple):
    """Settings that belong together and are reported as one."""

    name: str
    title: str
    why: str
    severity: Severity
    settings: tuple[Setting, ...]
    unless_forwarding: bool = False
    """A machine whose role forwards packets is left alone."""


_V4, _V6 = "net.ipv4.conf.*.", "net.ipv6.conf.*."
_FAMILIES = (
    _Family(
        "accept-redirects",
        "ICMP redirects are accepted",
        "Anyone on the local network can tell this machine to send its traffic through him.",
        Severity.MEDIUM,
        (
            Setting(f"{_V4}accept_redirects", 0, 1, redirects),
            Setting(f"{_V6}accept_redirects", 0, 1, redirects_ipv6),
        ),
    ),
    _Family(
        "send-redirects",
        "ICMP redirects are sent",
        "Only a router has a reason to; it tells others how this network is built.",
        Severity.LOW,
        (Setting(f"{_V4}send_redirects", 0, 1, either),),
        unless_forwarding=True,
    ),
    _Family(
        "source-route",
        "Packets may choose their own way (source routing)",
        "A sender can lead packets around a firewall and make answers come to him.",
        Severity.MEDIUM,
        (
            Setting(f"{_V4}accept_source_route", 0, 1, both, default_all=0),
            Setting(f"{_V6}accept_source_route", 0, 0, both),
        ),
    ),
    _Family(
        "reverse-path",
        "Forged sender addresses are not filtered (rp_filter)",
        "Packets that claim to come from another side of the machine are taken as true.",
        Severity.LOW,
        (Setting(f"{_V4}rp_filter", 1, 0, larger, accepted=(2,)),),
    ),
    _Family(
        "route-localnet",
        "Packets for 127.0.0.0/8 are accepted from outside (route_localnet)",
        "Services that listen on the loopback address only can be reached by neighbours.",
        Severity.MEDIUM,
        (Setting(f"{_V4}route_localnet", 0, 0, either),),
        unless_forwarding=True,
    ),
    _Family(
        "martians",
        "Impossible sender addresses are not logged (log_martians)",
        "Forged packets leave no trace that could be noticed.",
        Severity.INFO,
        (Setting(f"{_V4}log_martians", 1, 0, either),),
    ),
    _Family(
        "syncookies",
        "SYN cookies are off",
        "A flood of half-open connections keeps everyone else out.",
        Severity.MEDIUM,
        (Setting("net.ipv4.tcp_syncookies", 1, 1, accepted=(2,)),),
    ),
    _Family(
        "icmp",
        "Broadcast pings or bogus ICMP errors are answered or logged",
        "The machine can be made to amplify a flood, or its log to fill up.",
        Severity.LOW,
        (
            Setting("net.ipv4.icmp_echo_ignore_broadcasts", 1, 1),
            Setting("net.ipv4.icmp_ignore_bogus_error_responses", 1, 1),
        ),
    ),
    _Family(
        "forwarding",
        "Packets are passed on between networks (ip_forward)",
        "No role of this machine is to route, but whoever reaches it can reach through it.",
        Severity.MEDIUM,
        (
            Setting("net.ipv4.ip_forward", 0, 0),
            Setting("net.ipv6.conf.all.forwarding", 0, 0),
        ),
        unless_forwarding=True,
    ),
)

_ROUTER_ADVERTISEMENTS = _Family(
    "router-advertisements",
    "IPv6 router advertisements are accepted",
    "Anyone on the local network can make himself the router of this machine.",
    Severity.LOW,
    (Setting(f"{_V6}accept_ra", 0, 1),),
)
"""Only for roles that say that their addresses are fixed."""


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield a finding for each family that is wrong now, or will be after the next boot."""
    snapshot = case.snapshot
    if snapshot.machine.inside == "container":
        return
    yield from unless_known(ID, "kernel settings", snapshot.sysctls, snapshot)
    for family, now, later in _faults(case):
        if now:
            yield _finding(family, family.severity, now, "")
        elif later:
            least = max(family.severity, Severity.LOW, key=lambda one: one.rank)
            yield _finding(family, least, later, " after the next boot")


def wrong(case: Case) -> dict[str, int]:
    """Return every key that is wrong now or after a boot, and the value that it should have."""
    return {
        key: fault.wanted
        for _, now, later in _faults(case)
        for fault in (*now, *later)
        for key in (*_general(fault.key), fault.key)
    }


def _faults(case: Case) -> Iterator[tuple[_Family, list[Fault], list[Fault]]]:
    """Yield each family that the roles do not need otherwise: its faults now and after a boot."""
    snapshot = case.snapshot
    if isinstance(snapshot.sysctls, Unknown):
        return
    settings = {one.key: one for one in snapshot.sysctls}
    forwards = any(role.forwards for role in case.policy.roles) or _has_inner_networks(snapshot)
    fixed = bool(case.policy.roles) and not any(role.autoconf for role in case.policy.roles)
    interfaces = _outer(snapshot)
    for family in (*_FAMILIES, *((_ROUTER_ADVERTISEMENTS,) if fixed else ())):
        if forwards and family.unless_forwarding:
            continue
        now, later = (
            [
                fault
                for one in family.settings
                for fault in faults(one, settings, interfaces, moment)
            ]
            for moment in (live, boot)
        )
        yield family, now, later


def _has_inner_networks(snapshot: Snapshot) -> bool:
    """Say whether containers, virtual machines or a VPN show that something here must forward."""
    interfaces = () if isinstance(snapshot.interfaces, Unknown) else snapshot.interfaces
    containers = () if isinstance(snapshot.containers, Unknown) else snapshot.containers
    inner = {Facing.BRIDGE, Facing.VPN}
    return bool(containers) or any(one.facing in inner for one in interfaces)


def _outer(snapshot: Snapshot) -> list[str]:
    """Name the interfaces that face others, as they are written in keys."""
    if isinstance(snapshot.interfaces, Unknown):
        return ["default"]  # what an interface will start with is all that an image tells
    return [one.name.replace(".", "/") for one in snapshot.interfaces if one.facing in _ROUTER_LINK]


def _finding(family: _Family, severity: Severity, wrong: list[Fault], when: str) -> Finding:
    keys = dict.fromkeys(key for fault in wrong for key in (*_general(fault.key), fault.key))
    wanted = {key: fault.wanted for fault in wrong for key in (*_general(fault.key), fault.key)}
    lines = " ".join(f"'{key} = {wanted[key]}'" for key in keys)
    return Finding(
        check=ID,
        subject=family.name + when,
        severity=severity,
        confidence=Confidence.CERTAIN,
        title=family.title + when,
        why=family.why,
        evidence=tuple(fault.evidence for fault in wrong),
        remedy=Remedy(
            summary=f"Write the lines into {_FILE} and load them.",
            commands=(f"printf '%s\\n' {lines} >> {_FILE}", "sysctl --system"),
            caution="A file that is read later, such as /etc/sysctl.conf, may set them back.",
        ),
    )


def _general(key: str) -> tuple[str, ...]:
    """Return the keys for all interfaces and for new ones that belong to an interface's key."""
    parts = key.split(".")
    if len(parts) != _INTERFACE_KEY_PARTS or parts[3] == "all":
        return ()
    return tuple(".".join((*parts[:3], place, parts[4])) for place in ("all", "default"))
