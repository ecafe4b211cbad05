"""Which socket unit a port belongs to that a systemd manager holds."""

import socket
from collections.abc import Iterable
from typing import NamedTuple

from portward.model.net import Protocol, is_wildcard
from portward.survey import unit_files
from portward.survey.unit_tree import UnitTree


class SocketUnit(NamedTuple):
    """A socket unit that opens a port."""

    name: str
    activates: str
    file: str | None


class SocketUnits:
    """Socket units by the ports they open."""

    def __init__(self, units: Iterable[tuple[SocketUnit, unit_files.Endpoint]]) -> None:
        """Index the units."""
        self._units: dict[tuple[Protocol, int], list[tuple[str | None, SocketUnit]]] = {}
        self._names: dict[str, SocketUnit] = {}
        for unit, endpoint in units:
            self._names[unit.name] = unit
            address = None if endpoint.address is None else _normal(endpoint.address)
            key = (endpoint.protocol, endpoint.port)
            self._units.setdefault(key, []).append((address, unit))

    def named(self, name: str) -> SocketUnit:
        """Return the unit of that name; one that cannot be read starts what its name says."""
        service = f"{name.removesuffix('.socket')}.service"
        return self._names.get(name) or SocketUnit(name, service, None)

    def find(self, protocol: Protocol, address: str, port: int) -> SocketUnit | None:
        """Find the unit that opens a port; the one with exactly this address is preferred."""
        candidates = self._units.get((protocol, port), ())
        for written, unit in candidates:
            if written == address:
                return unit
        if is_wildcard(address):
            for written, unit in candidates:
                if written is None:
                    return unit
        return None


def socket_units(tree: UnitTree) -> SocketUnits:
    """Read every socket unit of a tree, with the instances that something wants."""
    names = {name for name in (*tree.files, *tree.wanted) if name.endswith(".socket")}
    found = []
    for name in sorted(names):
        if name.endswith("@.socket"):
            continue
        settings = tree.settings(name)
        unit = SocketUnit(name, unit_files.activated(settings, name), tree.file(name))
        found += [(unit, endpoint) for endpoint in unit_files.endpoints(settings, name)]
    return SocketUnits(found)


def _normal(address: str) -> str:
    """Write an address the way the kernel's are written."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, address))
    except (OSError, ValueError):
        return address
