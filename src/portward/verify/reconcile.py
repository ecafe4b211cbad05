"""Hold what a scan saw against what the machine says of itself, port by port."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from portward.model.case import Case
from portward.model.errors import UsageError
from portward.model.host import Kernel, Process
from portward.model.net import Family, Protocol
from portward.model.reaching import Answer, Deciding
from portward.model.scan import PortState, Scan, ScannedHost, Spoken
from portward.model.service import Audience
from portward.model.status import Exposure, Scope, Verdict
from portward.model.unknown import Unknown
from portward.model.verification import Outcome, Verification, Verified, View
from portward.policy.networks import PRIVATE_NETWORKS
from portward.reach.site import Site
from portward.reach.trace import Question, follow
from portward.verify.inside import SCANNED, Address, Machine
from portward.verify.judge import SHUT, Sides, judge

_APART = timedelta(minutes=10)
"""Between the two views, after which what changed meanwhile may look like a difference."""
_GRAVEST = (
    *(Outcome.BYPASSED, Outcome.HIDDEN, Outcome.UNINTENDED, Outcome.BLOCKED, Outcome.UPSTREAM),
    *(Outcome.UNTOLD, Outcome.EXPOSED, Outcome.CLOSED),
)


class Outside(NamedTuple):
    """A scan, and what a person knows of where it was made."""

    scan: Scan
    source: str = ""
    """The address that the machine sees; empty: that which the scan names."""
    interface: str = ""
    """By which its packets come in; empty: by which an answer leaves."""
    stands_for: str = ""
    """Whom the source was chosen for."""


class _Reached(NamedTuple):
    """What the rules say of one port and one source."""

    answer: Answer
    why: str
    decided_by: tuple[Deciding, ...] = ()
    passed_on: bool = False
    """To another machine or a container, so that no socket of this one has to be there."""


class _Asker(NamedTuple):
    """Where questions come from."""

    source: Address | None
    interface: str
    address: Address
    """Of the machine, as it knows it itself."""


def reconcile(
    case: Case, site: Site, outsides: Sequence[Outside], notes: Sequence[str] = ()
) -> Verification:
    """Hold scans against a machine; UsageError where a scan is not about it.

    ``notes`` are what else a person should know of how it was looked at.
    """
    machine = Machine(case, site)
    views: list[View] = []
    ports: list[Verified] = []
    for outside in outsides:
        for host in outside.scan.hosts:
            view, found = _Look(machine, outside, host).verified()
            views.append(view)
            ports += found
    if not views:
        raise UsageError("the outside view names no host", mend="scan the machine once more")
    ports.sort(key=lambda one: (_GRAVEST.index(one.outcome), one.protocol, one.port))
    return Verification(
        hostname=case.snapshot.machine.hostname,
        taken=case.snapshot.taken,
        views=tuple(views),
        ports=tuple(ports),
        notes=tuple(dict.fromkeys((*notes, *machine.notes))),
        gaps=tuple(dict.fromkeys((*site.gaps, *machine.gaps))),
    )


class _Look:
    """One host of one scan."""

    def __init__(self, machine: Machine, outside: Outside, host: ScannedHost) -> None:
        self._machine = machine
        self._host = host
        self._outside = outside
        self._asker = self._who_asks()
        self._spoken = {(one.protocol, one.port): one.service for one in host.ports}

    def verified(self) -> tuple[View, list[Verified]]:
        """Judge every port that was asked; those worth a line are returned one by one."""
        named = sorted(self._worth_a_line())
        ports = [self._port(*key) for key in named]
        must_fail = [one for one in ports if one.intended is False and one.seen]
        must_succeed = [
            one for one in ports if one.intended and one.listens is not False and one.seen
        ]
        others, others_failed = self._others(set(named))
        asker = self._asker
        view = View(
            address=self._host.address,
            source=str(asker.source or ""),
            stands_for=self._outside.stands_for,
            interface=asker.interface,
            engine=self._outside.scan.engine,
            started=self._outside.scan.started,
            asked=dict(self._host.asked),
            must_fail=len(must_fail) + others,
            failed=sum(_is_shut(one.seen) for one in must_fail) + others_failed,
            got_through=sum(one.seen == (PortState.OPEN,) for one in must_fail),
            must_succeed=len(must_succeed),
            succeeded=sum(one.seen == (PortState.OPEN,) for one in must_succeed),
            untold=sum(not _is_certain(one.seen) for one in (*must_fail, *must_succeed))
            + others
            - others_failed,
        )
        return view, [one for one in ports if one.outcome != Outcome.CLOSED or one.listens]

    def _who_asks(self) -> _Asker:
        """Find out which source and destination the machine saw."""
        machine, scan = self._machine, self._outside.scan
        seen = ip_address(self._host.address.partition("%")[0])
        self._check(scan)
        source = _named(self._outside.source or self._source_of(seen))
        if source in machine.own:
            raise UsageError(
                f"the scan was made on the machine itself, from {source}",
                mend="scan it from another one: what it sends to itself passes other rules",
            )
        address = seen
        if machine.own and seen not in machine.own:
            address = self._translated(seen)
        if source and not self._outside.source and _is_private(source) and not _is_private(seen):
            machine.notes.append(
                f"The scan came from {source}, a private address, to a public one: something on "
                "the way translates it, so it is not known which address the machine saw. "
                "Say it with --source."
            )
            source = None
        if source is None:
            machine.notes.append(
                "It is not known where the scan came from; ports that some reach and others do "
                "not are not told. Say it with --source."
            )
        return _Asker(source, self._outside.interface or self._interface(source), address)

    def _check(self, scan: Scan) -> None:
        """Say what may be wrong with a view as a whole."""
        taken = self._machine.case.snapshot.taken
        if abs(scan.started - taken) > _APART:
            self._machine.notes.append(
                f"The two views are {_hours(abs(scan.started - taken))} apart: what changed "
                "meanwhile looks like a difference."
            )
        if not scan.complete:
            self._machine.gaps.append("The scan was stopped early.")
        for protocol in SCANNED:
            listening = [key for key in self._machine.ports if key[0] == protocol]
            if listening and not self._host.asked.get(protocol) and self._host.asked:
                self._machine.gaps.append(
                    f"The scan asked for no {protocol.upper()} port, and {len(listening)} listen."
                )
        for one in self._host.unknown:
            self._machine.gaps.append(f"Of {self._host.address} it is not told {one.reason}.")

    def _source_of(self, seen: Address) -> str:
        """Return the address that the scan was made from, of the family of the target."""
        fitting = [
            text
            for text in self._outside.scan.source
            if ip_address(text.partition("%")[0]).version == seen.version
        ]
        return fitting[0] if len(fitting) == 1 else ""

    def _translated(self, seen: Address) -> Address:
        """Choose the machine's own address that stands behind one that it does not have."""
        known = self._machine.case.snapshot.interfaces
        outer = [] if isinstance(known, Unknown) else [one for one in known if one.default_route]
        behind = [
            address
            for one in outer
            for text in one.addresses
            if (address := ip_address(text.partition("/")[0])).version == seen.version
            and not address.is_link_local
        ]
        if not behind:
            raise UsageError(
                f"{seen} is none of the machine's addresses, and it has none behind it",
                mend="scan an address of this machine",
            )
        self._machine.notes.append(
            f"{seen} is none of the machine's addresses: something before it translates. Its rules "
            f"are asked about {behind[0]}."
        )
        return behind[0]

    def _interface(self, source: Address | None) -> str:
        """Return the interface by which an answer to a source leaves."""
        if source is None or not self._machine.site.sees_interfaces:
            return ""
        family = Family.IPV4 if source.version == 4 else Family.IPV6  # noqa: PLR2004
        way = self._machine.site.hosts[family].route(int(source))
        return (way.device or "") if way else ""

    def _worth_a_line(self) -> Iterator[tuple[Protocol, int]]:
        """Yield the ports that something listens on, and those that the scan says something of."""
        found = {
            key
            for key in self._machine.ports
            if self._machine.listening(*key, self._asker.address)
            and (self._host.asked.get(key[0]) or key[0] == Protocol.TCP)
        }
        found |= {
            (one.protocol, one.port)
            for one in self._host.ports
            if one.protocol in SCANNED and one.state not in SHUT
        }
        yield from found

    def _others(self, named: set[tuple[Protocol, int]]) -> tuple[int, int]:
        """Count the other ports that were asked, and those of them that certainly are shut.

        Nothing listens on them, so nobody shall get an answer.
        """
        asked = failed = 0
        for protocol in SCANNED:
            all_asked = sum(last - first + 1 for first, last in self._host.spans(protocol))
            lines = [one for one in self._host.ports if one.protocol == protocol]
            counts = self._host.others.get(protocol, {})
            here = [port for kind, port in named if kind == protocol]
            asked += all_asked - sum(self._host.was_asked(protocol, port) for port in here)
            shut = sum(one.state in SHUT for one in lines)
            shut += sum(count for state, count in counts.items() if state in SHUT)
            # Of the named ports, some may be among those that are only counted.
            shut -= sum(_is_shut(self._states(protocol, port)) for port in here)
            failed += shut
            if not all_asked:
                asked += shut  # of a scan that lists only what it found
        return asked, failed

    def _states(self, protocol: Protocol, port: int) -> tuple[PortState, ...]:
        return tuple(sorted(self._host.states(protocol, port)))

    def _port(self, protocol: Protocol, port: int) -> Verified:
        machine, asker = self._machine, self._asker
        holders = machine.listening(protocol, port, asker.address)
        seen = self._states(protocol, port)
        reached = self._reach(protocol, port, holders)
        listens = bool(holders) or reached.passed_on
        intended = self._intended(holders)
        sides = Sides(
            frozenset(seen),
            listens if machine.sees_listeners or listens else None,
            reached.answer,
            intended,
        )
        outcome, why = judge(sides)
        spoken = self._spoken.get((protocol, port))
        first = holders[0] if holders else None
        return Verified(
            address=self._host.address,
            protocol=protocol,
            port=port,
            source=str(asker.source or ""),
            seen=seen,
            listens=sides.listens,
            reach=reached.answer,
            intended=intended,
            outcome=outcome,
            why=f"{why} ({reached.why})" if reached.why and outcome == Outcome.UNTOLD else why,
            service=first.recognition.service.name if first and first.recognition else "",
            program=_program(first) if first else "",
            answers=spoken.protocol if isinstance(spoken, Spoken) else "",
            decided_by=reached.decided_by,
        )

    def _reach(self, protocol: Protocol, port: int, holders: list[Exposure]) -> _Reached:
        """Ask the rules about the very packets that the scan sent."""
        asker, site = self._asker, self._machine.site
        if asker.source is None or not site.sees_interfaces:
            return _by_scope(holders)
        try:
            answer = follow(
                site,
                Question(
                    protocol,
                    port,
                    str(asker.source),
                    asker.interface or None,
                    str(asker.address),
                ),
            )
        except UsageError as error:
            return _Reached(Answer.PERHAPS, str(error))
        return _Reached(
            answer.answer,
            "; ".join(answer.doubts),
            answer.decided_by,
            passed_on=any(" by " in place for place in answer.delivered),
        )

    def _intended(self, holders: list[Exposure]) -> bool | None:
        """Say whether the policy lets the source reach what listens here."""
        found = [self._allows(one) for one in holders]
        if True in found:
            return True
        return None if None in found else False

    def _allows(self, exposure: Exposure) -> bool | None:
        if exposure.verdict == Verdict.UNKNOWN:
            return None
        allowance = exposure.allowance
        if exposure.verdict != Verdict.ALLOWED or allowance is None:
            return False
        sources = allowance.sources
        if sources.audience == Audience.ANYONE and not sources.networks:
            return True
        if sources.audience in {Audience.NOBODY, Audience.HOST}:
            return False
        if self._asker.source is None:
            return None
        return _is_in(self._asker.source, sources.networks or PRIVATE_NETWORKS)


def _by_scope(holders: list[Exposure]) -> _Reached:
    """Answer for all sources at once, where it is not known which one asked."""
    scopes = {one.reach.scope for one in holders}
    if Scope.EVERYONE in scopes:
        return _Reached(Answer.YES, "")
    if scopes <= {Scope.NOBODY, Scope.HOST}:
        return _Reached(Answer.NO, "")
    return _Reached(Answer.PERHAPS, "it hangs on the source, which is not known")


def _named(text: str) -> Address | None:
    if not text:
        return None
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        raise UsageError(f'"{text}" is no address', mend="such as 203.0.113.7") from None
    return found


def _is_in(address: Address, networks: Iterable[str]) -> bool:
    return any(address in ip_network(one) for one in networks)


def _is_private(address: Address) -> bool:
    return _is_in(address, PRIVATE_NETWORKS)


def _is_shut(seen: Iterable[PortState]) -> bool:
    states = frozenset(seen)
    return bool(states) and states <= SHUT


def _is_certain(seen: tuple[PortState, ...]) -> bool:
    return seen == (PortState.OPEN,) or _is_shut(seen)


def _program(exposure: Exposure) -> str:
    holder = exposure.listener.process
    if isinstance(holder, Process | Kernel):
        return holder.name
    return ""


def _hours(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{round(minutes / 60):,} hours"  # noqa: PLR2004
