"""The inside view, ready to be asked about ports."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

from portward.model.case import Case
from portward.model.host import HOST
from portward.model.net import Family, Protocol, is_wildcard
from portward.model.status import Exposure
from portward.model.unknown import Unknown
from portward.reach.site import Site

SCANNED = (Protocol.TCP, Protocol.UDP)
"""What can be asked from outside."""
Address: TypeAlias = IPv4Address | IPv6Address


class Machine:
    """The inside view, ready to be asked."""

    def __init__(self, case: Case, site: Site) -> None:
        """Sort what listens by port."""
        self.case = case
        self.site = site
        self.notes: list[str] = []
        self.gaps: list[str] = []
        self.own = own(case)
        self.ports: dict[tuple[Protocol, int], list[Exposure]] = {}
        for one in case.exposures:
            if one.listener.namespace == HOST and one.listener.protocol in SCANNED:
                key = one.listener.protocol, one.listener.port
                self.ports.setdefault(key, []).append(one)
        listeners = case.snapshot.listeners
        self.sees_listeners = not isinstance(listeners, Unknown)
        if isinstance(listeners, Unknown):
            self.gaps.append(f"What listens is not known: {listeners.reason}.")

    def listening(self, protocol: Protocol, port: int, address: Address) -> list[Exposure]:
        """Return those that take packets for an address."""
        return [one for one in self.ports.get((protocol, port), ()) if _takes(one, address)]


def own(case: Case) -> tuple[Address, ...]:
    """Return the addresses of the machine's interfaces that are up; none where not known."""
    known = case.snapshot.interfaces
    if isinstance(known, Unknown):
        return ()
    return tuple(
        ip_address(text.partition("/")[0]) for one in known if one.up for text in one.addresses
    )


def _takes(exposure: Exposure, address: Address) -> bool:
    """Say whether a listener takes packets for an address."""
    listener = exposure.listener
    if is_wildcard(listener.address):
        if listener.family == Family.DUAL:
            return True
        return (address.version == 4) == (listener.family == Family.IPV4)  # noqa: PLR2004
    bound = ip_address(listener.address.partition("%")[0])
    mapped = bound.ipv4_mapped if isinstance(bound, IPv6Address) else None
    return (mapped or bound) == address
