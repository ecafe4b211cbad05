"""What changed between two scans, as a property of pairs and in examples."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from portward.model.net import Protocol
from portward.model.scan import PortState, Scan, ScannedHost, ScannedPort, Spoken
from portward.scan.changes import changes

OPEN, CLOSED, FILTERED = PortState.OPEN, PortState.CLOSED, PortState.FILTERED


def port(number: int, state: PortState = OPEN, product: str = "") -> ScannedPort:
    spoken = Spoken(protocol="ssh", product=product) if product else None
    return ScannedPort(
        port=number, protocol=Protocol.TCP, state=state, reason="test", service=spoken
    )


def scan(*ports: ScannedPort, asked: str = "1-100", complete: bool = True, **others: int) -> Scan:
    counts = {PortState(state): count for state, count in (others or {"closed": 90}).items()}
    host = ScannedHost(
        address="192.0.2.1", ports=ports, asked={"tcp": asked}, others={"tcp": counts}
    )
    return Scan(
        started=datetime(2026, 1, 1, tzinfo=UTC),
        duration=1,
        engine="bpf",
        complete=complete,
        hosts=(host,),
    )


def test_a_port_that_opened_and_one_that_closed() -> None:
    found = changes(scan(port(22)), scan(port(80)))
    assert [(one.port, one.opened, one.closed) for one in found.changes] == [
        (22, False, True),
        (80, True, False),
    ]
    assert found.gaps == ()


def test_another_program_is_a_change_and_one_that_was_not_asked_is_none() -> None:
    (change,) = changes(scan(port(22, product="A 1")), scan(port(22, product="B 2"))).changes
    assert (change.was, change.now) == ("ssh: A 1", "ssh: B 2")
    assert not change.opened
    assert changes(scan(port(22, product="A 1")), scan(port(22))).changes == ()


def test_what_only_one_has_asked_is_a_gap_and_no_change() -> None:
    found = changes(scan(port(22), port(443), asked="22,443"), scan(asked="1-100"))
    assert [one.port for one in found.changes] == [22]
    assert found.gaps == ("new does not tell of 443/tcp of 192.0.2.1.",)


def test_loss_is_no_closed_port() -> None:
    found = changes(scan(port(22)), scan(port(22, PortState.UNCERTAIN)), ("a", "b"))
    assert found.changes == ()
    assert found.gaps == ("b does not tell of 22/tcp of 192.0.2.1.",)


def test_a_port_counted_among_states_that_hold_its_old_one_has_perhaps_not_changed() -> None:
    mixed = scan(closed=50, filtered=50)
    assert changes(scan(port(22, FILTERED)), mixed).changes == ()
    (change,) = changes(scan(port(22)), mixed).changes
    assert change.after == (CLOSED, FILTERED)
    assert change.closed


def test_hosts_that_one_of_them_lacks_and_an_early_end_are_said() -> None:
    nobody = Scan(started=datetime(2026, 1, 1, tzinfo=UTC), duration=1, engine="x", hosts=())
    assert changes(scan(port(22)), nobody).gaps == ("Only old has 192.0.2.1.",)
    assert changes(scan(complete=False), scan()).gaps == ("old was stopped early.",)


scans = st.builds(
    lambda ports, asked: scan(
        *(port(number, state) for number, state in sorted(ports.items())), asked=asked
    ),
    st.dictionaries(st.integers(1, 40), st.sampled_from(list(PortState)), max_size=10),
    st.sampled_from(["1-40", "1-20", "30-40", ""]),
)


@given(scans)
def test_nothing_differs_from_itself(one: Scan) -> None:
    assert changes(one, one).changes == ()


@given(scans, scans)
def test_the_other_way_round_everything_is_turned_round(one: Scan, other: Scan) -> None:
    there = {(c.port, c.before, c.after) for c in changes(one, other).changes}
    back = {(c.port, c.after, c.before) for c in changes(other, one).changes}
    assert there == back
