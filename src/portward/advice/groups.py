"""Listeners that a person sees as one thing: all ports that one owner holds.

Samba's 139 and 445, the IPv4 and IPv6 sockets of a web server, and avahi's random ports beside
5353 are each one matter, with one remedy.
"""

from collections.abc import Iterable
from functools import cached_property

from portward.model import words
from portward.model.finding import Evidence
from portward.model.host import HOST, Kernel, Listener, Process
from portward.model.net import Protocol
from portward.model.service import Service
from portward.model.status import Basis, Exposure, Reach, Scope
from portward.reach.published import NETFILTER

EPHEMERAL_FIRST = 32768
"""Lower end of net.ipv4.ip_local_port_range (ip-sysctl.rst): from here on, ports may be random."""

_MOST_RULES = 4
"""So many rules are named that decide alike."""

_PORTLESS = frozenset({Protocol.RAW, Protocol.PACKET})

_WIDTH = (Scope.NOBODY, Scope.HOST, Scope.NETWORKS, Scope.UNKNOWN, Scope.EVERYONE)


class Group:
    """Exposures of one owner; there is at least one."""

    def __init__(self, exposures: Iterable[Exposure]) -> None:
        """Put the exposures in an order that is the same in every run."""
        self.exposures = tuple(
            sorted(
                exposures,
                key=lambda one: (
                    one.listener.protocol in _PORTLESS,
                    _is_random(one),
                    one.listener.port,
                    one.listener.protocol,
                    one.listener.address,
                ),
            )
        )

    @property
    def first(self) -> Listener:
        """The listener with the lowest port that is not random: it stands for all."""
        return self.exposures[0].listener

    @cached_property
    def service(self) -> Service | None:
        """What the owner is recognised as, by its first port that is."""
        known = (service_of(one) for one in self.exposures)
        return next((one for one in known if one), None)

    @cached_property
    def ports(self) -> tuple[str, ...]:
        """Each port once, as a person names it."""
        return tuple(dict.fromkeys(words.port(one.listener) for one in self.exposures))

    @cached_property
    def owner(self) -> str:
        """Whose it is, in words that stay the same from run to run; a unit may have several."""
        return ", ".join(dict.fromkeys(owner(one.listener) for one in self.exposures))

    @cached_property
    def subject(self) -> str:
        """``23/tcp telnet (inetutils-inetd)``, without the ports that are random."""
        fixed = dict.fromkeys(
            words.port(one.listener) for one in self.exposures if not _is_random(one)
        )
        name = self.service.name if self.service else ""
        return " ".join(filter(None, [", ".join(fixed), name, f"({self.owner})"])) + place(
            self.first
        )

    @cached_property
    def name(self) -> str:
        """``telnet (23/tcp)`` or ``/usr/bin/gunicorn (8000/tcp)``, for a title."""
        shown = ", ".join(self.ports[:4]) + (" ..." if len(self.ports) > 4 else "")  # noqa: PLR2004 - a title is one line
        titles = dict.fromkeys(one.title for one in map(service_of, self.exposures) if one)
        return f"{', '.join(titles) or self.owner} ({shown})"

    @cached_property
    def widest(self) -> "Group":
        """Those of them that are as open as the most open one."""
        return Group(one for one in self.exposures if one.reach.scope == self.scope)

    @cached_property
    def scope(self) -> Scope:
        """Who can reach the most open of them; unknown where it may be everyone."""
        return max((one.reach.scope for one in self.exposures), key=_WIDTH.index)

    @cached_property
    def evidence(self) -> tuple[Evidence, ...]:
        """Every socket, its holder, and why it is said to be reached."""
        sockets = dict.fromkeys(map(_opened, self.exposures))
        holders = dict.fromkeys(holder(one.listener) for one in self.exposures)
        reached = dict.fromkeys(fact for one in self.exposures for fact in deciding(one.reach))
        return (*sockets, *holders, *reached)


def grouped(exposures: Iterable[Exposure]) -> list[Group]:
    """Join exposures by owner: container, inetd line, unit, else package and program."""
    groups: dict[object, list[Exposure]] = {}
    for exposure in exposures:
        groups.setdefault(_key(exposure.listener), []).append(exposure)
    return [Group(members) for members in groups.values()]


def grouped_by_program(exposures: Iterable[Exposure]) -> list[Group]:
    """Join exposures by owner, and each program of one owner apart, to speak of the program."""
    groups: dict[object, list[Exposure]] = {}
    for exposure in exposures:
        held = exposure.listener.process
        program = _program(held) if isinstance(held, Process | Kernel) else None
        groups.setdefault((_key(exposure.listener), program), []).append(exposure)
    return [Group(members) for members in groups.values()]


def service_of(exposure: Exposure) -> Service | None:
    """Return what the listener is; a known program that only has a known port is not that."""
    known, process = exposure.recognition, exposure.listener.process
    if known is None:
        return None
    seen = isinstance(process.exe, str) if isinstance(process, Process) else process == NETFILTER
    return None if seen and known.basis == Basis.PORT else known.service


def owner(listener: Listener) -> str:
    """Name whose listener it is: package, unit, program, kernel part; never a pid."""
    process, unit = listener.process, listener.unit
    names = (
        isinstance(listener.container, str) and f"container {listener.container}",
        listener.inetd and listener.inetd.package,
        listener.package,
        isinstance(process, Kernel) and f"kernel, {process.name}",
        isinstance(process, Process) and process.exe,
        isinstance(unit, str) and not unit.endswith(".scope") and unit,
        "no program" if process is None else "an unknown program",
    )
    return next(name for name in names if isinstance(name, str))


def holder(listener: Listener) -> Evidence:
    """Say who holds the socket and where a person can see it too."""
    process, where = listener.process, ""
    if isinstance(process, Process):
        exe = process.exe if isinstance(process.exe, str) else process.name
        text = f"held by {exe} (pid {process.pid}, user {process.user or process.uid})"
        where = f"/proc/{process.pid}/exe"
    elif isinstance(process, Kernel):
        text = f"held by the kernel itself ({process.name})"
    elif process is None:
        text = "no process holds it"
    else:
        text = f"who holds it is not known ({process.reason})"
    if isinstance(listener.unit, str):
        text += f", unit {listener.unit}"
        text += f", which starts {listener.activates}" if listener.activates else ""
    if isinstance(listener.package, str):
        text += f", package {listener.package}"
    if isinstance(listener.container, str):
        text += f", container {listener.container}"
    if listener.inetd:
        text += f", starts {listener.inetd.program}"
        where = f"{listener.inetd.file}:{listener.inetd.line}"
    return Evidence(text, where)


def deciding(reach: Reach) -> tuple[Evidence, ...]:
    """Say by which interface and by which rules a port is reached, or kept from everyone."""
    devices = ", ".join(dict.fromkeys(one.device for one in reach.entrances))
    alike: dict[tuple[bool, str, str], list[str]] = {}
    for one in reach.decided_by:
        alike.setdefault((one.lets_in, one.text, one.where), []).append(one.device)
    rules = tuple(
        Evidence(
            f"{', '.join(by)} {'let' if lets_in else 'keep'}{'' if len(by) > 1 else 's'}"
            f" {'in' if lets_in else 'out'}: {text}",
            "" if where in text else where,
        )
        for (lets_in, text, where), by in list(alike.items())[:_MOST_RULES]
    )
    by = f"reach by {devices}" if devices else "reach"
    return rules or (Evidence(f"{by}: {reach.reason}"),)


def _opened(exposure: Exposure) -> Evidence:
    listener = exposure.listener
    if listener.process == NETFILTER:
        return Evidence(f"{words.port(listener)} is passed on by rules, no socket holds it")
    return Evidence(f"listens on {words.endpoint(listener)} ({words.port(listener)})", "sock_diag")


def place(listener: Listener) -> str:
    """Name the network namespace where it is not the host's own: `` in namespace blue``."""
    return "" if listener.namespace == HOST else f" in namespace {listener.namespace}"


def _key(listener: Listener) -> object:
    """Whatever two listeners share that belong together."""
    inetd = listener.inetd
    thing: object
    if isinstance(listener.container, str):
        thing = "container", listener.container
    elif inetd:
        thing = "inetd", inetd.file, inetd.service
    elif isinstance(listener.unit, str) and not listener.unit.endswith(".scope"):
        thing = "unit", listener.activates or listener.unit, listener.unit_user
    elif isinstance(listener.process, Process | Kernel):
        thing = "program", owner(listener), _program(listener.process)
    else:
        thing = "port", listener.protocol, listener.port
    return listener.namespace, thing


def _program(holder: Process | Kernel) -> str:
    """Name the program itself: the same package may bring several."""
    return (
        holder.exe if isinstance(holder, Process) and isinstance(holder.exe, str) else holder.name
    )


def _is_random(exposure: Exposure) -> bool:
    """Say whether the port is one that the kernel may have picked."""
    usual = exposure.recognition is not None and exposure.recognition.usual_port
    number = exposure.listener.port
    internet = exposure.listener.protocol not in _PORTLESS
    return internet and number >= EPHEMERAL_FIRST and not usual
