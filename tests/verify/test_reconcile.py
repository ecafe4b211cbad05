"""A scan held against a machine: who asked, what it knows, and what cannot be told."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

import build
from portward import flow
from portward.model.case import Case
from portward.model.errors import UsageError
from portward.model.host import Route
from portward.model.net import Family, Protocol
from portward.model.scan import PortState, Scan, ScannedHost, ScannedPort, Spoken
from portward.model.service import Audience
from portward.model.status import Scope, Verdict
from portward.model.unknown import NEEDS_ROOT, Unknown
from portward.model.verification import Outcome, Verification
from portward.verify.reconcile import Outside, reconcile

US = "198.51.100.7"
STRANGER = "203.0.113.9"
ADMIN = "192.0.2.5"
TCP, UDP = Protocol.TCP, Protocol.UDP
OPEN, FILTERED, CLOSED = PortState.OPEN, PortState.FILTERED, PortState.CLOSED

ADMINS = build.allowance("22/tcp", audience=Audience.PRIVATE)
ADMINS = replace(ADMINS, sources=replace(ADMINS.sources, networks=("192.0.2.0/24",)))
WEB = build.allowance("80/tcp")


def rules(*ports: int, source: str = "") -> str:
    """A ruleset that drops all but these TCP ports, to all or from one network."""
    chain = {"family": "inet", "table": "filter", "chain": "input"}
    found: list[dict[str, Any]] = [
        {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
        {"table": {"family": "inet", "name": "filter", "handle": 1}},
        {
            "chain": {
                "family": "inet",
                "table": "filter",
                "name": "input",
                "handle": 1,
                "type": "filter",
                "hook": "input",
                "prio": 0,
                "policy": "drop",
            }
        },
    ]
    for number, port in enumerate(ports, 2):
        left = {"payload": {"protocol": "tcp", "field": "dport"}}
        expr: list[dict[str, Any]] = [{"match": {"op": "==", "left": left, "right": port}}]
        if source:
            address, _, length = source.partition("/")
            prefix = {"prefix": {"addr": address, "len": int(length)}}
            field = {"payload": {"protocol": "ip", "field": "saddr"}}
            expr.insert(0, {"match": {"op": "==", "left": field, "right": prefix}})
        found.append({"rule": {**chain, "handle": number, "expr": [*expr, {"accept": None}]}})
    return json.dumps({"nftables": found})


def machine(nft: str = "", **facts: Any) -> Case:
    """A machine on which sshd, a web server, a database and an agent by UDP listen."""
    ssh = build.exposure(
        build.listener("22/tcp"), verdict=Verdict.ALLOWED, allowance=ADMINS, scope=Scope.NETWORKS
    )
    web = build.exposure(build.listener("80/tcp"), verdict=Verdict.ALLOWED, allowance=WEB)
    database = build.exposure(build.listener("5432/tcp"), scope=Scope.NOBODY)
    local = build.exposure(
        build.listener("3306/tcp", "127.0.0.1"), scope=Scope.HOST, verdict=Verdict.LOCAL
    )
    agent = build.exposure(build.listener("161/udp"), scope=Scope.NOBODY)
    given = {"firewall": build.firewall(nft=nft or rules(80))} | facts
    return build.case(ssh, web, database, local, agent, **given)


def scan(*ports: tuple[int, PortState], address: str = US, **facts: Any) -> Scan:
    """All TCP ports were asked, and all but these were silent."""
    lines = tuple(
        ScannedPort(port=number, protocol=TCP, state=state, reason="test")
        for number, state in ports
    )
    given: dict[str, Any] = {
        "others": {"tcp": {FILTERED: 65_535 - len(lines)}},
        "asked": {"tcp": "1-65535"},
    }
    own = {key: facts.pop(key) for key in ("others", "asked", "unknown") if key in facts}
    host = ScannedHost(address=address, ports=lines, **(given | own))
    about: dict[str, Any] = {
        "started": build.TAKEN,
        "duration": 1,
        "engine": "bpf",
        "source": (STRANGER,),
    }
    return Scan(hosts=(host,), **(about | facts))


def verify(case: Case, *outsides: Outside, notes: Sequence[str] = ()) -> Verification:
    return reconcile(case, flow.site(case.snapshot), outsides, notes)


def outcomes(found: Verification) -> dict[int, Outcome]:
    return {one.port: one.outcome for one in found.ports}


def test_a_firewall_that_is_right() -> None:
    found = verify(machine(), Outside(scan((80, OPEN))))
    assert outcomes(found) == {
        80: Outcome.EXPOSED,
        22: Outcome.CLOSED,
        5432: Outcome.CLOSED,
    }
    assert found.findings == ()
    (view,) = found.views
    assert (view.must_fail, view.failed) == (65_534, 65_534)
    assert (view.must_succeed, view.succeeded, view.untold) == (1, 1, 0)
    assert found.gaps == ("The scan asked for no UDP port, and 1 listen.",)
    assert view.interface == "eth0"


def test_what_an_admin_reaches_and_a_stranger_does_not() -> None:
    case = machine(rules(22, source="192.0.2.0/24"))
    found = verify(
        case,
        Outside(scan(), STRANGER),
        Outside(scan((22, OPEN), source=(ADMIN,))),
    )
    ssh = {one.source: one.outcome for one in found.ports if one.port == 22}
    assert ssh == {STRANGER: Outcome.CLOSED, ADMIN: Outcome.EXPOSED}
    web = [one.outcome for one in found.ports if one.port == 80]
    assert web == [Outcome.BLOCKED, Outcome.BLOCKED]


def test_somebody_in_between_answers() -> None:
    found = verify(machine(), Outside(scan((80, OPEN), (5432, OPEN), (9999, OPEN))))
    assert outcomes(found) == {
        5432: Outcome.BYPASSED,
        9999: Outcome.HIDDEN,
        80: Outcome.EXPOSED,
        22: Outcome.CLOSED,
    }
    assert [one.port for one in found.findings] == [5432, 9999]
    assert [rule.verdict for rule in found.findings[0].decided_by] == ["drop"]
    assert (found.views[0].must_fail, found.views[0].failed) == (65_534, 65_532)


def test_something_before_the_machine_stops_it() -> None:
    found = verify(machine(), Outside(scan()))
    assert outcomes(found)[80] == Outcome.UPSTREAM
    assert (found.views[0].must_succeed, found.views[0].succeeded) == (1, 0)


def test_a_rule_that_is_wider_than_the_policy() -> None:
    found = verify(machine(rules(80, 5432)), Outside(scan((80, OPEN), (5432, OPEN))))
    assert outcomes(found)[5432] == Outcome.UNINTENDED
    assert found.ports[0].port == 5432


def test_a_port_of_the_host_alone_that_answers_outside_is_answered_elsewhere() -> None:
    found = verify(machine(), Outside(scan((80, OPEN), (3306, OPEN))))
    assert outcomes(found)[3306] == Outcome.HIDDEN


def test_silence_of_udp_is_not_told() -> None:
    seen = scan((80, OPEN), asked={"tcp": "1-65535", "udp": "161"})
    silent = ScannedPort(port=161, protocol=UDP, state=PortState.SILENT, reason="no answer")
    host = replace(seen.hosts[0], ports=(*seen.hosts[0].ports, silent))
    found = verify(machine(), Outside(replace(seen, hosts=(host,))))
    assert outcomes(found)[161] == Outcome.UNTOLD
    assert found.gaps == ()
    assert found.views[0].untold == 1


def test_lost_answers_are_not_told() -> None:
    found = verify(machine(), Outside(scan((80, OPEN), (5432, PortState.UNCERTAIN))))
    assert outcomes(found)[5432] == Outcome.UNTOLD
    view = found.views[0]
    assert (view.must_fail, view.failed, view.untold) == (65_534, 65_533, 1)


def test_counted_ports_that_may_be_uncertain_are_not_told() -> None:
    seen = scan((80, OPEN), others={"tcp": {FILTERED: 65_000, PortState.UNCERTAIN: 534}})
    found = verify(machine(), Outside(seen))
    assert outcomes(found)[5432] == Outcome.UNTOLD
    assert found.views[0].failed <= 65_000
    assert found.views[0].untold >= 534


def test_a_list_of_what_was_found_tells_nothing_of_the_rest() -> None:
    found = verify(machine(), Outside(scan((80, OPEN), asked={}, others={}), STRANGER))
    assert outcomes(found) == {80: Outcome.EXPOSED, 22: Outcome.UNTOLD, 5432: Outcome.UNTOLD}
    view = found.views[0]
    assert (view.must_fail, view.must_succeed, view.succeeded) == (0, 1, 1)


def test_where_the_scan_came_from_is_not_known() -> None:
    found = verify(machine(), Outside(scan((80, OPEN), source=())))
    by_port = {one.port: one for one in found.ports}
    assert by_port[80].outcome == Outcome.EXPOSED  # whoever asked: it is open to everyone
    assert by_port[22].outcome == Outcome.CLOSED or by_port[22].outcome == Outcome.UNTOLD
    assert by_port[80].source == ""
    assert any("--source" in note for note in found.notes)
    said = verify(machine(), Outside(scan((80, OPEN), source=()), STRANGER))
    assert said.notes == ()


def test_a_private_source_of_a_public_target_is_translated_on_the_way() -> None:
    found = verify(machine(), Outside(scan((80, OPEN), source=("10.0.0.5",))))
    assert found.views[0].source == ""
    assert any("a private address, to a public one" in note for note in found.notes)


def test_a_public_address_that_is_translated_before_the_machine() -> None:
    inside = build.interface("eth0", addresses=("10.0.0.7/24",))
    case = machine(interfaces=(build.LOOPBACK, inside))
    found = verify(case, Outside(scan((80, OPEN), address="203.0.113.80", source=("192.0.2.99",))))
    assert outcomes(found)[80] == Outcome.EXPOSED
    assert any("asked about 10.0.0.7" in note for note in found.notes)


def test_a_scan_of_another_machine_is_refused() -> None:
    with pytest.raises(UsageError, match="none of the machine's addresses"):
        verify(machine(), Outside(scan(address="2001:db8::1", source=("2001:db8::2",))))


def test_a_scan_from_the_machine_itself_is_refused() -> None:
    with pytest.raises(UsageError, match="made on the machine itself"):
        verify(machine(), Outside(scan(source=(US,))))


def test_no_host_is_no_verification() -> None:
    with pytest.raises(UsageError, match="names no host"):
        verify(machine(), Outside(replace(scan(), hosts=())))


def test_what_is_missing_of_either_view_is_said() -> None:
    late = scan((80, OPEN), started=build.TAKEN + timedelta(hours=5), complete=False)
    late = replace(late, hosts=(replace(late.hosts[0], unknown=(Unknown("who answers"),)),))
    found = verify(machine(), Outside(late), notes=("Seen by a test.",))
    assert found.notes[0] == "Seen by a test."
    assert "5 hours apart" in found.notes[1]
    assert "The scan was stopped early." in found.gaps
    assert f"Of {US} it is not told who answers." in found.gaps


def test_an_unknown_firewall_closes_nothing() -> None:
    case = machine()
    blind = replace(case, snapshot=replace(case.snapshot, firewall=NEEDS_ROOT))
    found = verify(blind, Outside(scan((80, OPEN), (5432, OPEN))))
    assert outcomes(found)[5432] == Outcome.UNINTENDED
    assert "The firewall is not known: needs root." in found.gaps


def test_unknown_listeners_are_not_no_listeners() -> None:
    case = machine()
    blind = replace(case, exposures=(), snapshot=replace(case.snapshot, listeners=NEEDS_ROOT))
    found = verify(blind, Outside(scan((80, OPEN))))
    assert outcomes(found) == {80: Outcome.UNTOLD}
    assert "What listens is not known: needs root." in found.gaps


def test_a_listener_of_one_family_is_not_asked_for_by_the_other() -> None:
    six = build.interface(
        "eth0",
        addresses=("198.51.100.7/24", "2001:db8::7/64"),
    )
    routes = (
        Route(
            destination="default",
            family=Family.IPV6,
            gateway="2001:db8::1",
            device="eth0",
            metric=None,
        ),
    )
    case = machine(interfaces=(build.LOOPBACK, six), routes=routes)
    seen = scan((80, OPEN), address="2001:db8::7", source=("2001:db8:9::9",))
    assert outcomes(verify(case, Outside(seen))) == {80: Outcome.HIDDEN}


def test_what_answers_is_named_beside_what_listens() -> None:
    seen = scan((80, OPEN))
    port = replace(seen.hosts[0].ports[0], service=Spoken(protocol="ssh"))
    found = verify(
        machine(),
        Outside(replace(seen, hosts=(replace(seen.hosts[0], ports=(port,)),))),
    )
    (web,) = [one for one in found.ports if one.port == 80]
    assert (web.answers, web.program) == ("ssh", "sshd")
