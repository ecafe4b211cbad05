"""Records: first answers count, handshakes outweigh refusals, times are those of the last try."""

from portward.scan.table import NO_TIME, RECORD, Table
from portward.scan.wire import Answer, Kind

HOST = b"\x0a\0\0\2"
NOISE = bytes(range(1, 13))  # three probes


def table() -> Table:
    return Table(bytearray(3 * RECORD.size), 3, NOISE)


def answer(kind: Kind, hops: int = 60) -> Answer:
    return Answer(kind, HOST, 80, 61000, 7, hops, b"\x0a\0\0\3", icmp=(3, 13))


def test_cookies_are_the_noise() -> None:
    cookies = [table().cookie(number) for number in range(3)]
    assert sorted(b for one in cookies for b in one.to_bytes(4, "little")) == sorted(NOISE)


def test_an_answer_is_noted_once() -> None:
    one = table()
    one.sent(1, 1000, 0)
    assert one.answered(1, answer(Kind.CLOSED), 1250, 0)
    assert not one.answered(1, answer(Kind.CLOSED, hops=1), 9999, 0)
    record = one.record(1)
    assert (record.state, record.time, record.hops) == (Kind.CLOSED, 250, 60)
    assert one.states() == b"\0\2\0"
    assert one.states_of(1, 2) == b"\2\0"


def test_an_answer_to_an_earlier_try_has_no_time() -> None:
    one = table()
    one.sent(0, 1000, 0)
    one.sent(0, 5000, 1)
    one.answered(0, answer(Kind.CLOSED), 5010, 0)
    assert one.record(0).time == NO_TIME


def test_a_clock_that_wraps_does_no_harm() -> None:
    one = table()
    one.sent(0, 0xFFFFFFFF - 10, 0)
    one.answered(0, answer(Kind.OPEN), 0xFFFFFFFF + 90, 0)
    assert one.record(0).time == 100


def test_a_handshake_outweighs_a_refusal_and_nothing_outweighs_it() -> None:
    one = table()
    assert one.answered(2, answer(Kind.REFUSED), 5, 0)
    record = one.record(2)
    assert (record.kind, record.code, record.sender[:4]) == (3, 13, b"\x0a\0\0\3")
    assert not one.answered(2, answer(Kind.OPEN), 6, 0)
    assert not one.answered(2, answer(Kind.CLOSED), 7, 0)
    assert one.record(2).state == Kind.OPEN
