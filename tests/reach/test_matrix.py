"""The whole matrix against single questions and single packets."""

from bisect import bisect_right

from hypothesis import given, settings
from hypothesis import strategies as st

from portward.model.net import Protocol
from portward.reach.answer import Machine
from portward.reach.matrix import Answer, Area, Matrix, matrix, partition
from portward.reach.packets import NUMBERS, SYN, packet
from portward.reach.path import arrive
from portward.reach.ruleset import Kind, Range, Ruleset, Table
from portward.reach.sources import Sources
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
    return Answer.REFUSED if kinds == {Kind.REJECT} else Answer.NO


def samples(found: Matrix) -> set[int]:
    """Return addresses at both edges of every set of the matrix, and inside."""
    chosen: set[int] = set()
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
    found = matrix(machine)
    points = Sources.of_points(samples(found))
    for area in found.areas:
        for port in edges(area)[:6]:
            told: dict[int, list[Answer]] = {}
            for sport in machine.sports:
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
                endings = arrive(ruleset, HOST, points, one).endings
                for index, source in enumerate(points.starts):
                    kinds = {one.kind for one in endings if one.live >> index & 1}
                    told.setdefault(source, []).append(answer(kinds))
            for source, answers in told.items():
                one_class = class_of(found.sources, source)
                (fate,) = (fate for fate in area.fates if fate.sources & one_class)
                assert fate.answer == joined(answers), (source, port)


def joined(answers: list[Answer]) -> Answer:
    """Join what packets from several source ports met."""
    for best in (Answer.YES, Answer.PERHAPS):
        if best in answers:
            return best
    return Answer.REFUSED if {*answers} == {Answer.REFUSED} else Answer.NO


def class_of(sources: Sources, source: int) -> int:
    """Return the class of one address."""
    return 1 << (bisect_right(sources.starts, source) - 1)


@settings(max_examples=40, deadline=None)
@given(
    RULESETS.map(plain),
    st.sampled_from([0, 21, 22, 80, 443, 8080, 8081]),
    st.sampled_from(HOST.devices),
)
def test_a_door_is_a_column_of_the_matrix(ruleset: Ruleset, port: int, device: str) -> None:
    machine = Machine(ruleset, HOST)
    found = matrix(machine)
    for protocol in (Protocol.TCP, Protocol.UDP):
        door = machine.door(device, protocol, port, "0.0.0.0")
        yes = sum_of(found, device, protocol, port, Answer.YES)
        perhaps = sum_of(found, device, protocol, port, Answer.PERHAPS) & ~yes
        assert door.yes == tuple(found.sources.ranges(yes))
        assert door.perhaps == tuple(found.sources.ranges(perhaps))


def sum_of(found: Matrix, device: str, protocol: Protocol, port: int, wanted: Answer) -> int:
    """Return the sources that have an answer at a port, on any address."""
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
