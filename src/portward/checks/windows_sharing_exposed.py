"""NetBIOS or SMB that the internet may reach.

Why it matters
    Worms look for these ports on the whole internet, all the time. NetBIOS tells names and users
    to whoever asks, and file shares belong to the local network only.

How it is found
    Listeners on 137, 138 (UDP), 139 and 445 (TCP) that are not bound to this host, on an address
    of an interface that faces the internet or on all addresses of a machine that has one.

Remedy
    Bind Samba to the inner interface ("interfaces" and "bind interfaces only" in smb.conf), and
    let the firewall drop these ports from outside. Without need, stop it.

False positives
    A firewall on this machine or before it may block the ports; then the confidence is lower.
"""

from collections.abc import Iterator

from portward.advice.groups import Group, owner
from portward.advice.matters import is_exposed
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity
from portward.model.host import Facing, Interface
from portward.model.net import Protocol, is_wildcard
from portward.model.status import Exposure, Scope
from portward.model.unknown import Unknown

ID = "windows-sharing-exposed"

_PORTS = {
    (Protocol.UDP, 137),
    (Protocol.UDP, 138),
    (Protocol.TCP, 139),
    (Protocol.TCP, 445),
}
"""RFC 1001 and 1002 (NetBIOS over TCP/IP), MS-SMB2 (direct hosting on 445)."""


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each owner of sharing ports on a side that faces the internet."""
    interfaces = case.snapshot.interfaces
    outer = (
        ()
        if isinstance(interfaces, Unknown)
        else tuple(one for one in interfaces if one.facing == Facing.INTERNET)
    )
    owners: dict[str, list[Exposure]] = {}
    for one in case.exposures:
        if _is_mine(one, outer):
            owners.setdefault(owner(one.listener), []).append(one)
    for group in map(Group, owners.values()):
        yield Finding(
            check=ID,
            subject=group.subject,
            severity=Severity.HIGH,
            confidence=Confidence.POSSIBLE if group.scope == Scope.UNKNOWN else Confidence.CERTAIN,
            title=f"Windows file sharing ({', '.join(group.ports)}) faces the internet",
            why="Worms try these ports on every public address within minutes.",
            evidence=(
                *group.evidence,
                *(Evidence(f"{one.name} faces the internet: {one.facing_reason}") for one in outer),
            ),
            remedy=Remedy(
                summary='Write "interfaces = lo" with the inner interface, and "bind interfaces'
                ' only = yes", under [global] in /etc/samba/smb.conf; drop the ports from outside'
                " in the firewall.",
                commands=("testparm -s", "systemctl restart smbd.service nmbd.service")
                if group.owner == "samba"
                else (),
            ),
            listener=group.first,
        )


def _is_mine(exposure: Exposure, outer: tuple[Interface, ...]) -> bool:
    listener = exposure.listener
    if (listener.protocol, listener.port) not in _PORTS or not is_exposed(exposure):
        return False
    if listener.device:
        return listener.device in {one.name for one in outer}
    addresses = {address.partition("/")[0] for one in outer for address in one.addresses}
    return bool(outer) and (is_wildcard(listener.address) or listener.address in addresses)
