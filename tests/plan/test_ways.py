import json

from build import INPUT_DROP, firewall, listener, snapshot
from portward.model.host import Snapshot
from portward.model.unknown import Unknown
from portward.plan.ways import Way, refusals, ways_in
from portward.reach import load
from portward.reach.site import Site

CAME = Way(source="203.0.113.7", destination="198.51.100.7", port=22)


def site(of: Snapshot) -> Site:
    found = of.firewall
    return Site(found if isinstance(found, Unknown) else load.ruleset(found), of)


def allowing(source: str) -> Snapshot:
    """A machine that drops all but SSH from a network."""
    network, length = source.split("/")
    rule = {
        "family": "inet",
        "table": "filter",
        "chain": "input",
        "handle": 2,
        "expr": [
            {
                "match": {
                    "op": "==",
                    "left": {"payload": {"protocol": "ip", "field": "saddr"}},
                    "right": {"prefix": {"addr": network, "len": int(length)}},
                }
            },
            {
                "match": {
                    "op": "==",
                    "left": {"payload": {"protocol": "tcp", "field": "dport"}},
                    "right": 22,
                }
            },
            {"accept": None},
        ],
    }
    listing = json.loads(INPUT_DROP)
    listing["nftables"].append({"rule": rule})
    return snapshot(listener(), firewall=firewall(nft=json.dumps(listing)))


def answers(way: Way, of: Snapshot) -> list[str]:
    return [one.answer for one in ways_in((way,), of, site(of))]


def test_a_way_that_a_rule_lets_in_stays_open() -> None:
    later = allowing("203.0.113.0/24")
    (way,) = ways_in((CAME,), later, site(later))
    assert way.answer == "yes"
    assert way.interface == "eth0"
    assert "22" in way.decided_by
    assert not list(refusals((way,)))


def test_a_way_that_is_dropped_is_refused_with_what_to_add() -> None:
    later = allowing("192.0.2.0/24")
    found = ways_in((CAME,), later, site(later))
    (refusal,) = refusals(found)
    assert "203.0.113.7 to 22/tcp, would be shut" in refusal.what
    assert '[[allow]] service = "ssh", from = ["203.0.113.7"]' in refusal.mend


def test_another_port_is_named_as_it_is() -> None:
    later = allowing("203.0.113.0/24")
    found = ways_in((Way(source="203.0.113.7", port=2222),), later, site(later))
    (refusal,) = refusals(found)
    assert 'port = "2222/tcp"' in refusal.mend


def test_a_network_has_to_come_in_as_a_whole() -> None:
    later = allowing("203.0.113.0/25")
    assert answers(Way(source="203.0.113.0/26"), later) == ["yes"]
    assert answers(Way(source="203.0.113.0/24"), later) == ["no"]


def test_a_firewall_that_is_not_known_keeps_no_way_open_for_certain() -> None:
    later = snapshot(listener(), firewall=Unknown("needs root"))
    assert answers(CAME, later) == ["perhaps"]
    assert answers(Way(source="203.0.113.0/24"), later) != ["yes"]


def test_a_server_that_would_not_listen_is_no_way_in() -> None:
    later = snapshot(firewall=firewall(nft=None))
    assert answers(CAME, later) == ["no"]


def test_who_sits_at_the_machine_itself_comes_in_by_no_firewall() -> None:
    assert answers(Way(source="127.0.0.1"), allowing("192.0.2.0/24")) == ["yes"]
