"""What the policy says of one listener; pure.

An allowance is about ports, as a firewall is: whoever holds an allowed port is ``ALLOWED``, and
that the holder is another service than the one meant is for a check to report. Only an allowance
that names a program is for that program alone.
"""

from datetime import date

from portward.knowledge.recognise import is_interpreter
from portward.model.host import Listener, Process
from portward.model.net import Protocol
from portward.model.policy import Allowance, Policy
from portward.model.status import Basis, Reach, Recognition, Scope, Verdict
from portward.model.unknown import Unknown
from portward.policy.resolve import EVERY_ROLE

_PORTLESS = frozenset({Protocol.RAW, Protocol.PACKET})


def verdict(
    listener: Listener,
    recognition: Recognition | None,
    reach: Reach,
    policy: Policy,
    day: date,
) -> tuple[Verdict, Allowance | None]:
    """Judge a listener and return the allowance that covers it, if one does.

    Of several, the one for the service that the listener is comes first, then the person's own.
    An allowance covers nothing after its last day.
    """
    covering = [
        allowance
        for allowance in policy.allowances
        if not expired(allowance, day) and _covers(allowance, listener, recognition)
    ]
    held = [allowance for allowance in covering if _held_by(allowance, listener)]
    if held:
        name = recognition.service.name if recognition else None
        return Verdict.ALLOWED, next((one for one in held if one.service == name), held[0])
    if reach.scope in {Scope.NOBODY, Scope.HOST}:
        return Verdict.LOCAL, None
    if reach.scope == Scope.UNKNOWN:
        return Verdict.UNKNOWN, None
    unsure = [allowance for allowance in covering if _held_by(allowance, listener) is None]
    return (Verdict.UNKNOWN, unsure[0]) if unsure else (Verdict.NOT_ALLOWED, None)


def expired(allowance: Allowance, day: date) -> bool:
    """Say whether its last day is over."""
    return allowance.until is not None and allowance.until < day


def _covers(allowance: Allowance, listener: Listener, recognition: Recognition | None) -> bool:
    """Say whether an allowance is about the listener."""
    meant = recognition is not None and recognition.service.name == allowance.service
    known = meant and recognition is not None and recognition.basis != Basis.PORT
    named = any((listener.protocol, listener.port) in ports for ports in allowance.ports)
    if listener.protocol in _PORTLESS:
        # There is no port, so the service that holds the socket decides. A DHCP client needs
        # one before it has an address.
        return named or known
    if allowance.origin == EVERY_ROLE:
        # The local resolver has port 53 everywhere, which must not allow a DNS server. Where
        # the holder cannot be seen the number has to do.
        return named and (known or (meant and isinstance(listener.process, Unknown)))
    return named


def _held_by(allowance: Allowance, listener: Listener) -> bool | None:
    """Say whether the program that an allowance names holds the port; None: not known."""
    if allowance.program is None:
        return True
    holder = listener.process
    if not isinstance(holder, Process):
        return False if holder is None else None
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
