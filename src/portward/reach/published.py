"""Ports of this machine that rules alone pass on, to a container or to another machine.

No socket stands for them, so no list of sockets has them, and yet others reach them. The engine's
files name some; the rules that translate destinations name all.
"""

from collections.abc import Collection, Iterable, Iterator

from portward.model.host import HOST, Container, Kernel, Listener
from portward.model.net import IPV4_ANY, IPV6_ANY, Family, Protocol
from portward.model.unknown import Maybe, Unknown
from portward.reach.answer import Machine, networks
from portward.reach.ruleset import Ruleset, Table

NETFILTER = Kernel(name="netfilter")
"""Who holds such a port: the kernel, by the rules it was given."""

WIDEST = 1024
"""A rule that passes on more ports than this, such as all of them, makes no listeners."""

_Key = tuple[Family, Protocol, int]


def listeners(
    sockets: Iterable[Listener],
    containers: Maybe[tuple[Container, ...]],
    machines: Collection[Machine],
    devices: Collection[str],
) -> tuple[Listener, ...]:
    """Return what is passed on from some interfaces and held by no socket for a container."""
    held = {
        (one.protocol, one.port)
        for one in sockets
        if one.namespace == HOST and isinstance(one.container, str)
    }
    found: dict[_Key, Listener] = {}
    for container in () if isinstance(containers, Unknown) else containers:
        for port in () if isinstance(container.published, Unknown) else container.published:
            family = Family.IPV6 if ":" in port.address else Family.IPV4
            found[family, port.protocol, port.port] = _listener(
                family, port.protocol, port.address, port.port, container.name
            )
    for key, listener in _translated(machines, devices):
        found.setdefault(key, listener)
    return tuple(one for (_, *port), one in found.items() if tuple(port) not in held)


def _translated(
    machines: Iterable[Machine], devices: Collection[str]
) -> Iterator[tuple[_Key, Listener]]:
    whose = Unknown("rules alone pass it on")
    for machine in machines:
        family = machine.family
        everywhere = IPV4_ANY if family == Family.IPV4 else IPV6_ANY
        for device in machine.host.devices:
            if device not in devices:
                continue
            for protocol in (Protocol.TCP, Protocol.UDP):
                for (first, last), address in machine.translations(device, protocol):
                    text = everywhere
                    if address is not None:
                        text = networks([(address, address)], family)[0].partition("/")[0]
                    for port in range(first, last + 1) if last - first < WIDEST else ():
                        yield (
                            (family, protocol, port),
                            _listener(family, protocol, text, port, whose),
                        )


def _listener(
    family: Family, protocol: Protocol, address: str, port: int, container: Maybe[str | None]
) -> Listener:
    return Listener(
        protocol=protocol,
        family=family,
        address=address,
        port=port,
        uid=0,
        inodes=(),
        process=NETFILTER,
        unit=None,
        package=None,
        container=container,
    )


def without_translation(ruleset: Ruleset) -> Ruleset:
    """Return the rules without those that change a packet's destination."""
    return Ruleset(tables=tuple(map(_filtering, ruleset.tables)))


def _filtering(table: Table) -> Table:
    return Table(
        family=table.family,
        name=table.name,
        chains=tuple(one for one in table.chains if not (one.base and one.base.type == "nat")),
        sets=table.sets,
        legacy=table.legacy,
    )
