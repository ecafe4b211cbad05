"""What is told of all ports against single questions and single packets."""

from bisect import bisect_right
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from portward.model.net import Protocol
from portward.model.reaching import Answer
from portward.reach.answer import Machine
from portward.reach.areas import Area, Areas, Fate, areas, partition
from portward.reach.packets import EPHEMERAL, NUMBERS, SYN, packet
from portward.reach.path import arrive
from portward.reach.ruleset import Kind, Place, Range, Ruleset, Table
from portward.reach.sources import Sources
from portward.reach.walk import Decision
from reach.rulesets import HOST, RULESETS


def plain(ruleset: Ruleset) -> Ruleset:
    """Leave translation out; a door joins all ports that are translated to it."""
    return Ruleset(
        tables=tuple(
            Table(
                family=table.family,
                name=table.name,
                sets=table.sets,
                chains=tuple(
                    chain
                    for chain in table.chains
                    if chain.base is None or chain.base.type != "nat"
                ),
            )
            for table in ruleset.tables
        )
    )


def answer(kinds: set[Kind]) -> Answer:
    """Return what is told of a packet that may end in these ways."""
    if Kind.ACCEPT in kinds:
        return Answer.YES if len(kinds) == 1 else Answer.PERHAPS
    return Answer.NO


def samples(found: Areas) -> set[int]:
    """Return addresses at both edges of every set of sources, and inside."""
    chosen: set[int] = {0, 0xCB007171, 0xFFFFFFFF}
    for bits in {fate.sources for area in found.areas for fate in area.fates}:
        for low, high in found.sources.ranges(bits):
            chosen |= {low, (low + high) // 2, high}
    return chosen


def edges(area: Area) -> list[int]:
    """Return the first and last port of each of an area's ranges."""
    return sorted({port for span in area.ports for port in span})


@settings(max_examples=40, deadline=None)
@given(RULESETS)
def test_single_packets_meet_their_fates(ruleset: Ruleset) -> None:
    machine = Machine(ruleset, HOST)
    found = areas(machine)
    points = Sources.of_points(samples(found))
    for area in found.areas:
        for port in edges(area)[:6]:
            for sport in [EPHEMERAL, *machine.sports]:
                one = packet(
                    HOST,
                    points,
                    device=area.devices[-1],
                    protocol=NUMBERS[area.protocol],
                    daddr=area.address,
                    dport=port,
                    sport=sport,
                    tcp_flags=SYN if area.protocol == Protocol.TCP else None,
                )
                journey = arrive(ruleset, HOST, points, one)
                for index, source in enumerate(points.starts):
                    kinds = {one.kind for one in journey.endings if one.live >> index & 1}
                    told = fates_of(found, area, source)
                    meets(told, sport, answer(kinds))
                    if sport == EPHEMERAL and (usual := told.get(None)):
                        bit = class_of(found.sources, source)
                        assert deciders(journey.walk.decisions, 1 << index) == {
                            key(found.places[number])
                            for number, bits in usual.decided_by
                            if bits & bit
                        }


def fates_of(found: Areas, area: Area, source: int) -> dict[str | None, Fate]:
    """Return the fates of one source, by source port."""
    bit = class_of(found.sources, source)
    mine = [fate for fate in area.fates if fate.sources & bit]
    told = {fate.source_ports: fate for fate in mine}
    assert len(told) == len(mine)  # one fate at most for each source port
    return told


def meets(told: dict[str | None, Fate], sport: int, met: Answer) -> None:
    """Hold what a packet from a source port met against the fates of its source."""
    usual = told[None].answer if None in told else Answer.NO
    special = [fate.answer for text, fate in told.items() if text and includes(text, sport)]
    if sport == EPHEMERAL:
        assert (usual, special) == (met, [])
    elif special:
        assert special == [met]
    elif usual == Answer.PERHAPS:
        assert met != Answer.YES
    elif usual == Answer.NO:
        assert met == Answer.NO


def includes(text: str, port: int) -> bool:
    """Say whether "22, 6000-6063" has a port."""
    spans = (span.partition("-") for span in text.split(", "))
    return any(int(first) <= port <= int(last or first) for first, _, last in spans)


def deciders(decisions: Iterable[Decision], bit: int) -> set[tuple[str, str, str, int]]:
    """Return the places that accepted one source."""
    return {key(one.place) for one in decisions if one.kind == Kind.ACCEPT and one.live & bit}


def key(place: Place) -> tuple[str, str, str, int]:
    """Return what is one for each place."""
    return place.family, place.table, place.chain, id(place.rule)


def class_of(sources: Sources, source: int) -> int:
    """Return the class of one address."""
    return 1 << (bisect_right(sources.starts, source) - 1)


@settings(max_examples=40, deadline=None)
@given(
    RULESETS.map(plain),
    st.sampled_from([0, 21, 22, 80, 443, 8080, 8081]),
    st.sampled_from(HOST.devices),
)
def test_a_door_is_what_the_areas_say_of_a_port(ruleset: Ruleset, port: int, device: str) -> None:
    machine = Machine(ruleset, HOST)
    found = areas(machine)
    for protocol in (Protocol.TCP, Protocol.UDP):
        door = machine.door(device, protocol, port, "0.0.0.0")
        yes = sum_of(found, device, protocol, port, Answer.YES)
        perhaps = sum_of(found, device, protocol, port, Answer.PERHAPS) & ~yes
        assert door.yes == tuple(found.sources.ranges(yes))
        assert door.perhaps == tuple(found.sources.ranges(perhaps))


def sum_of(found: Areas, device: str, protocol: Protocol, port: int, wanted: Answer) -> int:
    """Return the sources that have an answer at a port, on any address, from any source port."""
    bits = 0
    for area in found.areas:
        if device in area.devices and area.protocol == protocol and has(area, port):
            for fate in area.fates:
                if fate.answer == wanted:
                    bits |= fate.sources
    return bits


def has(area: Area, port: int) -> bool:
    """Say whether an area has a port."""
    return any(low <= port <= high for low, high in area.ports)


@given(st.lists(st.integers(0, 255)), st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255))))
def test_a_partition_is_told_apart_by_its_sets(cuts: list[int], spans: list[Range]) -> None:
    sources = Sources(8, [(cut, cut) for cut in cuts])
    sets = [sources.bits(*span) for span in spans]
    classes = partition(sets, sources)
    assert sum(classes) == sources.all
    for one in sets:
        assert all(part & one in {0, part} for part in classes)
    told = {tuple(part & one != 0 for one in sets) for part in classes}
    assert len(told) == len(classes)
