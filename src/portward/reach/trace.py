"""The way of one packet, rule by rule: the walk that records what matches."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from msgspec.structs import replace

from portward.model.errors import UsageError
from portward.model.net import Family, Protocol, is_loopback, is_wildcard
from portward.model.reaching import Answer, Hop, PacketReach
from portward.reach.host import LOCAL, LOOPBACK, Host
from portward.reach.packets import EPHEMERAL
from portward.reach.path import Journey, Paths
from portward.reach.question import destination, written
from portward.reach.ruleset import (
    Chain,
    Chance,
    Kind,
    Opaque,
    Place,
    Rule,
    Table,
    Test,
    Translate,
    Verdict,
)
from portward.reach.site import Site
from portward.reach.sources import Sources
from portward.reach.walk import Decision, Outcome, Packet, Walk
from portward.reach.wording import deciding, text, translation
from portward.reach.wording import verdict as verdict_words

_BEFORE_ROUTING = frozenset({"ingress", "prerouting"})


class Question(NamedTuple):
    """The first packet of a connection, as a person describes it."""

    protocol: Protocol
    port: int
    source: str
    via: str | None = None
    """The interface that it comes by; None: the one that an answer to it leaves by."""
    destination: str | None = None
    """None: an address of the machine."""
    source_port: int = EPHEMERAL


class Recorder(Walk):
    """A walk that keeps every rule that matches, or may match."""

    def __init__(self, sources: Sources) -> None:
        """Begin with an empty record."""
        super().__init__(sources)
        self.hops: list[Hop] = []
        self._hook = ""
        self._passed: list[int] = []
        self._open: list[int] = []

    def base(self, table: Table, chain: Chain, packets: Iterable[Packet]) -> Outcome:
        """Run packets through a chain of a hook."""
        self._hook = chain.base.hook if chain.base else ""
        return super().base(table, chain, packets)

    def _chain(self, table: Table, chain: Chain, packets: list[Packet], depth: int) -> list[Packet]:
        self._passed.append(0)
        left = super()._chain(table, chain, packets, depth)
        passed = self._passed.pop()
        if depth == 0 and left and chain.base is not None:
            end = Place(table.family, table.name, chain.name, None)
            self._record(end, 0, Answer.YES, passed, str(chain.base.policy))
        return left

    def _rule(  # noqa: PLR0913, PLR0917 - as in Walk
        self,
        table: Table,
        place: Place,
        rule: Rule,
        packet: Packet,
        depth: int,
        on: list[Packet],
        out: list[Packet],
    ) -> None:
        matched = self._matched(table, rule, packet)
        if matched == Answer.NO:
            self._passed[-1] += 1
            on.append(packet)
            return
        self._open.append(len(self.hops))
        self._record(place, depth, matched, self._passed[-1], "")
        self._passed[-1] = 0
        super()._rule(table, place, rule, packet, depth, on, out)
        self._open.pop()

    def _matched(self, table: Table, rule: Rule, packet: Packet) -> Answer:
        """Say whether a rule holds, up to where it begins to act."""
        matched = Answer.YES
        for step in rule.steps:
            if not isinstance(step, Test | Chance | Opaque):
                break
            must, may = self._condition(table, step, packet)
            if not may:
                return Answer.NO
            if must != packet.live:
                matched = Answer.PERHAPS
        return matched

    def _verdict(  # noqa: PLR0913, PLR0917 - as in Walk
        self,
        table: Table,
        place: Place,
        verdict: Verdict,
        packet: Packet,
        depth: int,
        on: list[Packet],
        out: list[Packet],
    ) -> None:
        self._say(verdict_words(verdict))
        super()._verdict(table, place, verdict, packet, depth, on, out)

    def _translate(self, table: Table, place: Place, step: Translate, packet: Packet) -> Packet:
        self._say(translation(step))
        return super()._translate(table, place, step, packet)

    def _say(self, words: str) -> None:
        """Note what the rule that is being run says."""
        at = self._open[-1]
        said = self.hops[at].verdict
        self.hops[at] = replace(self.hops[at], verdict=f"{said}, {words}" if said else words)

    def _record(self, place: Place, depth: int, matched: Answer, passed: int, verdict: str) -> None:
        rule = place.rule
        self.hops.append(
            Hop(
                hook=self._hook,
                family=place.family,
                table=place.table,
                chain=place.chain,
                depth=depth,
                rule=None if rule is None else text(rule, place.family),
                handle=None if rule is None else rule.handle,
                matched=matched,
                passed_over=passed,
                verdict=verdict,
            )
        )


class _Recorded(Paths):
    """Paths whose walks are recorded."""

    def walk(self) -> Recorder:
        return Recorder(self.sources)


def follow(site: Site, question: Question) -> PacketReach:
    """Say what happens to a packet; UsageError where there can be no such packet."""
    source = _address(question.source, "source")
    family = Family.IPV4 if source.version == 4 else Family.IPV6  # noqa: PLR2004 - IP's version
    machine = site.hosts[family]
    device = _device(site, machine, question, int(source))
    listens = site.listens(question.protocol, question.port)
    to = _destination(machine, device, question, listens)
    sources = Sources.of_points([int(source)])
    paths = _Recorded(site.ruleset, machine, sources)
    first = paths.first(device, question.protocol, to, question.port, question.source_port)
    journey = paths.follow(first)
    verdicts = dict.fromkeys(ending.kind for ending in journey.endings)
    doubts = tuple(name for name, live in journey.walk.doubts.items() if live)
    return PacketReach(
        protocol=question.protocol,
        port=question.port,
        source=str(source),
        source_port=question.source_port,
        destination=written(to, family),
        interface=device,
        answer=_answer(verdicts),
        verdict=" or ".join(verdicts),
        delivered=_delivered(journey, family, question.port, to),
        doubts=doubts if len(verdicts) > 1 else (),
        decided_by=tuple(dict.fromkeys(map(deciding, _deciders(journey, verdicts)))),
        path=_path(journey, family),
        listens=listens,
        gaps=site.gaps,
    )


def _answer(verdicts: Iterable[Kind]) -> Answer:
    found = set(verdicts)
    if found == {Kind.ACCEPT}:
        return Answer.YES
    return Answer.PERHAPS if found & {Kind.ACCEPT, Kind.QUEUE} else Answer.NO


def _deciders(journey: Journey, verdicts: Iterable[Kind]) -> list[Decision]:
    """Return what decided: what kept it out, or else the rules that let it in."""
    decisions = journey.walk.decisions
    against = [one for one in decisions if one.kind != Kind.ACCEPT]
    accepts = [one for one in decisions if one.kind == Kind.ACCEPT]
    rules = [one for one in accepts if one.place.rule is not None]
    answer = _answer(verdicts)
    if answer == Answer.NO:
        return against
    return rules + (against if answer == Answer.PERHAPS else [])


def _delivered(journey: Journey, family: Family, port: int, to: int) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for ending in journey.endings:
        if ending.kind == Kind.ACCEPT:
            found |= dict.fromkeys(destination(ending, family, to, port))
    return tuple(found)


def _path(journey: Journey, family: Family) -> tuple[Hop, ...]:
    """Put the routing decision between the hooks before and after it."""
    assert isinstance(journey.walk, Recorder)  # noqa: S101 - _Recorded made it
    hops = journey.walk.hops
    before = [hop for hop in hops if _is_before_routing(hop)]
    after = [hop for hop in hops if not _is_before_routing(hop)]
    says: dict[str, None] = {}
    for ending in journey.endings:
        if ending.hook == "routing":
            says["refused" if ending.kind == Kind.REJECT else "dropped"] = None
        elif ending.hook not in _BEFORE_ROUTING:
            there = written(ending.address, family)
            by = f"passed on to {there}" if ending.hook in _PASSED_ON else f"{there} is this host"
            says[f"{by} by {ending.device}" if ending.device else by] = None
    if not says:
        return tuple(before)
    routing = Hop(
        hook="routing",
        family="",
        table="",
        chain="",
        depth=0,
        rule=None,
        handle=None,
        matched=Answer.YES,
        passed_over=0,
        verdict=", ".join(says),
    )
    return (*before, routing, *after)


def _is_before_routing(hop: Hop) -> bool:
    return hop.hook in _BEFORE_ROUTING or (hop.family, hop.hook) == ("bridge", "input")


_PASSED_ON = frozenset({"forward", "postrouting"})


def _address(text: str, what: str) -> IPv4Address | IPv6Address:
    try:
        address = ip_address(text)
    except ValueError:
        raise UsageError(f'"{text}" is no {what} address', mend="such as 203.0.113.7") from None
    # As programs write an IPv4 address in their logs that listen on IPv6.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _device(site: Site, machine: Host, question: Question, source: int) -> str:
    """Return the interface that the packet comes by."""
    if not site.sees_interfaces:
        raise UsageError("the interfaces of the machine are not known", mend="use --interfaces")
    known = (*machine.devices, LOOPBACK)
    if question.via is not None:
        if question.via not in known:
            raise UsageError(
                f'there is no interface "{question.via}" that is up',
                mend=f"choose from: {', '.join(known)}",
            )
        return question.via
    way = machine.route(source)
    if way is not None and way.kind == LOCAL:
        return LOOPBACK  # what a machine sends to itself
    if way is None or way.device is None:
        raise UsageError(
            f"no route leads back to {question.source}",
            mend=f"name the interface with --via: {', '.join(known)}",
        )
    return way.device


def _destination(
    machine: Host, device: str, question: Question, listens: tuple[str, ...] | None
) -> int:
    """Return the address that is asked about: the named one, one that is bound, or any own."""
    bits = machine.bits
    if question.destination is not None:
        named = _address(question.destination, "destination")
        if named.max_prefixlen != bits:
            raise UsageError(
                f"{question.source} cannot send to {question.destination}",
                mend="name two addresses of the same family",
            )
        return int(named)
    if listens and not any(map(is_wildcard, listens)):
        bound = [
            ip_address(text.partition("%")[0].removeprefix("::ffff:"))
            for text in listens
            if not is_loopback(text) or device == LOOPBACK
        ]
        fitting = [int(one) for one in bound if one.max_prefixlen == bits]
        if fitting:
            return fitting[0]
    own = [address for address, name in machine.own.items() if name == device]
    others = [address for address, name in machine.own.items() if name != LOOPBACK]
    if not own and not others:
        raise UsageError(
            f"the machine has no {'IPv4' if bits == 32 else 'IPv6'} address",  # noqa: PLR2004
            mend="name the destination with --to",
        )
    return (own or others)[0]
