"""What the policy says of one listener; pure.

An allowance is about ports, as a firewall is: whoever holds an allowed port is ``ALLOWED``, and
that the holder is another service than the one meant is for a check to report. There are three
exceptions. An allowance that names a program is for that program alone. The allowances that
every role has (a DHCP client, the local resolver) are for those services: port 53 of the local
resolver must not allow a DNS server. And where the port says nothing (raw and packet sockets,
services on ports that the system chooses) the service that holds the socket decides.
"""

from datetime import date

from portward.knowledge.recognise import is_interpreter
from portward.model.host import HOST, Listener, Process
from portward.model.net import Ports, Protocol
from portward.model.policy import Allowance, Policy
from portward.model.status import Basis, Reach, Recognition, Scope, Verdict
from portward.model.unknown import Unknown
from portward.policy.resolve import EVERY_ROLE

_PORTLESS = frozenset({Protocol.RAW, Protocol.PACKET})


class _Index:
    """The allowances of a policy that are in force on one day, by port and by service.

    A busy machine has thousands of listeners; going through every allowance for each is slow.
    """

    def __init__(self, policy: Policy, day: date) -> None:
        self.policy = policy
        self.day = day
        self.services: dict[str, list[Allowance]] = {}
        self.ports: dict[tuple[Protocol, int], list[tuple[int, Allowance]]] = {}
        self.ranges: list[tuple[Ports, tuple[int, Allowance]]] = []
        live = (allowance for allowance in policy.allowances if not expired(allowance, day))
        for item in enumerate(live):
            allowance = item[1]
            if allowance.service is not None:
                self.services.setdefault(allowance.service, []).append(allowance)
            for ports in allowance.ports:
                if ports.first == ports.last:
                    self.ports.setdefault((ports.protocol, ports.first), []).append(item)
                else:
                    self.ranges.append((ports, item))

    def at(self, key: tuple[Protocol, int]) -> list[Allowance]:
        """Return the allowances for a port in the policy's order."""
        found = self.ports.get(key, [])
        wide = [item for ports, item in self.ranges if key in ports]
        return [item[1] for item in (sorted([*found, *wide]) if wide else found)]


_last: list[_Index] = []
"""The index of the policy that was asked for last: one is all that a run has."""


def verdict(
    listener: Listener,
    recognition: Recognition | None,
    reach: Reach,
    policy: Policy,
    day: date,
) -> tuple[Verdict, Allowance | None]:
    """Judge a listener and return the allowance that covers it, if one does.

    Of several, the one for the service that the listener is comes first, then the person's own.
    An allowance covers nothing after its last day. UNKNOWN comes with an allowance where it
    hangs on a program that cannot be seen. Who can reach the port is another question: a port
    that no allowance covers is not allowed, even where a firewall may stand before it.
    """
    if listener.namespace != HOST:
        return Verdict.INSIDE, None
    if not _last or _last[0].policy is not policy or _last[0].day != day:
        _last[:] = [_Index(policy, day)]
    covering = _covering(_last[0], listener, recognition)
    held = [allowance for allowance in covering if _held_by(allowance, listener)]
    if held:
        name = recognition.service.name if recognition else None
        return Verdict.ALLOWED, next((one for one in held if one.service == name), held[0])
    if reach.scope == Scope.HOST:
        return Verdict.LOCAL, None
    if reach.scope == Scope.NOBODY:
        return Verdict.CLOSED, None
    unsure = [allowance for allowance in covering if _held_by(allowance, listener) is None]
    return (Verdict.UNKNOWN, unsure[0]) if unsure else (Verdict.NOT_ALLOWED, None)


def expired(allowance: Allowance, day: date) -> bool:
    """Say whether its last day is over."""
    return allowance.until is not None and allowance.until < day


def _covering(
    index: _Index, listener: Listener, recognition: Recognition | None
) -> list[Allowance]:
    """Return the allowances in force that are about the listener."""
    here = index.at((listener.protocol, listener.port))
    if recognition is None:
        return [allowance for allowance in here if allowance.origin != EVERY_ROLE]
    name = recognition.service.name
    known = recognition.basis != Basis.PORT
    # Where the holder cannot be seen the number has to do for a service that every role has.
    meant = name if known or isinstance(listener.process, Unknown) else None
    found = [
        allowance
        for allowance in here
        if allowance.origin != EVERY_ROLE or allowance.service == meant
    ]
    if known and (listener.protocol in _PORTLESS or recognition.service.dynamic):
        found += [one for one in index.services.get(name, ()) if one not in found]
    return found


def _held_by(allowance: Allowance, listener: Listener) -> bool | None:
    """Say whether the program that an allowance names holds the port; None: not known."""
    if allowance.program is None:
        return True
    holder = listener.process
    if not isinstance(holder, Process):
        return None if isinstance(holder, Unknown) else False
    if not isinstance(holder.exe, str):
        return None
    if _same_file(holder.exe, allowance.program):
        return True
    # A script is run by its interpreter; its own path is the first word after it.
    script = next((word for word in holder.cmdline[1:] if not word.startswith("-")), "")
    return is_interpreter(holder.exe) and _same_file(script, allowance.program)


def _same_file(one: str, other: str) -> bool:
    """Compare two paths where /bin and /usr/bin are one, as on every merged system."""
    return one.removeprefix("/usr") == other.removeprefix("/usr")
