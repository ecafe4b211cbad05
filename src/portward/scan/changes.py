"""What changed between two scans; pure.

Compared is what both have asked. A port that only one of them asked has not changed: it is not
known, and is said to be.
"""

from collections.abc import Iterator, Sequence

from portward.model.net import Protocol
from portward.model.scan import (
    PortChange,
    PortState,
    Scan,
    ScanDifference,
    ScannedHost,
    ScannedPort,
    Spoken,
)

_UNTOLD = frozenset({PortState.UNCERTAIN})
_MOST_NAMED = 5


def changes(old: Scan, new: Scan, names: tuple[str, str] = ("old", "new")) -> ScanDifference:
    """Return what opened, what closed, and where something else answers."""
    before = {host.address: host for host in old.hosts}
    after = {host.address: host for host in new.hosts}
    found: list[PortChange] = []
    gaps: list[str] = []
    for address, host in before.items():
        if address in after:
            found += _of_host(host, after[address])
            gaps += _gaps(host, after[address], names)
    for only, name in ((before.keys() - after.keys(), names[0]), (after.keys() - before, names[1])):
        if only:
            gaps.append(f"Only {name} has {_listed(sorted(only))}.")
    gaps += (
        f"{name} was stopped early."
        for one, name in ((old, names[0]), (new, names[1]))
        if not one.complete
    )
    return ScanDifference(old=names[0], new=names[1], changes=tuple(found), gaps=tuple(gaps))


def _of_host(old: ScannedHost, new: ScannedHost) -> Iterator[PortChange]:
    was = {(port.protocol, port.port): port for port in old.ports}
    now = {(port.protocol, port.port): port for port in new.ports}
    for key in sorted({*was, *now}):
        states = old.states(*key), new.states(*key)
        if not all(states):
            continue  # one of them has not asked; _gaps() says so
        if _differ(*states) or _other_program(was.get(key), now.get(key)):
            yield PortChange(
                address=old.address,
                protocol=key[0],
                port=key[1],
                before=tuple(sorted(states[0])),
                after=tuple(sorted(states[1])),
                was=_words(was.get(key)),
                now=_words(now.get(key)),
            )


def _differ(before: frozenset[PortState], after: frozenset[PortState]) -> bool:
    """Say whether two answers are certainly not the same."""
    if _UNTOLD & (before | after):
        return False
    return not before & after


def _other_program(was: ScannedPort | None, now: ScannedPort | None) -> bool:
    """Say whether something else answers; what was not asked in one of them is no change."""
    if was is None or now is None:
        return False
    if not (isinstance(was.service, Spoken) and isinstance(now.service, Spoken)):
        return False
    return was.service != now.service


def _words(port: ScannedPort | None) -> str:
    if port is None or not isinstance(port.service, Spoken):
        return ""
    spoken = port.service
    return f"{spoken.protocol}: {spoken.product}" if spoken.product else spoken.protocol


def _gaps(old: ScannedHost, new: ScannedHost, names: tuple[str, str]) -> Iterator[str]:
    """Say which ports only one of two scans can tell of."""
    for host, other, name in ((old, new, names[1]), (new, old, names[0])):
        untold: dict[Protocol, list[int]] = {}
        for port in host.ports:
            states = other.states(port.protocol, port.port)
            if port.state == PortState.OPEN and (not states or _UNTOLD & states):
                untold.setdefault(port.protocol, []).append(port.port)
        for protocol, ports in untold.items():
            numbers = _listed(list(map(str, ports)))
            yield f"{name} does not tell of {numbers}/{protocol} of {old.address}."


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _MOST_NAMED:,} more" if len(words) > _MOST_NAMED else ""
    return ", ".join(words[:_MOST_NAMED]) + more
