"""The difference of two rulesets against what single packets meet in each."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from portward.model.net import Family, Protocol
from portward.model.reaching import Answer
from portward.reach.diff import difference
from portward.reach.packets import EPHEMERAL, NUMBERS, SYN, packet
from portward.reach.path import arrive
from portward.reach.question import spans
from portward.reach.ruleset import Kind, Ruleset
from portward.reach.site import Site
from portward.reach.sources import Sources
from reach.rulesets import RULESETS
from reach.sites import site
from reach.test_matrix import has, ranges

SOURCES = [0x0A000002, 0x0A000100, 0xC0000205, 0xC0000290, 0xCB007107, 0x08080808]
PORTS = [1, 21, 22, 23, 80, 443, 8080, 65_535]


def meets(asked: Site, device: str, protocol: Protocol, port: int, sport: int) -> list[Answer]:
    """Return what packets from some sources meet, at whichever address they get furthest."""
    machine = asked.machines[Family.IPV4]
    points = Sources.of_points(SOURCES)
    found: list[set[Answer]] = [set() for _ in points.starts]
    for address in machine.host.own:
        one = packet(
            machine.host,
            points,
            device=device,
            protocol=NUMBERS[protocol],
            daddr=address,
            dport=port,
            sport=sport,
            tcp_flags=SYN if protocol == Protocol.TCP else None,
        )
        endings = arrive(asked.ruleset, machine.host, points, one).endings
        for index, answers in enumerate(found):
            kinds = {ending.kind for ending in endings if ending.live >> index & 1}
            if Kind.ACCEPT in kinds:
                answers.add(Answer.YES if len(kinds) == 1 else Answer.PERHAPS)
    order = (Answer.YES, Answer.PERHAPS, Answer.NO)
    return [next(one for one in order if one in {*answers, Answer.NO}) for answers in found]


@settings(max_examples=60, deadline=None)
@given(RULESETS, RULESETS, st.sampled_from(["eth0", "eth1", "docker0"]))
def test_single_packets_meet_the_difference(old: Ruleset, new: Ruleset, device: str) -> None:
    before, after = site(old), site(new)
    found = difference(before, after, ("old", "new"))
    for protocol, port, sport in product((Protocol.TCP, Protocol.UDP), PORTS, (1024, EPHEMERAL)):
        was = meets(before, device, protocol, port, sport)
        now = meets(after, device, protocol, port, sport)
        mine = [
            one
            for one in found.changes
            if one.protocol == protocol and device in one.interfaces and has(one.ports, port)
            if one.source_ports is None or has(one.source_ports, sport)
        ]
        for source, here, there in zip(sorted(SOURCES), was, now, strict=True):
            told = {
                (one.before, one.after)
                for one in mine
                if any(low <= source <= high for low, high in ranges(one.networks))
            }
            if before.machines[Family.IPV4].refused(device) & bit(before, source):
                continue  # routing refuses it, so it may lie in networks
            assert told == ({(here, there)} if here != there else set()), (source, port)


def bit(asked: Site, source: int) -> int:
    """Return the class of one source."""
    sources = asked.machines[Family.IPV4].sources
    return next(
        1 << index
        for index, span in enumerate(
            zip(sources.starts, [*sources.starts[1:], sources.end], strict=True)
        )
        if span[0] <= source < span[1]
    )


@settings(max_examples=30, deadline=None)
@given(RULESETS)
def test_a_ruleset_does_not_differ_from_itself(ruleset: Ruleset) -> None:
    assert difference(site(ruleset), site(ruleset), ("a", "b")).changes == ()


@settings(max_examples=20, deadline=None)
@given(RULESETS, RULESETS)
def test_a_difference_is_the_same_from_both_ends(old: Ruleset, new: Ruleset) -> None:
    there = difference(site(old), site(new), ("a", "b")).changes
    back = difference(site(new), site(old), ("b", "a")).changes
    assert {
        (one.protocol, one.ports, one.source_ports, one.networks, one.before, one.after)
        for one in there
    } == {
        (one.protocol, one.ports, one.source_ports, one.networks, one.after, one.before)
        for one in back
    }


def test_what_routing_alone_lets_in_is_a_change() -> None:
    found = difference(site(Ruleset()), site(Ruleset(), "off"), ("strict", "off"))
    assert {(one.what, one.interfaces, one.protocol, one.ports) for one in found.changes} == {
        ("opens", ("eth1",), protocol, "0-65535") for protocol in (Protocol.TCP, Protocol.UDP)
    }
    # Its neighbours came in before, all but the broadcast address.
    assert {one.words.partition(",")[0] for one in found.changes} == {
        "everyone except 192.0.2.0/25"
    }


def test_neighbouring_ports_are_written_as_one_range() -> None:
    assert spans([(5, 6), (1, 2), (3, 3), (9, 9)]) == "1-3, 5-6, 9"
