"""Network interface that takes packets meant for others.

Why it matters
    A sniffer switches its interface to this mode to read what its neighbours send.

How it is found
    The flag of each interface of the host. Ports of a bridge are always in this mode, since a
    bridge passes on what is meant for others, and are left out.

Remedy
    Find the program: it mostly holds a packet socket. Then switch the mode off.

False positives
    Capture programs in use, intrusion detection, and virtual machine networks (macvlan, macvtap).
"""

from collections.abc import Iterator

from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity
from portward.model.host import Facing, Interface
from portward.model.net import Protocol
from portward.model.unknown import Unknown

ID = "promiscuous-interface"

_USUAL = frozenset({"bridge", "veth", "tun", "tap", "macvlan", "macvtap", "bond", "team"})


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each interface that listens to everything without being a bridge's."""
    interfaces = case.snapshot.interfaces
    if isinstance(interfaces, Unknown) or any(role.captures for role in case.policy.roles):
        return
    for interface in interfaces:
        if interface.promiscuous and not _is_usual(interface):
            yield _finding(interface, case)


def _is_usual(interface: Interface) -> bool:
    return (
        interface.master is not None
        or interface.kind in _USUAL
        or interface.facing == Facing.BRIDGE
    )


def _finding(interface: Interface, case: Case) -> Finding:
    sniffers = sum(one.listener.protocol == Protocol.PACKET for one in case.exposures)
    return Finding(
        check=ID,
        subject=interface.name,
        severity=Severity.MEDIUM,
        confidence=Confidence.POSSIBLE,
        title=f"{interface.name} takes packets meant for others (promiscuous mode)",
        why="Someone on this machine reads what its neighbours send, or did and left it on.",
        evidence=(
            Evidence(
                "the interface is in promiscuous mode", f"ip -details link show {interface.name}"
            ),
            Evidence(f"{sniffers} packet sockets are open", "sock_diag"),
        ),
        remedy=Remedy(
            summary="Find the program that needs it; if there is none, switch the mode off.",
            commands=(f"ip link set dev {interface.name} promisc off",),
        ),
    )
