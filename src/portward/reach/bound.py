"""Who can reach a listener, as far as its bind address, its device and an absent firewall tell.

The ruleset itself is not read yet: wherever one exists, the answer for a port that is not bound
to this host alone is "unknown", never "open" and never "closed".
"""

from portward.model.host import HOST, Firewall, Interface, Listener, Snapshot
from portward.model.net import Protocol, is_loopback, is_wildcard
from portward.model.status import Reach, Scope
from portward.model.unknown import Unknown

LOOPBACK = "lo"


def reach(listener: Listener, snapshot: Snapshot) -> Reach:
    """Say who can reach a listener and why."""
    if listener.protocol == Protocol.PACKET:
        return Reach(scope=Scope.UNKNOWN, reason="it sees frames before any firewall does")
    if is_loopback(listener.address):
        return Reach(scope=Scope.HOST, reason=f"bound to {listener.address}")
    interfaces = () if isinstance(snapshot.interfaces, Unknown) else snapshot.interfaces
    device = _device(listener, interfaces)
    if device is not None and listener.device == LOOPBACK:
        return Reach(scope=Scope.HOST, reason=f"bound to the interface {LOOPBACK}")
    if listener.namespace != HOST:
        return Reach(
            scope=Scope.UNKNOWN,
            reason=f"it lives in the network of {listener.namespace}, not judged yet",
        )
    return _past_firewall(listener, snapshot.firewall, device)


def _device(listener: Listener, interfaces: tuple[Interface, ...]) -> Interface | None:
    """Return the one interface that the listener's device or address ties it to."""
    if listener.namespace != HOST:
        return None
    for interface in interfaces:
        if listener.device == interface.name:
            return interface
        addresses = {address.partition("/")[0] for address in interface.addresses}
        if not is_wildcard(listener.address) and listener.address in addresses:
            return interface
    return None


def _past_firewall(
    listener: Listener, firewall: Firewall | Unknown, device: Interface | None
) -> Reach:
    if isinstance(firewall, Unknown):
        return Reach(scope=Scope.UNKNOWN, reason=f"the firewall is not known: {firewall.reason}")
    rulesets = (
        firewall.nft,
        firewall.iptables,
        firewall.ip6tables,
        firewall.iptables_legacy,
        firewall.ip6tables_legacy,
    )
    for ruleset in rulesets:
        if isinstance(ruleset, Unknown):
            return Reach(scope=Scope.UNKNOWN, reason=f"the firewall is not known: {ruleset.reason}")
    if any(ruleset is not None for ruleset in rulesets):
        return Reach(scope=Scope.UNKNOWN, reason="a firewall stands before it and is not read yet")
    if device is not None:
        return Reach(
            scope=Scope.EVERYONE,
            reason=f"this host filters nothing; bound to {device.name}, {device.facing_reason}",
        )
    on = "all addresses" if is_wildcard(listener.address) else listener.address
    return Reach(scope=Scope.EVERYONE, reason=f"this host filters nothing; bound to {on}")
