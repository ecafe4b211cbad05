"""The model against the kernel: the same packets, the same ruleset, the same fate?"""

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from ipaddress import ip_address
from random import Random
from typing import NamedTuple

from build import snapshot
from kernel.libnftables import Refused
from kernel.oracle import Oracle, World
from kernel.probes import DROPPED, ICMP, ICMPV6, REJECTED, TCP, UDP, Answer, Group
from kernel.rulesets import PORTS, Coverage, Generator, Table, Tables, text, without
from portward.model.net import Family
from portward.reach import nft_json
from portward.reach.host import LOCAL, UNICAST, Host, host
from portward.reach.packets import SYN, packet
from portward.reach.path import Ending, arrive
from portward.reach.ruleset import Kind, Ruleset
from portward.reach.sources import Sources

_FAMILIES = {32: Family.IPV4, 128: Family.IPV6}
_DESTINATIONS = {
    32: ("10.0.0.1",) * 5
    + ("10.8.0.1", "192.0.2.5", "172.16.0.1", "172.16.0.9", "172.16.0.9", "10.8.0.77")
    + ("203.0.113.50", "10.0.0.255", "127.0.0.1"),
    128: ("fd00::1",) * 5
    + ("fd08::1", "fd16::1", "fd16::9", "fd16::9", "fd08::77", "2001:db8::50"),
}
_SOURCES = {
    32: "10.0.0.0 10.0.0.2 10.0.0.5 10.0.0.4 10.0.0.77 10.0.0.127 10.0.0.128 10.0.0.200 10.0.0.201"
    " 10.0.1.0 10.8.0.0 10.8.0.2 10.8.0.99 10.7.255.255 10.9.0.0 9.0.0.0 8.255.255.255 11.0.0.0"
    " 198.51.100.0 198.51.100.2 198.51.100.3 198.51.100.127 198.51.100.128 203.0.113.7 203.0.113.8"
    " 203.0.113.9 203.0.113.10 192.0.2.4 192.0.2.15 192.0.2.16 172.16.0.9 8.8.8.8 1.1.1.1"
    " 127.0.0.1 127.255.255.255 128.0.0.0 10.0.0.1 10.8.0.1 0.0.0.0 0.0.0.9 10.0.0.255 224.0.0.5"
    " 255.255.255.255 239.255.255.255 223.255.255.255 240.0.0.1",
    128: "fd00::2 fd00::4 fd00::5 fd00::7f fd00::80 fd00::c8 fd00::c9 fd00::ff fd00::100"
    " fd00::1:0:0:0 fd00:0:0:1:: fd08::2 fd08::9 fd07:ffff:: fd09:: fd16::9 2001:db7:ffff::"
    " 2001:db8:: 2001:db8::3 2001:db8::7 2001:db8::8 2001:db8:7fff:ffff:: 2001:db8:8000::"
    " 2001:db8:ffff::9 2001:db8:ffff::a 2001:dc8:: 2fff:: 3000:: 3fff:ffff:: 4000:: 1fff:: 2000::"
    " 7fff:: 8000:: fe7f:: fd00::7 2a00::1",
}
_TYPES = {ICMP: (8, 8, 8, 0, 13, 3), ICMPV6: (128, 128, 129, 1)}
GROUPS = 24


class Trial(NamedTuple):
    """A ruleset, a machine, and packets to send."""

    tables: Tables
    world: World
    groups: list[Group]


class Disagreement(NamedTuple):
    """A packet that the model and the kernel treat differently."""

    trial: Trial
    expected: frozenset[Answer]
    """What the model says may happen."""
    found: Answer

    def __str__(self) -> str:
        (group,) = self.trial.groups
        size = _FAMILIES[group.bits]
        source, daddr = (_address(one, group.bits) for one in (group.sources[0], group.daddr))
        wanted = ", ".join(_said(one, group.bits) for one in sorted(self.expected, key=str))
        return (
            f"{text(self.trial.tables)}{self.trial.world}\n"
            f"{size.value} {group.device} protocol {group.protocol} {source} port {group.sport} to "
            f"{daddr} port {group.dport} flags {group.flags}\n"
            f"model: {wanted}; kernel: {_said(self.found, group.bits)}"
        )


class Tally:
    """What was compared."""

    def __init__(self) -> None:
        self.trials = self.rulesets = self.refused = self.cut = self.undecided = 0
        self.answers: dict[str, int] = {}
        self.fates: dict[str, int] = {}
        self.doubts: dict[str, int] = {}
        self.coverage = Coverage()


class Differential:
    """Compares, and shrinks what differs."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        self.tally = Tally()
        self._hosts: dict[World, dict[int, Host]] = {}

    def run(self, seed: int) -> list[Disagreement]:
        """Compare the ruleset and the packets of a seed; nothing where the kernel refuses it."""
        random = Random(seed)  # noqa: S311 - tests, no secrets
        seen = Coverage()
        tables = Generator(random.randrange(1 << 62), seen, bridged=self.oracle.bridged).ruleset()
        world = worlds()[(seed // 16) % len(worlds())]
        trial = Trial(tables, world, [_group(random, index) for index in range(GROUPS)])
        for _ in range(20):
            try:
                found = self.compare(trial, self.tally)
                break
            except Refused as refused:
                wrong = {int(line) for line in re.findall(r":(\d+):\d+", str(refused))}
                trial = trial._replace(tables=without(trial.tables, wrong))
                self.tally.cut += len(wrong)
        else:
            self.tally.refused += 1
            return []
        self.tally.rulesets += 1
        for kind, count in seen.kinds.items():
            kinds = self.tally.coverage.kinds
            kinds[kind] = kinds.get(kind, 0) + count
        return found

    def compare(self, trial: Trial, tally: Tally | None = None) -> list[Disagreement]:
        """Send the packets and return what the model had not expected."""
        return self.compare_text(text(trial.tables), trial, tally)

    def compare_text(self, loaded: str, trial: Trial, tally: Tally | None) -> list[Disagreement]:
        """Compare with the ruleset as text."""
        self.oracle.enter(trial.world)
        listed = self.oracle.load(loaded)
        answers = self.oracle.ask(trial.groups)
        ruleset = nft_json.read(_with_devices(listed, trial.tables))
        hosts = self._machine(trial.world)
        # Refusals meet these chains too, and those of ingress need an Ethernet.
        met = ("hook postrouting", "hook output", "hook ingress")
        muted = self.oracle.bridged or any(one in loaded for one in met)
        differing: list[Disagreement] = []
        number = 0
        for group, found in zip(trial.groups, answers, strict=True):
            seen = self.oracle.seen(group)
            expected = _expected(ruleset, hosts[group.bits], seen, tally)
            for source, fate in zip(group.sources, found, strict=True):
                number += 1
                one = self._answered(hosts[group.bits], seen, source, fate, number, expected, tally)
                if tally is not None:
                    tally.trials += 1
                    tally.fates[fate.kind] = tally.fates.get(fate.kind, 0) + 1
                if not self._agree(hosts[group.bits], seen, source, one, expected, muted=muted):
                    alone = trial._replace(groups=[group._replace(sources=(source,))])
                    differing.append(Disagreement(alone, frozenset(expected.fates[source]), one))
        return differing

    def _agree(
        self,
        machine: Host,
        group: Group,
        source: int,
        found: Answer,
        expected: "_Expected",
        *,
        muted: bool,
    ) -> bool:
        """Say whether what became of a packet is what the model holds possible."""
        wanted = expected.fates[source]
        if found in wanted or _is_like(found, wanted, expected.told_apart):
            return True
        if self.oracle.bridged and any(one.device == "br0" for one in wanted):
            return True  # nothing leaves by a bridge there
        refused = found.kind == "drop" and any(one.kind == "reject" for one in wanted)
        return refused and (muted or _unanswerable(machine, group, source))

    def _answered(  # noqa: PLR0913, PLR0917 - as _agree
        self,
        machine: Host,
        group: Group,
        source: int,
        found: Answer,
        number: int,
        expected: "_Expected",
        tally: Tally | None,
    ) -> Answer:
        """Look for the answer to a packet that arrived; SILENT if the model misses it in vain."""
        if self.oracle.bridged or not _is_answered(machine, group, source, found):
            return found
        left, stopped = number in self.oracle.resets, source in expected.stopped
        if tally is not None:
            said = "may be stopped" if stopped else "leaves"
            key = f"{'left' if left else 'stopped'}, and the model says: {said}"
            tally.answers[key] = tally.answers.get(key, 0) + 1
        return found if left or stopped else SILENT

    def shrink(self, found: Disagreement) -> Disagreement:
        """Return the smallest disagreement that removing parts leads to."""
        for _ in range(30):
            for tables in _smaller(found.trial.tables):
                try:
                    left = self.compare(found.trial._replace(tables=tables))
                except Refused:
                    continue
                if left:
                    found = left[0]
                    break
            else:
                return found
        return found

    def _machine(self, world: World) -> dict[int, Host]:
        if world not in self._hosts:
            found, ways, settings = self.oracle.survey()
            seen = snapshot(interfaces=found, routes=ways, sysctls=settings)
            self._hosts[world] = {bits: host(seen, family) for bits, family in _FAMILIES.items()}
        return self._hosts[world]


def worlds() -> tuple[World, ...]:
    """Return the machines that rulesets are tried on."""
    return (
        World(),
        World(rp_filter=1),
        World(forwarding=0),
        World(rp_filter=2),
        World(default=False),
        World(rp_filter=1, default=False),
    )


def _group(random: Random, index: int) -> Group:
    bits = random.choice((32, 32, 128))
    ping = ICMP if bits == 32 else ICMPV6
    protocol = random.choice((TCP, TCP, TCP, UDP, UDP, ping))
    other = protocol == ping
    return Group(
        bits=bits,
        device=random.choice(("eth0", "eth0", "wg0")),
        protocol=protocol,
        daddr=int(ip_address(random.choice(_DESTINATIONS[bits]))),
        sport=random.choice(_TYPES[ping])
        if other
        else 1024 + index * 2000 + random.randrange(1999),
        dport=0 if other else random.choice((*PORTS, random.randrange(1, 9000))),
        flags=random.choice((2, 2, 2, 16, 18, 1, 4, 0)) if protocol == TCP else 0,
        sources=tuple(int(ip_address(one)) for one in _SOURCES[bits].split()),
    )


def _fates(ending: Ending) -> set[Answer]:
    if ending.kind == Kind.ACCEPT:
        return {Answer(ending.hook, ending.device, ending.address, ending.port or 0)}
    if ending.hook == "routing":
        # Whom ip_error() tells, and before which of its checks, it decides anew.
        return {_ANSWERS[ending.kind], DROPPED, REJECTED}
    return {_ANSWERS[ending.kind]}


class _Expected(NamedTuple):
    """What the model says of the packets of a group."""

    fates: dict[int, set[Answer]]
    """By source."""
    stopped: set[int]
    """Sources whose answers may not leave; their packets arrive all the same."""
    told_apart: Sequence[int]
    """Where the ranges of destinations begin of which one stands for the others."""


def _expected(ruleset: Ruleset, machine: Host, group: Group, tally: Tally | None) -> _Expected:
    """Return what may happen to the packet of each source."""
    sources = Sources.of_points(group.sources)
    ported = group.protocol in {TCP, UDP}
    version = "ip ttl" if group.bits == 32 else "ip6 hoplimit"
    more: dict[str, int | str | None] = {"sport": group.sport if ported else None, version: 44}
    for protocol, name in ((ICMP, "icmp"), (ICMPV6, "icmpv6")):
        mine = group.protocol == protocol
        more[f"{name} type"] = group.sport if mine else None
        more[f"{name} code"] = group.dport if mine else None
    more["tcp flags"] = group.flags if group.protocol == TCP else None
    more["first state"] = group.state
    more["answer flags"] = RESET
    arriving = packet(
        machine,
        sources,
        device=group.device,
        protocol=group.protocol,
        daddr=group.daddr,
        dport=group.dport if ported else None,
        **more,
    )
    journey = arrive(ruleset, machine, sources, arriving)
    expected: dict[int, set[Answer]] = {one: set() for one in sources.starts}
    seen = several = 0
    stopped: set[int] = set()
    for ending in journey.endings:
        live = [one for index, one in enumerate(sources.starts) if ending.live >> index & 1]
        if ending.hook == "output":
            stopped.update(live)
            continue
        for start in live:
            expected[start] |= _fates(ending)
        several |= seen & ending.live
        seen |= ending.live
    if tally is not None and several:
        for why, bits in journey.walk.doubts.items():
            tally.doubts[why] = tally.doubts.get(why, 0) + (bits & several).bit_count()
    if tally is not None:
        tally.undecided += several.bit_count()
    return _Expected(expected, stopped, journey.walk.told_apart)


RESET = 20
"""Flags of the answer to a SYN for a closed port: RST and ACK."""
SILENT = Answer("input without an answer")


def _is_like(found: Answer, wanted: set[Answer], told_apart: Sequence[int]) -> bool:
    """Say whether a packet went to an address that one of those expected stands for."""
    kind = bisect_right(told_apart, found.daddr)
    return any(
        one._replace(daddr=found.daddr) == found and bisect_right(told_apart, one.daddr) == kind
        for one in (wanted if told_apart else ())
    )


def _is_answered(machine: Host, group: Group, source: int, fate: Answer) -> bool:
    """Say whether the kernel answers with a reset what it delivered, by the same interface."""
    way = machine.route(source)
    return (
        group.protocol == TCP
        and group.flags == SYN
        and fate.kind == "input"
        and way is not None
        and way.kind == UNICAST
        and way.device == group.device
        and machine.kind(fate.daddr) == LOCAL
        and not _unanswerable(machine, group, source)
    )


_ANSWERS = {
    Kind.ACCEPT: Answer("input"),
    Kind.DROP: Answer("drop"),
    Kind.REJECT: Answer("reject"),
    Kind.QUEUE: Answer("drop"),
}


def _unanswerable(machine: Host, group: Group, source: int) -> bool:
    """Say whether the kernel keeps silent although it refuses (icmp_send(), nf_send_reset())."""
    if machine.kind(source) != 1 or machine.kind(group.daddr) in {3, 5}:
        return True
    if group.bits == 32 and group.daddr >> 24 == 127:  # nothing is sent from there
        return True
    if machine.route(source) is None or (group.protocol == TCP and group.flags & 4):
        return True
    if group.bits == 32:
        return (
            source >> 24 in {0, 127}
            or source >> 28 >= 14
            or (group.protocol == ICMP and group.sport == 3)
        )
    return group.protocol == ICMPV6 and group.sport == 1


def _smaller(tables: Tables) -> "list[Tables]":
    """Return rulesets with one part less, the largest parts first."""
    found = [tables[:at] + tables[at + 1 :] for at in range(len(tables)) if len(tables) > 1]

    def put(at: int, table: Table) -> None:
        found.append((*tables[:at], table, *tables[at + 1 :]))

    for at, table in enumerate(tables):
        for one in range(len(table.chains)):
            put(at, table._replace(chains=table.chains[:one] + table.chains[one + 1 :]))
    for at, table in enumerate(tables):
        for one in range(len(table.sets)):
            put(at, table._replace(sets=table.sets[:one] + table.sets[one + 1 :]))
        for one, chain in enumerate(table.chains):
            for line, rule in enumerate(chain.rules):
                without = [(), *(rule[:part] + rule[part + 1 :] for part in range(len(rule)))]
                for less in without:
                    rules = chain.rules[:line] + ((less,) if less else ()) + chain.rules[line + 1 :]
                    changed = chain._replace(rules=rules)
                    put(
                        at,
                        table._replace(
                            chains=(*table.chains[:one], changed, *table.chains[one + 1 :])
                        ),
                    )
    return found


def _with_devices(listed: str, tables: Tables) -> str:
    """Say which device an ingress chain is for, as newer versions of nft do.

    Tables with an even number of chains stay as they are, so that both forms are tried.
    """
    if '"ingress"' not in listed:
        return listed
    bases = {
        (table.name, chain.name): chain.base
        for table in tables
        if len(table.chains) % 2
        for chain in table.chains
    }
    items = json.loads(listed)
    for item in items["nftables"]:
        chain = item.get("chain", {})
        base = bases.get((chain.get("table"), chain.get("name")), "")
        if chain.get("hook") == "ingress" and base:
            chain["dev"] = base.split('"')[1]
    return json.dumps(items)


def _address(number: int, bits: int) -> str:
    return str(ip_address(number.to_bytes(bits // 8, "big")))


def _said(answer: Answer, bits: int) -> str:
    if answer.kind in {"input", "forward"}:
        where = f" by {answer.device}" if answer.device else ""
        return f"{answer.kind}{where} at {_address(answer.daddr, bits)} port {answer.dport}"
    return answer.kind
