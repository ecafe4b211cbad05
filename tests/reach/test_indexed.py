"""The indexed walk against the plain one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from portward.reach.cuts import cuts
from portward.reach.indexed import IndexedPaths
from portward.reach.packets import packet
from portward.reach.path import Journey, Paths
from portward.reach.ruleset import Kind, Place, Ruleset
from portward.reach.sources import Sources
from portward.reach.walk import Spread
from reach.rulesets import HOST, OWN, RULESETS


def facts(
    journey: Journey,
) -> tuple[dict[object, int], dict[tuple[Place, Kind], int], dict[str, int]]:
    """Return what a journey says, without the order and the pieces in which it says it."""
    endings: dict[object, int] = {}
    for one in journey.endings:
        key = (one.kind, one.hook, one.address, one.port, one.device)
        endings[key] = endings.get(key, 0) | one.live
    decisions: dict[tuple[Place, Kind], int] = {}
    for two in journey.walk.decisions:
        decisions[two.place, two.kind] = decisions.get((two.place, two.kind), 0) | two.live
    return endings, decisions, {name: live for name, live in journey.walk.doubts.items() if live}


@settings(deadline=None)
@given(RULESETS, st.lists(st.sampled_from([0, 22, 23, 80, 443, 8080, 8081]), min_size=1))
def test_both_walks_agree(ruleset: Ruleset, ports: list[int]) -> None:
    sources = Sources(32, {*cuts(ruleset, "saddr"), *HOST.cuts()})
    plain, fast = Paths(ruleset, HOST, sources), IndexedPaths(ruleset, HOST, sources)
    saddr = Spread(sources)
    for port in ports:
        for device in HOST.devices:
            for protocol in (6, 17):
                one = packet(
                    HOST,
                    sources,
                    device=device,
                    protocol=protocol,
                    daddr=OWN[0],
                    dport=port,
                    sport=49_152,
                    saddr=saddr,
                    tcp_flags=2 if protocol == 6 else None,
                )
                endings, decisions, doubts = facts(fast.follow(one))
                wanted, deciding, needed = facts(plain.follow(one))
                assert (endings, decisions) == (wanted, deciding)
                # It may name a doubt of a rule that in the end decides nothing.
                assert needed.keys() <= doubts.keys()
