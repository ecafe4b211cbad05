import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from own_network import in_own_network, run
from portward.model.host import Firewall
from portward.model.unknown import NEEDS_ROOT, NOT_SURVEYED, Unknown
from portward.reach import load, nft_json
from portward.reach.ruleset import Kind, Ruleset, Verdict
from portward.reach.ruleset import Test as Question
from portward.survey.firewall import rulesets

CAPTURES = Path(__file__).parent.parent / "captures" / "rulesets"
NAMES = sorted(path.stem for path in CAPTURES.glob("*.json") if path.stem != "verdicts")


def firewall(**fields: Any) -> Firewall:
    nothing: dict[str, Any] = dict.fromkeys(
        ["nft", "iptables", "ip6tables", "iptables_legacy", "ip6tables_legacy"]
    )
    return Firewall(**nothing | {"managers": NOT_SURVEYED} | fields)


def captured(name: str) -> Firewall:
    texts = {
        kind: path.read_text()
        for kind in ("iptables", "ip6tables")
        if (path := CAPTURES / f"{name}.{kind}").exists()
    }
    return firewall(nft=(CAPTURES / f"{name}.json").read_text(), **texts)


def loaded(given: Firewall) -> Ruleset:
    found = load.ruleset(given)
    assert isinstance(found, Ruleset), found
    return found


def unknown_steps(ruleset: Ruleset) -> Counter[str]:
    return Counter(
        f"{table.family} {name}"
        for table in ruleset.tables
        for chain in table.chains
        for rule in chain.rules
        for step in rule.steps
        if (name := load.unknown(step))
    )


@pytest.mark.parametrize("name", NAMES)
def test_nothing_in_the_real_rulesets_is_unknown(name: str) -> None:
    found = unknown_steps(loaded(captured(name)))

    if not (CAPTURES / f"{name}.ip6tables").exists():
        # Where ip6tables-save was not captured, nft tells no more than the names of its matches.
        found = Counter({one: count for one, count in found.items() if one.startswith("ip ")})
    assert found == {}


def test_nft_alone_leaves_matches_unknown_which_the_join_knows() -> None:
    given = captured("ufw")

    alone = unknown_steps(loaded(replace(given, iptables=None, ip6tables=None)))

    assert alone["ip match conntrack of iptables"] > 0
    assert alone["ip6 match icmp6 of iptables"] > 0


@pytest.mark.parametrize("name", NAMES)
def test_where_both_readers_know_a_rule_they_agree(name: str) -> None:
    given = captured(name)
    assert isinstance(given.nft, str)
    plain = nft_json.read(given.nft)

    compared = 0
    for joined, listed in zip(loaded(given).tables, plain.tables, strict=True):
        for ours, theirs in zip(joined.chains, listed.chains, strict=True):
            assert [one.handle for one in ours.rules] == [one.handle for one in theirs.rules]
            for one, other in zip(ours.rules, theirs.rules, strict=True):
                if not any(load.unknown(step) for step in other.steps):
                    assert asked(one.steps) == asked(other.steps), one.text
                    compared += 1
    assert compared > 0


def asked(steps: Any) -> tuple[set[str], tuple[str, ...]]:
    """Return the tests in no order, but for the family that the table implies, and the rest."""
    tests = {str(step) for step in steps if isinstance(step, Question)}
    return (
        {one for one in tests if "nfproto" not in one},
        tuple(str(step) for step in steps if not isinstance(step, Question)),
    )


def test_a_chain_that_changed_between_the_two_listings_stays_as_nft_lists_it() -> None:
    given = captured("docker")
    assert isinstance(given.iptables, str)
    shorter = given.iptables.replace("-A DOCKER-USER -j RETURN\n", "-A DOCKER-USER -j DROP\n" * 2)

    (chain,) = (
        chain
        for table in loaded(replace(given, iptables=shorter)).tables
        for chain in table.chains
        if chain.name == "DOCKER-USER"
    )

    assert [rule.steps for rule in chain.rules] == [(Verdict(Kind.RETURN),)]


def test_the_tables_of_legacy_iptables_are_added() -> None:
    text = "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n"

    (table,) = loaded(firewall(iptables_legacy=text)).tables

    assert (table.family, table.name, table.legacy) == ("ip", "filter", True)
    assert loaded(firewall()) == Ruleset()


def test_what_is_not_known_makes_the_ruleset_unknown() -> None:
    assert load.ruleset(firewall(nft=NEEDS_ROOT)) == NEEDS_ROOT
    assert load.ruleset(firewall(ip6tables_legacy=NEEDS_ROOT)) == NEEDS_ROOT
    broken = load.ruleset(firewall(iptables_legacy="*filter\n-A"))
    assert broken == Unknown("iptables-legacy-save:2: is no line of iptables-save")


def test_without_iptables_save_the_rest_of_the_ruleset_is_known() -> None:
    given = replace(captured("podman"), iptables=Unknown("no iptables-save"))

    found = unknown_steps(loaded(given))

    assert found["ip match addrtype of iptables"] > 0


@pytest.mark.root
def test_a_live_ruleset_of_all_writers_is_joined() -> None:
    saved = "*filter\n:INPUT ACCEPT\n-A INPUT -m conntrack --ctstate NEW -j DROP\nCOMMIT\n"
    chain = "add chain inet own entry { type filter hook input priority 5; }"
    native = f"add table inet own\n{chain}\nadd rule inet own entry tcp dport 22 drop\n"

    def work() -> Firewall:
        run("iptables-nft-restore", text=saved)
        run("ip6tables-nft-restore", text=saved)
        run("ip6tables-legacy-restore", text=saved)
        run("nft -f -", text=native)
        return rulesets()

    found = loaded(in_own_network(work))

    assert unknown_steps(found) == {}
    assert {(table.family, table.name, table.legacy) for table in found.tables} == {
        ("ip", "filter", False),
        ("ip6", "filter", False),
        ("inet", "own", False),
        ("ip6", "filter", True),
    }
    for table in found.tables:
        (rule,) = (rule for chain in table.chains for rule in chain.rules)
        assert rule.steps[-1] == Verdict(Kind.DROP)
        assert (rule.handle is None) == table.legacy


def test_the_captures_are_whole() -> None:
    assert len(NAMES) == 7
    for name in NAMES:
        assert json.loads((CAPTURES / f"{name}.json").read_text())["nftables"]
