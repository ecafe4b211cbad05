"""The open ports as a person counts them: twins merged, and runs of ports written as ranges."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from portward.model.case import Case
from portward.model.host import HOST, ExeState, Kernel, Listener, Process
from portward.model.net import Protocol
from portward.model.status import Basis, Exposure, Reach, Scope, Verdict
from portward.model.unknown import Maybe, Unknown
from portward.model.words import printable
from portward.report.screen import Tone

_SHORTEST_RANGE = 3
_SHORTEST_REASON = 24
_NAMED_NETWORKS = 2
_BELOW_PORTS = {"raw": 1, "packet": 2}
"""Protocols whose number is no port; they stand after the ports."""

SCOPES = (Scope.EVERYONE, Scope.UNKNOWN, Scope.NETWORKS, Scope.HOST, Scope.NOBODY)
"""From wide to narrow; unknown may be everyone."""
_WIDTH_OF_SCOPE = {scope: index for index, scope in enumerate(SCOPES)}
_VERDICTS = {
    verdict: index
    for index, verdict in enumerate(
        (
            Verdict.NOT_ALLOWED,
            Verdict.UNKNOWN,
            Verdict.ALLOWED,
            Verdict.CLOSED,
            Verdict.INSIDE,
            Verdict.LOCAL,
        )
    )
}
_TONES = {
    Verdict.ALLOWED: Tone.ALLOWED,
    Verdict.CLOSED: Tone.LOCAL,
    Verdict.INSIDE: Tone.LOCAL,
    Verdict.LOCAL: Tone.LOCAL,
    Verdict.UNKNOWN: Tone.UNKNOWN,
}
_NOT_ALLOWED_TONES = {
    Scope.EVERYONE: Tone.EXPOSED,
    Scope.UNKNOWN: Tone.UNKNOWN,
    Scope.NETWORKS: Tone.PARTLY,
    Scope.HOST: Tone.LOCAL,
    Scope.NOBODY: Tone.LOCAL,
}
_STATES = {
    ExeState.DELETED: " (deleted)",
    ExeState.REPLACED: " (replaced)",
    ExeState.MEMORY: " (memory only)",
}
_INTERPRETERS = ("python", "perl", "ruby", "node", "java", "php", "sh", "bash", "dash")


class OpenPort(NamedTuple):
    """A port, or a range of ports, of one owner, that the same people can reach."""

    tone: Tone
    scope: Scope
    verdict: Verdict
    ports: str
    service: str
    """With "?" where nothing but the number speaks for it; "" where nothing does."""
    program: str
    reach: str
    place: str
    """Container or namespace; "" for the host itself."""
    unit: str
    package: str
    addresses: str
    pid: str
    size: int
    """How many ports it stands for."""


_Key: TypeAlias = tuple[str, ...]
_Order: TypeAlias = tuple[int, int, int, int, str]


def open_ports(case: Case) -> list[OpenPort]:
    """Merge the listeners of a case, the most exposed first, then by port."""
    groups: dict[_Key, dict[int, list[Exposure]]] = {}
    for exposure in case.exposures:
        key = _key(exposure)
        groups.setdefault(key, {}).setdefault(exposure.listener.port, []).append(exposure)
    rows = [
        row
        for key, by_port in groups.items()
        for run in _runs(sorted(by_port), joined=key[0] not in _BELOW_PORTS)
        for row in [_row(key, run, by_port, case.snapshot.port_names)]
    ]
    rows.sort(key=lambda pair: pair[0])
    return [row for _, row in rows]


def tone(exposure: Exposure) -> Tone:
    """Say how worrying it is."""
    if exposure.verdict == Verdict.NOT_ALLOWED:
        return _NOT_ALLOWED_TONES[exposure.reach.scope]
    return _TONES[exposure.verdict]


def reach_words(reach: Reach, here: str = "this host") -> str:
    """Write who can reach a port; here is what its host is, seen from outside of it."""
    match reach.scope:
        case Scope.NETWORKS:
            named = reach.networks[:_NAMED_NETWORKS]
            more = len(reach.networks) - len(named)
            return ", ".join((*named, f"{more} more") if more else named) or "some networks"
        case Scope.HOST:
            return here
        case Scope.UNKNOWN if len(reach.reason) <= _SHORTEST_REASON:
            return f"unknown ({reach.reason})"
        case _:
            return str(reach.scope)


def program(listener: Listener) -> str:
    """Name the program that answers on a port, and what is odd about it."""
    holder = listener.process
    if listener.inetd:
        name = _basename(listener.inetd.program)
        return f"{name} (by {holder.name})" if isinstance(holder, Process) else f"{name} (by inetd)"
    match holder:
        case Process():
            name = _program_of(holder)
            return f"{name} for {listener.activates}" if listener.activates else name
        case Kernel(name=name):
            return f"kernel ({name})"
        case Unknown():
            return "unknown"
        case _:
            return "no process"


def _program_of(process: Process) -> str:
    if isinstance(process.exe, Unknown):
        return f"{process.name}?"
    name = _basename(process.exe)
    state = "" if isinstance(process.exe_state, Unknown) else _STATES.get(process.exe_state, "")
    if name.startswith(_INTERPRETERS):
        name += _script(process.cmdline)
    return name + state


def _script(cmdline: tuple[str, ...]) -> str:
    """Name what an interpreter runs: " app.py", " -m http.server", or nothing."""
    rest = iter(cmdline[1:])
    for word in rest:
        if word in {"-m", "-jar"}:
            return f" {word} {_basename(next(rest, ''))}"
        if word in {"-c", "-e"}:  # what follows is the whole program
            return f" {word}"
        if not word.startswith("-"):
            return f" {_basename(word)}"
    return ""


def _basename(path: str) -> str:
    return path.rpartition("/")[2]


def _fact(value: Maybe[str | None]) -> str:
    if isinstance(value, Unknown):
        return "unknown"
    return "-" if value is None else value


def _place(listener: Listener) -> str:
    if isinstance(listener.container, str):
        return listener.container
    return "" if listener.namespace == HOST else listener.namespace


def _key(exposure: Exposure) -> _Key:
    """Return what makes two listeners one row, beside the port: the cells that they share."""
    listener, recognition = exposure.listener, exposure.recognition
    place = _place(listener)
    here = "this host"
    if place:
        here = "its container" if isinstance(listener.container, str) else "its namespace"
    unit = _fact(listener.unit)
    service = ""
    if recognition:
        guess = "?" if recognition.basis == Basis.PORT else ""
        service = recognition.service.name + guess
    return (
        str(listener.protocol),
        service,
        program(listener),
        reach_words(exposure.reach, here),
        place,
        f"{unit} (user {listener.unit_user})" if listener.unit_user else unit,
        _fact(listener.package),
        str(exposure.verdict),
    )


def _runs(ports: list[int], *, joined: bool) -> Iterator[tuple[int, int]]:
    """Yield the first and last of each run of contiguous ports."""
    start = 0
    for index in range(1, len(ports) + 1):
        if index < len(ports) and joined and ports[index] == ports[index - 1] + 1:
            continue
        if index - start >= _SHORTEST_RANGE:
            yield ports[start], ports[index - 1]
        else:
            yield from ((port, port) for port in ports[start:index])
        start = index


def _row(
    key: _Key,
    run: tuple[int, int],
    by_port: dict[int, list[Exposure]],
    port_names: dict[str, str],
) -> tuple[_Order, OpenPort]:
    protocol, service, program_words, reach, place, unit, package, _ = key
    first, last = run
    members = [one for port in range(first, last + 1) for one in by_port[port]]
    listeners = [one.listener for one in members]
    worst = members[0]
    if not service and first == last:
        named = port_names.get(f"{first}/{protocol}")
        service = f"{named}?" if named else ""
    row = OpenPort(
        tone=tone(worst),
        scope=worst.reach.scope,
        verdict=worst.verdict,
        ports=_ports(protocol, first, last),
        service=printable(service) or "-",
        program=printable(program_words),
        reach=printable(reach),
        place=printable(place),
        unit=printable(unit),
        package=printable(package),
        addresses=printable(", ".join(dict.fromkeys(map(_address, listeners)))),
        pid=_pids(listeners),
        size=last - first + 1,
    )
    below = _BELOW_PORTS.get(protocol, 0)
    return (_WIDTH_OF_SCOPE[row.scope], _VERDICTS[row.verdict], below, first, protocol), row


def _ports(protocol: str, first: int, last: int) -> str:
    if protocol == Protocol.PACKET:
        return "packet"
    if protocol == Protocol.RAW:
        return f"raw {first}"
    return f"{first}/{protocol}" if first == last else f"{first}-{last}/{protocol}"


def _address(listener: Listener) -> str:
    device = f"%{listener.device}" if listener.device else ""
    return f"{listener.address}{device}" if listener.address else listener.device or "*"


def _pids(listeners: Iterable[Listener]) -> str:
    """Write the lowest pid, and how many more there are."""
    pids: set[int] = set()
    for listener in listeners:
        if isinstance(listener.process, Process):
            pids.update((listener.process.pid, *listener.process.sharers))
        elif isinstance(listener.process, Unknown):
            return "unknown"
    if not pids:
        return "-"
    return str(min(pids)) if len(pids) == 1 else f"{min(pids)} +{len(pids) - 1}"
