"""Tell which service of the catalogue a listener is, and by what; pure.

Strong signs go before weak ones: what inetd says, the unit, the package, the program, and only
where none of these is known to the catalogue the number of the port. A unit, package or program
may belong to several services (samba, dovecot, exim); then the port decides between them.
"""

import re
from collections.abc import Iterable

from portward.model.host import InetdLine, Kernel, Listener, Process
from portward.model.net import Ports, Protocol
from portward.model.service import Catalogue, Service
from portward.model.status import Basis, Recognition

Key = tuple[Protocol, int]
Sign = tuple[Basis, list[Service]]
Signs = tuple[list[Sign], Sign | None]
"""What a listener may be by each sign, from strong to weak; and what it is on a port of none."""

_INTERPRETER = re.compile(
    "(?:python|pypy|perl|ruby|node|nodejs|java|php|mono|dotnet|lua|luajit|tclsh|guile"
    r"|beam\.smp|bash|sh|dash|ksh|zsh|busybox)[-0-9.]*"
)
_INSTANCE = re.compile(r"@[^.]*\.")
_WIDE = 255
"""Ranges of more ports than this are searched, not spread out in a table."""


class _Tables:
    """The services of a catalogue by each of their signs."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.units: dict[str, list[Service]] = {}
        self.packages: dict[str, list[Service]] = {}
        self.programs: dict[str, list[Service]] = {}
        self.ports: dict[Key, Service] = {}
        self.wide: list[tuple[Ports, Service]] = []
        for service in catalogue.services.values():
            for names in (service.debian, service.fedora, service.upstream):
                _add(self.units, names.units, service)
                _add(self.packages, names.packages, service)
            programs = [name for name in service.programs if not is_interpreter(name)]
            _add(self.programs, programs, service)
        self.seen: dict[tuple[object, ...], Signs] = {}
        owned = [(ports, one) for one in catalogue.services.values() for ports in one.ports]
        for ports, service in sorted(owned, key=lambda item: item[0].last - item[0].first):
            if ports.last - ports.first > _WIDE:
                self.wide.append((ports, service))
                continue
            for number in range(ports.first, ports.last + 1):
                self.ports.setdefault((ports.protocol, number), service)

    def at(self, key: Key) -> Service | None:
        """Return the service that has a port for its own: alone before in the narrowest range."""
        for ports, service in self.wide if key not in self.ports else ():
            if key in ports:
                return service
        return self.ports.get(key)


_last: list[_Tables] = []
"""The tables of the catalogue that was asked for last: one is all that a run has."""


def recognise(listener: Listener, catalogue: Catalogue) -> Recognition | None:
    """Return the service that a listener is; None where nothing in the catalogue fits."""
    tables = _tables(catalogue)
    key = (listener.protocol, listener.port)
    signs, elsewhere = _signs(listener, tables)
    for basis, services in signs:
        for service in services:
            for ports in service.ports:
                if key in ports:
                    return Recognition(service=service, basis=basis, usual_port=True)
    if elsewhere is not None:
        basis, services = elsewhere
        return Recognition(service=_nearest(services, key), basis=basis, usual_port=False)
    guess = tables.at(key)
    if guess is None:
        return None
    return Recognition(service=guess, basis=Basis.PORT, usual_port=True)


def recognise_inetd(line: InetdLine, catalogue: Catalogue) -> Service | None:
    """Return the service that a line of inetd would start; its port does not count."""
    services = _of_inetd(line, _tables(catalogue))
    if not services or line.port is None:
        return services[0] if services else None
    return _nearest(services, (line.protocol, line.port))


def is_interpreter(exe: str) -> bool:
    """Say whether a program runs other programs' code, so that its name tells nothing."""
    return _INTERPRETER.fullmatch(exe.rpartition("/")[2]) is not None


def _tables(catalogue: Catalogue) -> _Tables:
    if not _last or _last[0].catalogue is not catalogue:
        _last[:] = [_Tables(catalogue)]
    return _last[0]


def _signs(listener: Listener, tables: _Tables) -> Signs:
    """Return what a listener may be by everything but its port."""
    if listener.inetd is not None:
        return _weigh([(Basis.INETD, _of_inetd(listener.inetd, tables))])
    holder = listener.process
    if isinstance(holder, Kernel):
        named = tables.catalogue.services.get(holder.name)
        services = tables.programs.get(holder.name, [named] if named else [])
        return _weigh([(Basis.KERNEL, services)])
    exe = holder.exe if isinstance(holder, Process) and isinstance(holder.exe, str) else ""
    looks = (listener.unit, listener.activates, listener.package, exe)
    if looks not in tables.seen:  # the workers of one program all look the same
        tables.seen[looks] = _of_looks(listener, exe, tables)
    return tables.seen[looks]


def _of_looks(listener: Listener, exe: str, tables: _Tables) -> Signs:
    """Return what a listener may be by its unit, its package and its program."""
    units = [unit for unit in (listener.unit, listener.activates) if isinstance(unit, str)]
    of_units = [service for unit in units for service in tables.units.get(_template(unit), [])]
    if any(unit.endswith(".socket") for unit in units):
        # systemd holds the port: its own package and program say nothing.
        return _weigh([(Basis.UNIT, of_units)])
    of_package = (
        tables.packages.get(listener.package) if isinstance(listener.package, str) else None
    )
    return _weigh(
        [
            (Basis.UNIT, of_units),
            (Basis.PACKAGE, of_package or []),
            (Basis.PROGRAM, _of_program(exe, tables)),
        ]
    )


def _weigh(signs: list[Sign]) -> Signs:
    """Choose the sign that counts where the port is none of the usual ones.

    A package of several services says nothing then, unless the program narrows it to one.
    """
    program = [
        service for basis, services in signs if basis == Basis.PROGRAM for service in services
    ]
    for basis, services in signs:
        likely = [service for service in services if service in program] or services
        if len(likely) == 1 or (likely and basis != Basis.PACKAGE):
            return signs, (basis, likely)
    return signs, None


def _of_inetd(line: InetdLine, tables: _Tables) -> list[Service]:
    """Return what a line of inetd may be: by its package, its program, its own name."""
    package = tables.packages.get(line.package, []) if isinstance(line.package, str) else []
    named = tables.catalogue.services.get(line.service)
    return package or _of_program(line.program, tables) or ([named] if named else [])


def _of_program(path: str, tables: _Tables) -> list[Service]:
    return tables.programs.get(path.rpartition("/")[2], [])


def _template(unit: str) -> str:
    """Return the template of an instance: postgresql@.service for postgresql@15-main.service."""
    return _INSTANCE.sub("@.", unit, count=1) if "@" in unit else unit


def _add(table: dict[str, list[Service]], names: Iterable[str], service: Service) -> None:
    for name in names:
        known = table.setdefault(name, [])
        if not known or known[-1] is not service:
            known.append(service)


def _nearest(services: list[Service], key: Key) -> Service:
    """Choose between services that all have other ports.

    8443 is nearer to 443 than to 80; what is near to none is the daemon's housekeeping.
    """
    for service in services if len(services) > 1 else ():
        for ports in service.ports:
            if ports.protocol == key[0] and str(key[1]).endswith(str(ports.first)):
                return service
    return next((service for service in services if service.essential), services[0])
